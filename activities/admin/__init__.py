"""The admin of activity types, refused activities, event sources, the inbox, forms, visitors and retention."""

from activities.admin import inbox, quarantine, retention, sources, types, visitors, web_forms  # noqa: F401 (register)
