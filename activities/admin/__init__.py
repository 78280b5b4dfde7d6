"""The admin of activity types, refused activities, event sources, inbound webhooks, the inbox, forms and visitors."""

from activities.admin import inbound, inbox, quarantine, retention, sources, types, visitors, web_forms  # noqa: F401 (register)
