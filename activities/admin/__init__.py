"""The admin of activity types, refused activities, sources, inbound webhooks, the inbox, visitors and retention."""

from activities.admin import inbound, inbox, quarantine, retention, sources, types, visitors  # noqa: F401 (register)
