"""How the served product bears several clients at once: `make load`."""
