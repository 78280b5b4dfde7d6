"""Visitors of web sites: their hits, their identification, their owners, and the recording of their hits in the log."""
