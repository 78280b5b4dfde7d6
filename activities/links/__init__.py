"""Tracked links: short addresses that lead on, and keep who clicked them."""
