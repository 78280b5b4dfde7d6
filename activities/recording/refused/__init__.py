"""What becomes of refused rows besides their storing."""
