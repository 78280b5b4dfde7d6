"""Maintenance by operators and its last dates: backups, rehearsals, restores."""

from django.db import models
from django.utils import timezone


class MaintenanceRun(models.Model):
    """One kind of maintenance: its last date and outcome."""

    BACKUP = "backup"
    REHEARSAL = "rehearse_restore"
    RESTORE = "restore"

    name = models.CharField(max_length=40, primary_key=True)
    done_at = models.DateTimeField()
    outcome = models.CharField(max_length=500, blank=True, db_column="says")

    class Meta:
        db_table = "upkeep"
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


def record_maintenance(name: str, outcome: str) -> None:
    """Record the maintenance `name` as done now."""
    MaintenanceRun.objects.update_or_create(name=name, defaults={"done_at": timezone.now(), "outcome": outcome[:500]})
