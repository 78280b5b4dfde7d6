"""The admin of smart lists, campaigns and webhooks."""

from smartlists.admin import smart_lists  # noqa: F401 (register)
from smartlists.admin.campaigns import admin  # noqa: F401 (register)
