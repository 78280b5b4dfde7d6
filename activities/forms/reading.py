"""Reads what a visitor sent with a form: values by the fields of the form, and the text that they agreed to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from activities.forms.fields import EMAIL, MAX_VALUE, FormInput
from activities.models import Form, FormConsent
from activities.visitors.blocked_identifiers import is_blocked
from people.core import installation
from people.core.codes import Code
from people.core.errors import Problem, bad_value
from people.core.messages import sentence as _
from people.datatypes.parsing import BadValueError, is_blank

HONEYPOT = "homepage_2"  # shown to no visitor: only programs fill it in
CONSENT = "_consent"  # the version of the consent text that was agreed to
MAX_LINKS = 2  # in all values together, besides fields that are links; more are spam
# after a change visitors may still have read the old text: pages stay open, kiosks until their next visitor
SHOWN_FOR = timedelta(hours=24)
_LINKS = ("http://", "https://", "[url")


@dataclass(slots=True)
class Reading:
    """The values of one form as they were sent, and what is wrong with them, by field."""

    values: dict[str, str]
    problems: list[Problem] = field(default_factory=list)
    consent: FormConsent | None = None
    spam: str = ""

    def errors(self) -> dict[str, str]:
        """The first sentence about each field; under "" what is about no field."""
        errors: dict[str, str] = {}
        for problem in self.problems:
            text = str(problem.message)
            if problem.expected:
                text = _("Please enter %(expected)s.") % {"expected": problem.expected}
            errors.setdefault(str(problem.path[0]) if problem.path else "", text[:1].upper() + text[1:])
        return errors


def read_form(
    form: Form, inputs: Sequence[FormInput], raw: Mapping[str, Any], filled_in_at: datetime | None = None
) -> Reading:
    """Read the values of the form's own fields, as text; whatever else was sent is left out.

    `filled_in_at` (now): what the consent text has to be of, the present one then or one that was shown lately.
    """
    reading = Reading({})
    for entry in inputs:
        value = _storable(raw.get(entry.name))
        if is_blank(value):
            if entry.is_required:
                reading.problems.append(Problem(Code.MISSING_VALUE, _("Please fill this in."), (entry.name,)))
            continue
        reading.values[entry.name] = value
        if problem := _problem(entry, value):
            reading.problems.append(problem)
    _read_consent(form, raw, reading, filled_in_at or timezone.now())
    reading.spam = _spam(inputs, raw, reading.values)
    return reading


def _storable(value: Any) -> str:
    """Text as the database takes it, cut where no field could hold it; nothing for what is no text."""
    if not isinstance(value, str):
        return ""
    text = value[: MAX_VALUE + 1].replace("\0", "").replace("\r\n", "\n")
    return text.encode("utf-8", "replace").decode().strip()


def _problem(entry: FormInput, value: str) -> Problem | None:
    if len(value) > MAX_VALUE:
        expected = _("text of at most %(count)s characters") % {"count": MAX_VALUE}
        return bad_value(Code.TOO_LONG, expected, value, entry.name)
    try:
        entry.info.data_type.parse(value, installation.installation_zone())
    except BadValueError as error:
        data_type = entry.info.data_type.name
        return bad_value(error.code, error.expected, value, entry.name, data_type=data_type)
    if entry.name == EMAIL and is_blocked(value):
        return bad_value(Code.BLOCKED_IDENTIFIER, _("an email address of one person"), value, entry.name)
    return None


def _read_consent(form: Form, raw: Mapping[str, Any], reading: Reading, at: datetime) -> None:
    """Set `reading.consent` to the version agreed to; an unknown or withdrawn one is no consent but a problem."""
    version = raw.get(CONSENT)
    if isinstance(version, str) and version.strip():
        consent = form.consents.filter(version=_storable(version)[:50]).first()
        if consent is not None and _was_shown(form, consent, at):
            reading.consent = consent
        else:
            message = _("This page is out of date. Load it again to see the present text.")
            reading.problems.append(Problem(Code.UNKNOWN_VERSION, message, (CONSENT,)))
    elif form.is_consent_required and form.consent_id is not None:
        reading.problems.append(Problem(Code.MISSING_VALUE, _("This can only be sent with your consent."), (CONSENT,)))


def _was_shown(form: Form, consent: FormConsent, at: datetime) -> bool:
    """True for the present text, and for one that ended less than SHOWN_FOR before `at`."""
    if consent.pk == form.consent_id:
        return True
    # the version before this one notes no end: then it is when the present text came
    ended_at = consent.withdrawn_at or (form.consent.created_at if form.consent is not None else None)
    return ended_at is not None and at < ended_at + SHOWN_FOR


def _spam(inputs: Sequence[FormInput], raw: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """The reason why this is spam; empty where nothing speaks for it."""
    if not is_blank(raw.get(HONEYPOT)):
        return "honeypot"
    links = {entry.name for entry in inputs if entry.kind == "url"}
    texts = [value.lower() for name, value in values.items() if name not in links]
    if sum(text.count(link) for text in texts for link in _LINKS) > MAX_LINKS:
        return "links"
    return ""
