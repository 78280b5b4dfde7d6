"""Responses of the Marketo API: one envelope, the error codes of Marketo's catalogue, always HTTP 200.

Section numbers are those of docs/marketo-contract.md.
"""

import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from django.http import HttpResponse

from people.core.codes import Code
from people.core.errors import Problem, quoted_value
from people.datatypes import exact_json
from people.datatypes.canonical import canonical_text, plain_decimal

CONTENT_TYPE = "application/json;charset=UTF-8"
NO_ASSETS = "No assets found for the given search criteria."


# codes of config.observability.outages as Marketo's (§B); clients retry both
OUTAGES = {
    "timeout": ("604", "Request timed out"),
    "unavailable": ("608", "API Temporarily Unavailable"),
    "disk_full": ("608", "API Temporarily Unavailable: the disk of the database is full"),
}


class MarketoError(Exception):
    """A refusal of the whole request, with one of Marketo's codes (§B)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def missing_parameter(name: str) -> MarketoError:
    return MarketoError("1002", f"Missing value for the required parameter '{name}'")


def invalid_value(value: Any, word: str) -> MarketoError:
    return MarketoError("1001", f"Invalid value '{quoted_value(value)}'. Required of type '{word}'")


def success_reply(result: list[Any] | None = None, **more: Any) -> HttpResponse:
    """Return a reply; members that are None are left out, never sent as null (§A2)."""
    body: dict[str, Any] = {"requestId": _request_id()}
    if result is not None:
        body["result"] = result
    body.update({name: value for name, value in more.items() if value is not None})
    return _reply({**body, "success": True})


def failure_reply(code: str, message: str, *, asset: bool = False) -> HttpResponse:
    """Return an error; the asset API's also has `warnings`."""
    errors = [{"code": code, "message": printable_text(message)}]
    body = {"success": False, "errors": errors, "requestId": _request_id()}
    reply = _reply(body | {"warnings": []} if asset else body)
    reply.marketo_code = code  # type: ignore[attr-defined]  # for the error statistics
    return reply


def malformed_request_reply(problem: Problem, *, asset: bool) -> HttpResponse:
    """The reply to a malformed request; if it is too large, in plain text as the service does (§A5)."""
    if problem.code == Code.TOO_LARGE:
        return HttpResponse("Request Entity Too Large\n", status=413, content_type="text/plain")
    return failure_reply(GENERIC, f"Invalid data: {problem.message}", asset=asset)


def assets_reply(result: list[Any]) -> HttpResponse:
    """Return a reply of the asset API (§A2): an empty one has no `result`, and clients read its warning."""
    body: dict[str, Any] = {"success": True, "errors": [], "requestId": _request_id(), "warnings": []}
    return _reply(body | {"result": result} if result else body | {"warnings": [NO_ASSETS]})


def _reply(body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(exact_json.dump_exact_json(body, _exact_json_value), content_type=CONTENT_TYPE)


def _exact_json_value(value: Any) -> Any:
    """Return an amount as a JSON number with all its digits, a date as its text."""
    if isinstance(value, Decimal):
        return orjson.Fragment(plain_decimal(value))
    return canonical_text(value)


def _request_id() -> str:
    """Return random hex and the time of the reply in milliseconds, as Marketo's service does (§A2)."""
    return f"{secrets.randbelow(16**5):x}#{int(time.time() * 1000):x}"


def printable_text(text: str) -> str:
    """Return `text` without lone surrogates, which JSON in UTF-8 cannot contain."""
    return text.encode("utf-8", "replace").decode()


def utc_timestamp(moment: datetime) -> str:
    """§A4: return UTC with whole seconds; clients parse exactly this format."""
    return f"{moment.astimezone(UTC).isoformat(timespec='seconds')[:-6]}Z"  # strftime takes three times as long


def asset_timestamp(moment: datetime) -> str:
    """§A4: return the asset API's format, with both markers of the zone."""
    return f"{utc_timestamp(moment)}+0000"


TYPE_WORDS = {
    "string": "String",
    "text": "Text",
    "email": "Email",
    "phone": "Phone",
    "link": "Link",
    "boolean": "Boolean",
    "integer": "Integer",
    "float": "Float",
    "currency": "Currency",
    "date": "Date",
    "datetime": "DateTime",
    "score": "Score",
    "percent": "Percent",
}
# member of a row in the product: in Marketo
MEMBERS = {
    "person": "leadId",
    "activity_type": "activityTypeId",
    "occurred_at": "activityDate",
    "primary_value": "primaryAttributeValue",
    "external_id": "externalId",
}
# [I] §2.6: the codes are documented, their use for these problems is not
ROW_CODES: Mapping[str, str] = {
    Code.UNKNOWN_PERSON: "1004",
    Code.MISSING_VALUE: "1002",
    Code.WRONG_TYPE: "1001",
    Code.OUT_OF_RANGE: "1001",
    Code.UNKNOWN_FIELD: "1006",
    Code.TOO_LARGE: "1049",
    Code.PERSON_EXISTS: "1005",
    Code.AMBIGUOUS_PERSON: "1007",
    Code.UNEXPECTED_ID: "1003",
    Code.READ_ONLY_FIELD: "1003",
    Code.VALUE_TAKEN: "1003",
    Code.API_NAME_TAKEN: "1017",
    Code.NAME_TAKEN: "1017",
}
GENERIC = "1003"
FIXED_MESSAGES: Mapping[str, str] = {
    Code.UNKNOWN_PERSON: "Lead not found",
    Code.PERSON_EXISTS: "Lead already exists",
    Code.AMBIGUOUS_PERSON: "Multiple lead match lookup criteria",
    Code.TOO_LARGE: "Failed to create activity: attributes array longer than 65,536 bytes",
}


def row_errors(
    problems: Iterable[Problem],
    names: Mapping[str, str] | None = None,
    *,
    of_lead: bool = False,
    reasons: Mapping[str, tuple[str, str]] | None = None,
) -> list[dict[str, str]]:
    """Return the problems of one row with Marketo's codes and messages; `names` maps field names to Marketo's.

    An invalid value of a lead's field is 1003 with the field's name; elsewhere it is 1001 with the type only.
    `reasons` are codes and messages that the resource has for problems, by their codes, before those of all rows.
    """
    return [_row_error(problem, names or {}, of_lead, reasons or {}) for problem in problems]


def _row_error(
    problem: Problem, names: Mapping[str, str], of_lead: bool, reasons: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    if problem.code in reasons:
        code, message = reasons[problem.code]
        return {"code": code, "message": message}
    field_name = str(problem.path[-1]) if problem.path else ""
    name = MEMBERS.get(field_name) or names.get(field_name, field_name)
    code = ROW_CODES.get(problem.code, GENERIC)
    if problem.code in FIXED_MESSAGES:
        message = FIXED_MESSAGES[problem.code]
    elif code == "1001" and of_lead:
        code = GENERIC
        message = f"Invalid value '{problem.got}' for field '{name}': {problem.expected} expected"
    elif code == "1002":
        message = f"Missing value for the required parameter '{name}'"
    elif code == "1001":
        message = (
            f"Invalid value '{problem.got}'. Required of type '{TYPE_WORDS.get(problem.data_type, problem.expected)}'"
        )
    elif code == "1006":
        message = f"Field '{name}' not found"
    else:
        message = f"Invalid data for '{name}': {problem.message}" if name else f"Invalid data: {problem.message}"
    return {"code": code, "message": printable_text(message)}
