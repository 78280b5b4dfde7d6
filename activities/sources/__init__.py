"""Event sources: their keys, who may send with them, and what they sent."""
