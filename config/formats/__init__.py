"""Formats of dates and times, one in each language; all others are Django's."""
