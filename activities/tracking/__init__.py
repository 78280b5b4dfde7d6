"""What web pages send: read, checked, and turned into hits of visitors."""
