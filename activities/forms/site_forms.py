"""The forms of a web site that its script reads, and of each the fields that it reads: an allow-list.

What the script sends comes through the collector, as Fill Out Form and as evidence of who the visitor is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from activities.forms.fields import MAX_FIELDS, fillable_fields
from activities.models import EventSource, SiteForm
from activities.sources.editing import CHANGE
from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value, refuse_if
from people.core.permissions import require_permission

MAX_FORMS, MAX_NAME = 50, 255


@transaction.atomic
def save_site_forms(website: EventSource, forms: Sequence[Mapping[str, Any]], by: Any) -> list[SiteForm]:
    """Replace the list. Each entry has `name`, the id or name of the HTML form, and `fields`: names of its fields
    with the API names of person fields. Raises `RejectedError` with every problem."""
    require_permission(by, CHANGE)
    locked = EventSource.objects.select_for_update().filter(pk=website.pk).first()
    if locked is None or not locked.is_browser:
        raise RejectedError(Problem(Code.WRONG_KIND, _("Only a web site has forms.")))
    refuse_if(_problems(forms))
    before = {row.name: row.fields for row in locked.site_forms.all()}
    after = {entry["name"].strip(): dict(entry["fields"]) for entry in forms}
    if before != after:
        locked.site_forms.all().delete()
        SiteForm.objects.bulk_create(
            SiteForm(website=locked, name=name, fields=fields) for name, fields in after.items()
        )
        audit.write_audit_entry(by, locked, "changed", what="forms")
    return list(locked.site_forms.all())


def _problems(forms: Sequence[Mapping[str, Any]]) -> list[Problem]:
    problems = []
    if len(forms) > MAX_FORMS:
        return [Problem(Code.TOO_MANY, _("A web site has at most %(count)s forms.") % {"count": MAX_FORMS}, ("forms",))]
    fillable, seen = fillable_fields(), set()
    for place, entry in enumerate(forms):
        name = entry.get("name")
        if not _is_line(name):
            expected = _("the id or the name of the form in its HTML")
            problems.append(bad_value(Code.MISSING_VALUE, expected, name, "forms", place))
        elif str(name).strip() in seen:
            problems.append(Problem(Code.GIVEN_TWICE, _("The form is in the list already."), ("forms", place)))
        seen.add(str(name).strip())
        fields = entry.get("fields")
        if not isinstance(fields, Mapping) or not 0 < len(fields) <= MAX_FIELDS:
            problems.append(bad_value(Code.MISSING_VALUE, _("from 1 to 40 fields"), fields, "forms", place))
            continue
        for html_name, api_name in fields.items():
            if not _is_line(html_name):
                problems.append(
                    bad_value(Code.WRONG_TYPE, _("the name of a field in its HTML"), html_name, "forms", place)
                )
            elif api_name not in fillable:
                message = _("A person field that forms may fill: no opt-out, score or unique field.")
                problems.append(bad_value(Code.UNKNOWN_FIELD, message, api_name, "forms", place))
    return problems


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= MAX_NAME and value.isprintable()
