"""The pages of rejected activities."""

from activities.admin.quarantine import pages  # noqa: F401 (registers them)
