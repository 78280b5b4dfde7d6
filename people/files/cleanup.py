"""Removal of expired uploads and exports; the records of their jobs stay."""

import logging
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from people.core import personal_data
from people.files import tabular
from people.files.exports import jobs as export_jobs
from people.files.imports import jobs as import_jobs
from people.files.models import Export, Import, ImportFailure
from people.files.unzip import open_unzipped

# a running upload has a file before it has a row
GRACE = timedelta(hours=1)
_ENDED = (Import.State.COMPLETE, Import.State.CANCELLED, Import.State.TAKEN_BACK)
_WAITING = (Import.State.UPLOADED, Import.State.CHECKED)

logger = logging.getLogger(__name__)


def remove_old_files() -> int:
    """Remove uploads and exports older than FILES_KEPT_DAYS, and files without a row; return the number of files.

    An import that was paused or stopped by a fault keeps its file, so that it can be resumed. Rows of a command's
    killed dry run are deleted.
    """
    killed = Import.objects.filter(state=Import.State.CHECKING, stored_as="", progressed_at__lt=timezone.now() - GRACE)
    killed.delete()
    before = timezone.now() - timedelta(days=settings.FILES_KEPT_DAYS)
    old = Q(state__in=_ENDED, finished_at__lt=before) | Q(state__in=_WAITING, created_at__lt=before)
    removed = sum(forget_upload(job) for job in Import.objects.filter(old).exclude(stored_as=""))
    for export in Export.objects.filter(state=Export.State.COMPLETED, finished_at__lt=before):
        removed += forget_export(export)
    used_names = set(Import.objects.exclude(stored_as="").values_list("stored_as", flat=True))
    return (
        removed
        + _remove_strays(import_jobs.imports_folder(), used_names)
        + _remove_strays(export_jobs.exports_folder(), _exported())
    )


def forget_upload(job: Import) -> bool:
    """Remove an import's file and its refused rows; the counts stay. Return True where there was a file."""
    ImportFailure.objects.filter(of=job).delete()
    Import.objects.filter(pk=job.pk).update(stored_as="")
    return _unlink(import_jobs.imports_folder() / job.stored_as) if job.stored_as else False


def forget_export(export: Export) -> bool:
    """Remove an export's file. Return True where there was one."""
    Export.objects.filter(pk=export.pk, state=Export.State.COMPLETED).update(state=Export.State.EXPIRED)
    return _unlink(export_jobs.export_path(export))


def _exported() -> set[str]:
    exports = Export.objects.filter(state__in=(Export.State.COMPLETED, Export.State.QUEUED, Export.State.PROCESSING))
    return {name for export in exports for name in (export.file_name, f"{export.key}.part")}


def _remove_strays(folder: Path, used_names: set[str]) -> int:
    latest = (timezone.now() - GRACE).timestamp()
    strays = [path for path in folder.iterdir() if path.name not in used_names and path.stat().st_mtime < latest]
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


def register_personal_files() -> None:
    """Register files and refused rows as personal data; called when the app starts."""
    # refused rows contain nothing that is stored of a person
    personal_data.register_personal_tables(
        personal_data.PersonalData("file_import_failure", (), _("rejected rows of imports"), erase=_erase_failures)
    )
    personal_data.register_personal_files(
        personal_data.OwnedFiles(label=_("uploads and exports"), paths=_paths, erase=_erase_files)
    )


def _paths() -> Iterator[Path]:
    yield from import_jobs.imports_folder().iterdir()
    yield from export_jobs.exports_folder().iterdir()


def _erase_failures(erasing: personal_data.Erasing) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """delete from file_import_failure f using unnest(%s::text[]) t
            where strpos(lower(f.raw), t) > 0 or strpos(lower(f.problems::text), t) > 0""",
            [personal_data.stored_text_forms(erasing.texts)],
        )
        by_id = [f"(^|[^0-9]){number}([^0-9]|$)" for number in erasing.person_ids]
        cursor.execute(
            """delete from file_import_failure f using file_import i, unnest(%s::text[]) t
            where i.id = f.of_id and i.plan ->> 'lookup_field' = 'id' and f.raw ~ t""",
            [by_id],
        )


def _erase_files(erasing: personal_data.Erasing) -> None:
    """Remove every file that may name one of the people. Exports and uploads can be repeated."""
    texts = [text.encode() for text in erasing.texts]
    for job in Import.objects.exclude(stored_as=""):
        ids = erasing.person_ids if (job.plan or {}).get("lookup_field", "id") == "id" else ()
        if _may_name(import_jobs.imports_folder() / job.stored_as, texts, ids):
            forget_upload(job)
            message = _("The file was removed: it named someone who was erased.")
            Import.objects.filter(pk=job.pk).exclude(state__in=_ENDED).update(
                state=Import.State.CANCELLED, problem=str(message), finished_at=timezone.now()
            )
    for export in Export.objects.filter(state=Export.State.COMPLETED):
        if _may_name(export_jobs.export_path(export), texts, erasing.person_ids):
            forget_export(export)


def _may_name(path: Path, texts: Sequence[bytes], ids: Sequence[int]) -> bool:
    """True where the file may name a person: by a text in any case, or by an id alone. Workbooks always may."""
    numbers = [rb"(?<![0-9])%d(?![0-9])" % number for number in ids]
    pattern = re.compile(b"|".join([*map(re.escape, texts), *numbers])) if texts or numbers else None
    if pattern is None or not path.exists():
        return False
    tail = b""
    try:
        with path.open("rb") as file, open_unzipped(file) as plain:
            while chunk := plain.read(1 << 20):
                if not tail and chunk.startswith(b"PK\x03\x04"):
                    return True
                # other encodings than UTF-8 differ outside ASCII only, or have NULs between
                text = (tail + chunk.replace(b"\0", b"")).lower()
                if pattern.search(text):
                    return True
                tail = text[-1024:]
    except tabular.BadFileError:
        return True
    return False
