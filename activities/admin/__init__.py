"""The admin of activity types, refused activities, event sources, visitors and retention."""

from activities.admin import quarantine, retention, sources, types, visitors  # noqa: F401 (register)
