"""The export of one form's submissions: a column for each of its fields."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy

from activities.models import Form, FormSubmission
from activities.rights import VIEW_FORMSUBMISSION
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.files.exports import kinds as export_kinds
from people.files.exports.kinds import ExportColumn, ExportKind, ExportStatement, moment_sql
from people.rights import EXPORT_PERSON, VIEW_PERSON

NAME = "form_submissions"
RIGHTS = (EXPORT_PERSON, VIEW_PERSON, VIEW_FORMSUBMISSION)
_HEAD = (
    ExportColumn("id", "s.id"),
    ExportColumn("person_id", "s.person_id"),
    ExportColumn("state", "s.state"),
    ExportColumn("way", "s.way"),
    ExportColumn("sent_at", moment_sql("s.occurred_at")),
    ExportColumn("received_at", moment_sql("s.received_at")),
    ExportColumn("consent_version", "c.version", True),
    ExportColumn("page", "(s.page ->> 'url')", True),
    ExportColumn("ip_address", "s.ip_address", True),
)


def submissions_statement(parameters: Mapping[str, Any]) -> ExportStatement:
    """The statement of an export. `form`: its id; `state`: one state, without it all but spam."""
    form = _form(parameters.get("form"))
    state = parameters.get("state")
    if state is not None and state not in FormSubmission.State.values:
        raise RejectedError(bad_value(Code.UNKNOWN_WORD, ", ".join(FormSubmission.State.values), state, "state"))
    condition = "s.state = %(state)s" if state else "s.state <> 'spam'"
    source = f"""form_submission s left join form_consent c on c.id = s.consent_id
        where s.form_id = %(form)s and {condition} order by s.id"""
    return ExportStatement([*_HEAD, *_fields(form)], source, {"form": form.pk, "state": state})


def _form(number: Any) -> Form:
    form = Form.objects.filter(pk=number).first() if type(number) is int else None
    if form is None:
        message = _("there is no form “%(id)s”") % {"id": str(number)[:40]}
        raise RejectedError(Problem(Code.NOT_FOUND, message, ("form",)))
    return form


def _fields(form: Form) -> list[ExportColumn]:
    head = {column.name for column in _HEAD}
    names = form.fields.values_list("person_field__api_name", flat=True)
    return [
        ExportColumn(f"field_{name}" if name in head else name, f"""(s."values" ->> '{name}')""", True)
        for name in names
    ]


def submission_choices() -> list[tuple[str, Any, Mapping[str, Any]]]:
    """One choice a form."""
    forms = Form.objects.order_by("name").values_list("pk", "name")[:500]
    return [(str(pk), name, {"form": pk}) for pk, name in forms]


export_kinds.register_export_kind(
    ExportKind(NAME, gettext_lazy("Submissions of a form"), RIGHTS, submissions_statement, choices=submission_choices)
)
