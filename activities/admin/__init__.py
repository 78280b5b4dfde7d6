"""The admin of activity types, refused activities, event sources and retention."""

from activities.admin import quarantine, retention, sources, types  # noqa: F401 (register)
