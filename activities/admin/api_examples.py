"""Ready-to-run requests for one type, and the verdict of recording on a payload."""

import json
from dataclasses import dataclass
from typing import Any

from django.db import DataError
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.models import ActivityVersion
from activities.recording import parsing, recorder, schema
from people.core.admin.base import json_fault
from people.core.codes import Code
from people.core.errors import Problem, located_message
from people.core.source import Channel, Source
from people.datatypes.canonical import ExactDecoder
from people.datatypes.registry import BY_NAME

LONGEST = 100_000  # characters of a payload
SHOWN = 20  # attributes of an example


@dataclass(frozen=True, slots=True)
class RequestExamples:
    token: str
    curl: str
    native: str
    python: str
    payload: str


@dataclass(frozen=True, slots=True)
class PayloadVerdict:
    """The result of checking a payload: recordable or not, and the problems."""

    is_good: bool
    problems: list[str]


_TOKEN = """export TOKEN=$(curl -s '{host}/identity/oauth/token?grant_type=client_credentials\
&client_id='$CLIENT_ID'&client_secret='$CLIENT_SECRET \\
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')"""
_CURL = """curl -s '{host}{path}' \\
  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
  --data-binary @- <<'JSON'
{body}
JSON"""
_PYTHON = """import json, os, urllib.request

activity = {activity}
request = urllib.request.Request(
    "{host}/rest/v1/activities/external.json",
    data=json.dumps({{"input": [activity]}}).encode(),
    headers={{"Authorization": f"Bearer {{os.environ['TOKEN']}}", "Content-Type": "application/json"}},
)
print(json.load(urllib.request.urlopen(request)))"""


def request_examples(version: ActivityVersion, person_id: int, host: str) -> RequestExamples:
    """Examples with this type's id and fields, for the person, against `host` (no slash at the end)."""
    fields = list(version.fields.all())
    primary = next((field for field in fields if field.is_primary), None)
    secondary = [field for field in fields if not field.is_primary][:SHOWN]
    moment = timezone.now().replace(microsecond=0).isoformat().replace("+00:00", "Z")
    primary_value = _value(primary.data_type) if primary else None
    attributes = {field.api_name: _value(field.data_type) for field in secondary}
    marketo_row = _lines(
        {
            "leadId": person_id,
            "activityTypeId": version.activity_type_id,
            "activityDate": moment,
            "primaryAttributeValue": primary_value,
            "attributes": [{"apiName": name, "value": value} for name, value in attributes.items()],
        }
    )
    payload = {
        "activity_type": version.activity_type.api_name,
        "person": person_id,
        "occurred_at": moment,
        "primary_value": primary_value,
        "attributes": attributes,
    }
    native_body = json.dumps(payload, indent=2, ensure_ascii=False)
    return RequestExamples(
        token=_TOKEN.format(host=host),
        curl=_CURL.format(host=host, path="/rest/v1/activities/external.json", body=f'{{"input": [{marketo_row}]}}'),
        native=_CURL.format(host=host, path="/api/v1/activities", body=native_body),
        python=_PYTHON.format(host=host, activity=_python(marketo_row)),
        payload=native_body,
    )


def payload_verdict(version: ActivityVersion, text: str, by: Any) -> PayloadVerdict:
    """Check the payload as recording would, without storing it. A draft's values are checked against the draft."""
    try:
        payload = json.loads(text[:LONGEST], cls=ExactDecoder)
    except (ValueError, RecursionError) as error:
        return PayloadVerdict(False, [json_fault(error)])
    if not isinstance(payload, dict) or not isinstance(payload.get("attributes") or {}, dict):
        return PayloadVerdict(
            False, [_("Expected a JSON object with “person”, “occurred_at”, “primary_value”, “attributes”.")]
        )
    attributes = list((payload.get("attributes") or {}).items())
    problems: list[Problem] = []
    try:
        problems += (
            _recording_problems(version, payload, by)
            if version.activity_type.is_recordable
            else schema.Schema(version).check(payload.get("primary_value"), attributes).problems
        )
    except DataError:  # a value that no column can store
        problems.append(Problem(Code.WRONG_TYPE, _("A value cannot be stored.")))
    return PayloadVerdict(not problems, [located_message(problem) for problem in problems])


def _recording_problems(version: ActivityVersion, payload: dict[str, Any], by: Any) -> list[Problem]:
    """The problems that the native API would report; an activity without a type gets this type."""
    row = parsing.ActivityParser(by).translate({"activity_type": version.activity_type.api_name, **payload})
    if isinstance(row, list):
        return row
    (outcome,) = recorder.record_activities([row], Source(Channel.ADMIN, by.pk), dry_run=True)
    return list(outcome.problems)


def _value(data_type: str) -> Any:
    """The example of a data type as a JSON value."""
    kind = BY_NAME[data_type]
    if kind.is_number or data_type == "boolean":
        return json.loads(kind.example)
    return kind.example


def _lines(value: dict[str, Any]) -> str:
    """JSON of an object, one name on each line; entries of a list, too, have their own lines."""
    lines = []
    for name, item in value.items():
        text = json.dumps(item, ensure_ascii=False)
        if isinstance(item, list) and item:
            entries = ",\n".join(f"    {json.dumps(entry, ensure_ascii=False)}" for entry in item)
            text = f"[\n{entries}\n  ]"
        lines.append(f'  "{name}": {text}')
    return "{\n" + ",\n".join(lines) + "\n}"


def _python(text: str) -> str:
    """The same object as Python source."""
    return text.replace(": true", ": True").replace(": false", ": False").replace(": null", ": None")
