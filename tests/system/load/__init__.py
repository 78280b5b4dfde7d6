"""Load of several clients at once on the served product: `make load`."""
