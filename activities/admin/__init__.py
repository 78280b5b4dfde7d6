"""The admin of activity types, refused activities, event sources, webhooks, the inbox, forms, links and visitors."""

# ruff: noqa: F401 (importing registers them)
from activities.admin import inbound, inbox, quarantine, retention, sources, tracked_links, types, visitors, web_forms
