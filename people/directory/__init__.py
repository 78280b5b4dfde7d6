"""The list of people: its filters, its pages along an index, its columns and saved views."""
