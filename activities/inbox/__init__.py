"""The inbox: events, properties and traits that come in and that nobody has defined."""
