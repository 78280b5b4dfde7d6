"""Inbound webhooks: calls of other products, kept as they come, and mapped to activities."""
