DATE_FORMAT = SHORT_DATE_FORMAT = "j b Y"  # 29 nov 2026
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "j b Y, H:i"
MONTH_DAY_FORMAT = "j b"
YEAR_MONTH_FORMAT = "b Y"
THOUSAND_SEPARATOR = "."  # Django's is a space, which charts and spreadsheets do not use
