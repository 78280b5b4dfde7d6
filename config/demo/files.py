"""The demo's files: people and workshop visits that are imported, with rows to mend, and an export."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from activities.models import ActivityType
from activities.recording.file_rows import FIELD
from config.demo.activities import BRANCHES, SERVICES
from people.core import installation, notifications
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.source import Channel
from people.files import cleanup
from people.files.exports import jobs as export_jobs
from people.files.imports import jobs as import_jobs
from people.files.imports import runner as import_runner
from people.files.imports.plan import ExternalId, ImportPlan
from people.files.models import Export, Import
from people.models import Person

Text = Mapping[str, str]  # by language
PEOPLE_FILE: Text = {"en": "motor-show-visitors.csv", "es": "visitantes-salon-del-motor.csv"}
WORKSHOP_FILE: Text = {"en": "workshop-last-days.csv", "es": "taller-ultimos-dias.csv"}
EXPORT: Text = {"en": "Cars sold", "es": "Coches vendidos"}
# visitors whose rows are refused: the address is none, and a score that is no number
UNREADABLE: Sequence[Mapping[str, str]] = (
    {"first_name": "Marta", "last_name": "Ruiz", "email": "marta.ruiz at fair.example", "lead_source": "Demo"},
    {"first_name": "Kenji", "last_name": "Sato", "email": "kenji@fair.example", "person_score": "high"},
)
VISITS = 24  # workshop visits that are accepted
# those that are refused: kilometres and amounts that are none, for the people with these places
MISTAKES: Sequence[tuple[int, str, str, str]] = (
    (3, "Tyres", "420.00", "48,200 km"),
    (17, "Inspection", "one hundred eighty", "61300"),
    (42, "Brakes", "310.00", "unknown"),
)


def import_people(people: Sequence[Mapping[str, Any]], language: str, by: Any) -> tuple[Import, list[int]]:
    """Import these people from a file, with two rows that are refused; return the import and the people's ids."""
    before = Person.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    names = list(people[0])
    plan = ImportPlan(columns={name: name for name in names}, action="duplicate")
    job = _import(PEOPLE_FILE[language], "people", names, [*people, *UNREADABLE], plan, by)
    emails = [values["email"] for values in people]
    created = Person.objects.filter(pk__gt=before, email__in=emails).order_by("pk")
    return job, list(created.values_list("pk", flat=True))


def import_visits(people: Sequence[int], service: ActivityType, language: str, by: Any) -> Import:
    """Import workshop visits of these people; three rows wait among the rejected activities."""
    emails = dict(Person.objects.filter(pk__in=people).values_list("pk", "email"))
    now = installation.to_local_time(timezone.now())
    rows = []
    works = list(SERVICES)
    accepted = [
        (5 * number + 4, works[number % len(works)], f"{95 + 37 * number}.50", str(9_000 + 4_310 * number))
        for number in range(VISITS)
    ]
    for number, (place, work, amount, kilometres) in enumerate([*accepted, *MISTAKES]):
        rows.append(
            {
                "number": f"demo-workshop-{number}",
                "email": emails[people[place]],
                "when": (now - timedelta(hours=1 + 2 * number)).strftime("%Y-%m-%d %H:%M:%S"),
                "work": work,
                "amount": amount,
                "kilometres": kilometres,
                "branch": BRANCHES[number % len(BRANCHES)],
            }
        )
    columns = {"external_id": "number", "occurred_at": "when", "primary_value": "work"}
    columns |= {FIELD + name: name for name in ("amount", "kilometres", "branch")}
    plan = ImportPlan(
        columns=columns,
        subject=service.api_name,
        person="{email}",
        external_id=ExternalId.COLUMN,
        zone=installation.current_installation().time_zone,
    )
    return _import(WORKSHOP_FILE[language], "activities", list(rows[0]), rows, plan, by)


def export_sales(sale: ActivityType, language: str, by: Any) -> Export:
    """Queue an export of the cars sold."""
    parameters = {"types": [sale.api_name]}
    export = export_jobs.create_export("activities", parameters, by, Channel.ADMIN, title=EXPORT[language])
    export_jobs.enqueue_export(export)
    return export


def remove_files(import_ids: Sequence[int], export_ids: Sequence[int]) -> None:
    """Delete imports and exports with their files and the notices about them."""
    for job in Import.objects.filter(pk__in=import_ids):
        cleanup.forget_upload(job)
        notifications.withdraw_notices("import_done", "admin:people_import_change", job.pk)
        job.delete()
    for export in Export.objects.filter(pk__in=export_ids):
        cleanup.forget_export(export)
        notifications.withdraw_notices("export_done", "admin:people_export_change", export.pk)
        export.delete()


def _import(
    name: str, kind: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], plan: ImportPlan, by: Any
) -> Import:
    job = import_jobs.upload_file(_csv(columns, rows), name, kind, by)
    import_jobs.set_plan(job, plan, by)
    import_jobs.take_step(job, "start", by, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    if job.state != Import.State.COMPLETE:
        raise RejectedError(Problem(Code.BAD_FILE, f"{name}: {job.problem or job.get_state_display()}"))
    return job


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    yield text.getvalue().encode()
