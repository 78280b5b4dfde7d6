"""The doctor's checks as system checks of Django."""

from collections.abc import Collection

from django.core import checks
from django.db import DEFAULT_DB_ALIAS

from config.operations import doctor
from config.operations.findings import TAG, Finding


def register_checks(at_start: bool = False) -> None:
    """Register the checks for `manage.py check --tag doctor --database default`.

    With `at_start` those of other processes are left out: they are about to start, too.
    """
    checks.register(_faults_at_start if at_start else _faults, TAG)


def _faults(databases: Collection[str] | None = None, **_more: object) -> list[Finding]:
    return _not_well(databases)


def _faults_at_start(databases: Collection[str] | None = None, **_more: object) -> list[Finding]:
    return _not_well(databases, without=doctor.PROCESS_CHECKS)


def _not_well(databases: Collection[str] | None, without: Collection[doctor.Check] = ()) -> list[Finding]:
    """The findings that are not well; none if the database is not allowed."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    return [finding for finding in doctor.run_checks(without=without) if not finding.is_well]
