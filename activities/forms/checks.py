"""Checks of a form before it is saved; each yields the problems that it has."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from activities.forms.fields import MAX_FIELDS, fillable_fields
from activities.forms.hosts import is_allowed_address
from activities.models import Form
from people.core.codes import Code
from people.core.errors import Problem, bad_value

LINES = {"title": 255, "button": 80, "event": 255, "session": 255}
TEXTS = {"intro": 5_000, "thanks": 5_000}
MAX_CONSENT = 10_000
MAX_VERSION, MAX_PURPOSE, MAX_LABEL = 50, 255, 255
MAX_PEOPLE_AN_HOUR = 100_000


def check_values(form: Form, changed: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of the form's own values; addresses and web sites only where they are given now."""
    for name, limit in {**LINES, **TEXTS}.items():
        yield from _text_problems(form, name, limit)
    if form.known_people not in Form.KnownPeople.values:
        yield bad_value(Code.UNKNOWN_WORD, ", ".join(Form.KnownPeople.values), form.known_people, "known_people")
    if form.language and form.language not in dict(settings.LANGUAGES):
        yield bad_value(Code.UNKNOWN_WORD, ", ".join(dict(settings.LANGUAGES)), form.language, "language")
    number = form.people_an_hour
    if type(number) is not int or not 0 <= number <= MAX_PEOPLE_AN_HOUR:
        expected = _("a whole number from %(smallest)s to %(largest)s") % {"smallest": 0, "largest": MAX_PEOPLE_AN_HOUR}
        yield bad_value(Code.WRONG_TYPE, expected, number, "people_an_hour")
    if type(form.is_consent_required) is not bool:
        yield bad_value(Code.WRONG_TYPE, _("true or false"), form.is_consent_required, "is_consent_required")
    if form.website is not None and not form.website.is_browser:
        yield Problem(Code.WRONG_KIND, _("Only a web site has visitors who fill in forms."), ("website",))
    if form.next_url and "next_url" in changed and not is_allowed_address(form.next_url):
        message = _("Forms lead only to pages of your own web sites: add the site as an event source first.")
        yield Problem(Code.ORIGIN_REFUSED, message, ("next_url",), "", str(form.next_url)[:80])


def _text_problems(form: Form, name: str, limit: int) -> Iterator[Problem]:
    value = getattr(form, name)
    if not isinstance(value, str) or "\0" in value:
        yield bad_value(Code.WRONG_TYPE, _("text"), value, name)
        return
    text = value.strip()
    setattr(form, name, text)
    if len(text) > limit:
        yield bad_value(Code.TOO_LONG, _("at most %(count)s characters") % {"count": limit}, text, name)
    elif name in LINES and not text.isprintable():
        yield bad_value(Code.WRONG_TYPE, _("text on one line"), text, name)


def check_fields(fields: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """Problems of the list of fields: unknown, not for forms, given twice, too many."""
    if len(fields) > MAX_FIELDS:
        yield Problem(
            Code.TOO_MANY_FIELDS, _("A form has at most %(count)s fields.") % {"count": MAX_FIELDS}, ("fields",)
        )
        return
    fillable, seen = fillable_fields(), set()
    for place, entry in enumerate(fields):
        name, label = entry.get("field"), entry.get("label") or ""
        if not isinstance(name, str) or name not in fillable:
            message = _("A person field that forms may fill: no opt-out, score or unique field.")
            yield bad_value(Code.UNKNOWN_FIELD, message, name, "fields", place)
        elif name in seen:
            yield Problem(Code.GIVEN_TWICE, _("The field is in the form already."), ("fields", place), "", name)
        seen.add(name)
        if not isinstance(label, str) or len(label) > MAX_LABEL or not label.isprintable():
            expected = _("text on one line, at most 255 characters")
            yield bad_value(Code.WRONG_TYPE, expected, label, "fields", place)


def check_consent(form: Form, consent: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of a consent text; a version that exists keeps its text and purpose."""
    limits = {"text": MAX_CONSENT, "purpose": MAX_PURPOSE, "version": MAX_VERSION}
    missing = {
        "text": _("Write what people agree to."),
        "purpose": _("Name what the consent is for, such as email."),
        "version": _("Give the text a version, such as 1 or 2026-11."),
    }
    values = {part: consent.get(part) for part in limits}
    is_complete = True
    for part, value in values.items():
        if not isinstance(value, str) or not value.strip():
            yield Problem(Code.MISSING_VALUE, missing[part], ("consent", part))
        elif len(value.strip()) > limits[part] or "\0" in value or (part != "text" and not value.strip().isprintable()):
            expected = _("at most %(count)s characters") % {"count": limits[part]}
            yield bad_value(Code.TOO_LONG, expected, value, "consent", part)
        else:
            continue
        is_complete = False
    if not is_complete or form.pk is None:
        return
    texts = {part: str(value).strip() for part, value in values.items()}
    former = form.consents.filter(version=texts["version"]).first()
    if former is not None and (former.text, former.purpose) != (texts["text"], texts["purpose"]):
        message = _(
            "Version %(version)s has another text or purpose, which people may have agreed to. Name a new version."
        )
        yield Problem(Code.LOCKED_API_NAME, message % {"version": former.version}, ("consent", "version"))
