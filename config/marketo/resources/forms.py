"""Submitting a form over the Marketo API (leads/submitForm.json)."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse

from activities.forms import moderation
from activities.forms.addresses import storable_address
from activities.forms.fields import form_inputs
from activities.forms.reading import Reading, read_form
from activities.forms.submitting import SUBMIT_RIGHTS, Sender, Way
from activities.forms.submitting import submit_form as submit
from activities.models import Form, FormSubmission, Visitor
from activities.tracking.addresses import kept_ip_address
from activities.tracking.agents import parse_agent
from activities.visitors import cookies
from config.marketo.resources.lead_names import LeadNames
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import MarketoError, missing_parameter, row_errors, success_reply
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, quoted_value
from people.datatypes.keys import MAX_ID

RECORDED = FormSubmission.State.RECORDED


def submit_form(call: Call) -> HttpResponse:
    """§3: one submission: the lead with the email address is created or updated, and Fill Out Form recorded.

    [I] §3: the codes for an unknown form (1013), more than one row (1003) and a field that the form does not have
    (1006, of the row) are not documented.
    """
    for right in SUBMIT_RIGHTS:
        call.require(right)
    rows = call.parameters.rows("leads")
    form = _form(call.parameters.json.get("formId"))
    if len(rows) != 1:
        raise MarketoError("1003", "Invalid data: exactly one record per call")
    row = rows[0] if isinstance(rows[0], dict) else {}
    names = LeadNames()
    fields = row.get("leadFormFields")
    if not isinstance(fields, Mapping) or not fields:
        raise missing_parameter("leadFormFields")
    inputs = form_inputs(form)
    input_names = {names.rest_names.get(entry.name, entry.name): entry.name for entry in inputs}
    unknown = [Problem(Code.UNKNOWN_FIELD, "", (str(name)[:80],)) for name in fields if name not in input_names]
    if unknown:
        return success_reply([_skipped(unknown, names)])
    values = {input_names[name]: _text(value) for name, value in fields.items()}
    reading = read_form(form, inputs, values)
    reading.spam = ""  # a program with a token sends what it means
    return success_reply([_result(form, reading, _sender(call, row), names)])


def _form(number: Any) -> Form:
    if number is None:
        raise missing_parameter("formId")
    text = str(number)[:20]
    pk = int(text) if text.isascii() and text.isdigit() else 0
    form = Form.objects.select_related("consent", "website").filter(pk=min(pk, MAX_ID), is_archived=False).first()
    if form is None:
        raise MarketoError("1013", f"Form '{quoted_value(number)}' not found")
    return form


def _text(value: Any) -> Any:
    """A value of JSON as the form's field reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted_value(value, 300) if isinstance(value, int | float) else value


def _sender(call: Call, row: Mapping[str, Any]) -> Sender:
    """The sender in the client's `visitorData`, with the visitor of its cookie. Raises 1012 for a bad cookie."""
    visitor_data = row.get("visitorData")
    data = (
        {name: value for name, value in visitor_data.items() if isinstance(value, str)}
        if isinstance(visitor_data, dict)
        else {}
    )
    page = data.get("pageURL", "")
    query = data.get("queryString", "").lstrip("?")
    agent = data.get("userAgentString", "")
    return Sender(
        Way.API,
        parse_agent(agent) if agent else None,
        kept_ip_address(data.get("leadClientIpAddress", "")),
        storable_address(f"{page}?{query}" if query and "?" not in page else page, call.request.get_host()),
        visitor_id=_visitor(row.get("cookie")),
        user_id=call.user.pk,
    )


def _visitor(value: Any) -> int | None:
    if value in (None, ""):
        return None
    cookie = cookies.parse_cookie(value) if isinstance(value, str) else None
    if cookie is None:
        raise MarketoError("1012", f"Invalid cookie value '{quoted_value(value)}'")
    visitor = cookies.visitor_of_cookie(cookie)
    return visitor.pk if visitor is not None and visitor.state != Visitor.State.BURNT else None


def _result(form: Form, reading: Reading, sender: Sender, names: LeadNames) -> dict[str, Any]:
    try:
        outcome = submit(form, reading, sender)
    except RejectedError as refusal:
        return _skipped(list(refusal.problems), names)
    submission = outcome.submission
    if submission.state != RECORDED:
        return _skipped([Problem(submission.reason, moderation.reason_words(submission))], names)
    is_new = submission.has_created_person and not outcome.is_repeat
    return {"id": submission.person_id, "status": "created" if is_new else "updated"}


def _skipped(problems: list[Problem], names: LeadNames) -> dict[str, Any]:
    return {"status": "skipped", "reasons": row_errors(problems, names.rest_names, of_lead=True)}
