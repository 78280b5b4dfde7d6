"""The pages of forms and their submissions."""

from activities.admin.web_forms import pages  # noqa: F401 (registers them)
