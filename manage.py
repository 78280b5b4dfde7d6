#!/usr/bin/env python
"""Run the product's commands: `python manage.py help` lists them."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from config.command_line import run_command

    sys.exit(run_command(sys.argv))


if __name__ == "__main__":
    main()
