"""The admin of activity types, refused activities and retention."""

from activities.admin import quarantine, retention, types  # noqa: F401 (register)
