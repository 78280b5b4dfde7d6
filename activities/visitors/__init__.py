"""Visitors: what they did until somebody knows who they are, and whose it is then."""
