"""Event sources: their keys, their permitted origins, and their use."""
