"""The quarantine: refused rows, stored to be corrected, and the bounds of what is stored."""
