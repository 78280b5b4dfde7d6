from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from people.core.errors import RejectedError
from people.files.imports import undoing
from people.files.models import Import
from people.persons import import_undo

SHOWN_CHANGES = 20


class Command(BaseCommand):
    help = (
        "Take an import back: every activity that it recorded is removed, each with a removal entry, and its external "
        "ids are free, so that the corrected file can be imported; people whom it created and nothing else has touched "
        "since are deleted, and can be restored. Values that it changed of other people stay. Records of objects that "
        "it created are deleted, others get their former values back, unless they changed since. Safe to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("import_id", type=int, help="the number in the address of the import's page")
        parser.add_argument("--reason", required=True, help="kept in the log of edits")
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        job = Import.objects.filter(pk=options["import_id"]).first()
        if job is None:
            raise CommandError(f"There is no import {options['import_id']}.")
        try:
            preview = import_undo.preview_import_undo(job, None)
            if not options["dry_run"]:
                import_undo.request_import_undo(job, options["reason"], None, queue=False)
                import_undo.run_import_undo(job.pk)
                job.refresh_from_db()
        except RejectedError as error:
            raise CommandError(str(error)) from None
        if import_undo.has_failed(job) or job.wish == Import.Wish.UNDO:
            raise CommandError(f"Import {job.pk} was not taken back whole. {job.fault}")
        undo = job.undo if not options["dry_run"] else None
        if undo:
            activities, people, kept_counts = undo["activities"], undo["people"], undo["kept"]
        else:
            activities, people, kept_counts = preview.activities, preview.people, preview.kept
        for reason, number in import_undo.kept_reasons(kept_counts):
            self.stderr.write(f"{number:,} people stay whom it created: {reason}")
        self._show_changes(preview)
        self._show_records(job, undo, preview)
        prefix = "Dry run, nothing was removed: " if options["dry_run"] else ""
        self.stdout.write(
            f"{prefix}{activities:,} activities and {people:,} people of import {job.pk} ({job.name}) removed."
        )

    def _show_records(self, job: Import, undo: dict[str, Any] | None, preview: import_undo.ImportUndoPreview) -> None:
        """Write the numbers of object records that are deleted, restored or kept, with the reasons."""
        shown = preview.records
        deleted, put_back = (undo["records"], undo["records_put_back"]) if undo else (shown.deleted, shown.put_back)
        for reason, number in undoing.reason_counts(undo["records_kept"] if undo else shown.kept):
            self.stderr.write(f"{number:,} records stay as they are: {reason}")
        if deleted or put_back:
            self.stdout.write(f"{deleted:,} records deleted, {put_back:,} with their former values again.")

    def _show_changes(self, preview: import_undo.ImportUndoPreview) -> None:
        if preview.changed:
            self.stderr.write(f"{preview.changed:,} values of existing people were changed and stay:")
        for change in preview.changes[:SHOWN_CHANGES]:
            self.stderr.write(f"person {change.person_id}, {change.field}: '{change.old}' -> '{change.new}'")
