"""Maintenance by operators and its last dates: backups, rehearsals, restores."""

from django.db import models
from django.utils import timezone


class Upkeep(models.Model):
    """One kind of maintenance: its last date and outcome."""

    BACKUP = "backup"
    REHEARSAL = "rehearse_restore"
    RESTORE = "restore"

    name = models.CharField(max_length=40, primary_key=True)
    done_at = models.DateTimeField()
    says = models.CharField(max_length=500, blank=True)

    class Meta:
        db_table = "upkeep"
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


def record_maintenance(name: str, says: str) -> None:
    """Record the maintenance `name` as done now."""
    Upkeep.objects.update_or_create(name=name, defaults={"done_at": timezone.now(), "says": says[:500]})
