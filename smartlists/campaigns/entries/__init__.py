"""Entries of people into campaigns: they are inserted and counted, and their steps have results."""
