"""Tracking requests of web pages: reads and checks them, and turns them into hits of visitors."""
