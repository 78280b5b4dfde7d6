"""Files that have had their time."""
