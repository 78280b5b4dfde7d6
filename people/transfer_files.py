"""Files that have had their time: uploads and exports go, what was done with them stays."""

import logging
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from people import exporting, importing
from people.transfers import Export, Import, ImportFailure

# an upload under way has a file before it has a row
GRACE = timedelta(hours=1)
_ENDED = (Import.State.COMPLETE, Import.State.CANCELLED, Import.State.TAKEN_BACK)
_WAITING = (Import.State.UPLOADED, Import.State.CHECKED)

logger = logging.getLogger(__name__)


def remove_old() -> int:
    """Remove uploads and exports older than FILES_KEPT_DAYS, and files that nothing refers to; return how many.

    An import that was paused or stopped by a fault keeps its file, so that it can go on.
    """
    before = timezone.now() - timedelta(days=settings.FILES_KEPT_DAYS)
    old = Q(state__in=_ENDED, finished_at__lt=before) | Q(state__in=_WAITING, created_at__lt=before)
    removed = sum(forget_upload(job) for job in Import.objects.filter(old).exclude(stored_as=""))
    for export in Export.objects.filter(state=Export.State.COMPLETED, finished_at__lt=before):
        removed += forget_export(export)
    wanted = set(Import.objects.exclude(stored_as="").values_list("stored_as", flat=True))
    return removed + _remove_strays(importing.folder(), wanted) + _remove_strays(exporting.folder(), _exported())


def forget_upload(job: Import) -> bool:
    """Remove an import's file and the rows that were refused; the counts stay. Return whether there was a file."""
    ImportFailure.objects.filter(of=job).delete()
    Import.objects.filter(pk=job.pk).update(stored_as="")
    return _unlink(importing.folder() / job.stored_as) if job.stored_as else False


def forget_export(export: Export) -> bool:
    """Remove an export's file. Return whether there was one."""
    Export.objects.filter(pk=export.pk, state=Export.State.COMPLETED).update(state=Export.State.EXPIRED)
    return _unlink(exporting.path_of(export))


def _exported() -> set[str]:
    kept = Export.objects.filter(state__in=(Export.State.COMPLETED, Export.State.QUEUED, Export.State.PROCESSING))
    return {name for export in kept for name in (export.file_name, f"{export.key}.part")}


def _remove_strays(folder: Path, wanted: set[str]) -> int:
    latest = (timezone.now() - GRACE).timestamp()
    strays = [path for path in folder.iterdir() if path.name not in wanted and path.stat().st_mtime < latest]
    return sum(_unlink(path) for path in strays)


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError:
        logger.exception("%s cannot be removed", path)
        return False
    return True
