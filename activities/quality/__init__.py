"""Data quality: what came in for a type and did not fit it, and notices of what is new."""
