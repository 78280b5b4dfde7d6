"""The pages of tracked links, their clicks and people's own links."""

from activities.admin.tracked_links import pages  # noqa: F401 (registers them)
