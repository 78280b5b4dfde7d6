#!/usr/bin/env python
"""Run the product's commands: `python manage.py help` lists them."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    from config.postgres.binaries import DatabaseUnavailableError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")
    except OperationalError as error:
        if not isinstance(error.__cause__, DatabaseUnavailableError):
            raise
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
