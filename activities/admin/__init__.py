"""The admin of activity types, refused activities, event sources, the inbox, visitors and retention."""

from activities.admin import inbox, quarantine, retention, sources, types, visitors  # noqa: F401 (register)
