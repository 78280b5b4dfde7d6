"""Segment's HTTP Tracking API: what its clients send, read into hits, identities and names for the inbox."""
