"""Replays of what waits, as jobs: in parts, each in a transaction, each thing once."""
