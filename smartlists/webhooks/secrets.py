"""Secrets of webhooks at rest."""

from activities.sources.sealing import DERIVED, current_key_name, seal_secret, unseal_secret

__all__ = ["DERIVED", "current_key_name", "seal_secret", "unseal_secret"]
