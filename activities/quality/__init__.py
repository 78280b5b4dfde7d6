"""Data quality: received values that did not fit their type, and notices of what is new."""
