"""The inbox: events, properties and traits that are received and have no definition."""
