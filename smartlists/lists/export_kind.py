"""Export of a smart list's members: those of the current evaluation, in batches with constant memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy

from people.core.codes import Code
from people.core.disk import WritableFile
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.files.exports import jobs as export_jobs
from people.files.exports import kinds as export_kinds
from people.persons import export_kind as person_export_kind
from people.rights import EXPORT_PERSON
from smartlists.evaluation import stored as stored_evaluations
from smartlists.models import SmartList, StoredEvaluation
from smartlists.rights import VIEW_SMARTLIST

PIECE = 50_000  # people per statement


def write_members(
    stored: StoredEvaluation,
    out: WritableFile,
    names: Sequence[str] | None = None,
    format: str = "csv",
    *,
    excel_safe: bool = False,
) -> int:
    """Write the members of an evaluation who still exist to `out`; return how many.

    `names`: the API names of person fields, None for all visible fields. Raises `RejectedError` (`unknown_field`).
    """
    members = stored.person_ids
    rows = 0
    for start in range(0, max(1, len(members)), PIECE):
        statement = person_export_kind.chosen_people_statement(list(members[start : start + PIECE]), names)
        has_heading = start > 0 and format != "ndjson"
        rows += export_jobs.write_export(
            statement, format, _WithoutHeading(out) if has_heading else out, excel_safe=excel_safe
        )
    return rows


class _WithoutHeading:
    """A file wrapper that drops the first line."""

    def __init__(self, out: WritableFile) -> None:
        self.out = out
        self.is_past = False

    def write(self, data: bytes) -> int:
        if self.is_past:
            return self.out.write(data)
        _heading, line_end, remaining = bytes(data).partition(b"\n")
        self.is_past = bool(line_end)
        return self.out.write(remaining) if remaining else 0


def members_statement(parameters: Mapping[str, Any]) -> export_kinds.ExportStatement:
    """The export statement. `smart_list`: the id of the list; `fields`: API names of person fields."""
    smart_list = SmartList.objects.filter(pk=parameters.get("smart_list", 0)).first()
    if smart_list is None:
        message = _("There is no smart list %(id)s.") % {"id": parameters.get("smart_list")}
        raise RejectedError(Problem(Code.UNKNOWN_LIST, message, ("smart_list",)))
    members = stored_evaluations.current_or_new_evaluation(smart_list, None).person_ids
    return person_export_kind.chosen_people_statement(list(members), parameters.get("fields"))


RIGHTS = (EXPORT_PERSON, VIEW_SMARTLIST)
export_kinds.register_export_kind(
    export_kinds.ExportKind("smart_list", gettext_lazy("Members of a smart list"), RIGHTS, members_statement)
)
