"""How dates and times are written, one form in each language; what is not here is Django's."""
