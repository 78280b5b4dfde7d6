"""Bounds and counts of refused rows."""
