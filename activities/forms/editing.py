"""Creates, changes, archives and deletes forms.

Every verb takes the acting user (None: an operator's command), checks the right itself, runs in one transaction and
writes one audit entry.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.forms import checks, kiosk_links
from activities.forms.fields import EMAIL
from activities.models import Form, FormConsent, FormField
from activities.rights import ADD_FORM, CHANGE_FORM, DELETE_FORM, VIEW_FORM
from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, refuse_if, refuse_if_changed
from people.core.permissions import require_permission
from people.datatypes import naming
from people.definitions.switches import Switch
from people.models import PersonField

audit.register_actions(
    {
        "form_archived": (2, gettext_lazy("Archived")),
        "form_reopened": (2, gettext_lazy("Opened again")),
        "kiosk_link_renewed": (2, gettext_lazy("Made a new kiosk link")),
    }
)

VIEW = VIEW_FORM
ADD, CHANGE, DELETE = ADD_FORM, CHANGE_FORM, DELETE_FORM
UNCHANGED: Any = object()
FIELDS = (
    "title",
    "intro",
    "button",
    "thanks",
    "next_url",
    "language",
    "website",
    "known_people",
    "people_an_hour",
    "is_consent_required",
    "event",
    "session",
)


@transaction.atomic
def create_form(
    name: Any,
    by: Any,
    *,
    fields: Sequence[Mapping[str, Any]] = (),
    consent: Mapping[str, Any] | None = None,
    notified: Iterable[Any] = (),
    **values: Any,
) -> Form:
    """Create a form. `fields`: mappings with `field` (API name), `label`, `is_required`, in order; the email address
    is added in front if it is missing. `consent`: a mapping with `purpose`, `text`, `version`. `notified`: users.

    Raises `RejectedError` with every problem, `NotAllowedError` without the right.
    """
    require_permission(by, ADD)
    form = Form(name=naming.parse_name(name), created_by=by)
    kiosk_links.set_kiosk_link(form)
    _set(form, values, fields, consent)
    _save(form)
    _write_fields(form, fields)
    _write_consent(form, consent)
    form.notified.set(notified)
    audit.write_audit_entry(by, form, "created")
    return form


@transaction.atomic
def change_form(
    form: Form,
    by: Any,
    *,
    expected_revision: int | None = None,
    name: Any = None,
    fields: Sequence[Mapping[str, Any]] | None = None,
    consent: Any = UNCHANGED,
    notified: Iterable[Any] | None = None,
    **values: Any,
) -> Form:
    """Change a form; what is not given stays. A changed consent text needs another version: people agreed to the old
    one. Raises as `create_form`, and `ConflictError`."""
    require_permission(by, CHANGE)
    changed = _lock(form)
    message = _("Someone else changed the form in the meantime. Look at it again before you save.")
    refuse_if_changed(expected_revision, changed.revision, message)
    before = _described(changed)
    if name is not None:
        changed.name = naming.parse_name(name)
    _set(changed, values, fields, None if consent is UNCHANGED else consent)
    if fields is not None:
        _write_fields(changed, fields)
    if consent is not UNCHANGED:
        _write_consent(changed, consent)
    if notified is not None:
        changed.notified.set(notified)
    after = _described(changed)
    names = sorted(part for part, value in after.items() if before[part] != value)
    if names:
        changed.revision += 1
        _save(changed)
        audit.write_audit_entry(by, changed, "changed", what=", ".join(names))
    return changed


def needs_confirmation(form: Form | None, values: Mapping[str, Any]) -> bool:
    """True if these new values of a form (None: a new one) let strangers do more, or lead them elsewhere.

    A session must be confirmed for that: other fields, another web site, page afterwards or consent, replaced values,
    and more new people.
    """
    present = form or Form()
    if any(name in values and values[name] != getattr(present, name) for name in ("website", "next_url")):
        return True
    if values.get("known_people", present.known_people) != present.known_people == Form.KnownPeople.BLANKS:
        return True
    if values.get("people_an_hour", 0) > present.people_an_hour:
        return True
    return form is not None and (_changes_consent(form, values) or _adds_fields(form, values))


def _changes_consent(form: Form, values: Mapping[str, Any]) -> bool:
    consent, present = values.get("consent", UNCHANGED), form.consent
    if consent is UNCHANGED or consent is None:
        return False
    return present is None or any(
        consent.get(part) != getattr(present, part) for part in ("purpose", "text", "version")
    )


def _adds_fields(form: Form, values: Mapping[str, Any]) -> bool:
    names = {entry.get("field") for entry in values.get("fields") or ()}
    return not names <= {EMAIL, *form.fields.values_list("person_field__api_name", flat=True)}


def archive_form(form: Form, by: Any) -> Form:
    """Close a form: nothing more is taken from it. Submissions and addresses stay."""
    return _ARCHIVED.set_to(form, by, True)


def reopen_form(form: Form, by: Any) -> Form:
    """Take submissions again."""
    return _ARCHIVED.set_to(form, by, False)


@transaction.atomic
def renew_kiosk_link(form: Form, by: Any) -> Form:
    """Give the kiosk another address; the earlier one works no longer, for a device that was lost."""
    require_permission(by, CHANGE)
    changed = _lock(form)
    kiosk_links.set_kiosk_link(changed)
    changed.save(update_fields=[*kiosk_links.COLUMNS, "updated_at"])
    audit.write_audit_entry(by, changed, "kiosk_link_renewed")
    return changed


@transaction.atomic
def delete_form(form: Form, by: Any) -> None:
    """Delete a form without submissions. Raises `RejectedError` (`in_use`)."""
    require_permission(by, DELETE)
    locked = _lock(form)
    if locked.submissions.exists():
        message = _("Somebody filled in “%(name)s”, so it stays. Archive it instead.") % {"name": locked.name}
        raise RejectedError(Problem(Code.IN_USE, message))
    audit.write_audit_entry(by, locked, "deleted")
    Form.objects.filter(pk=locked.pk).update(consent=None)
    locked.delete()


def _lock(form: Form) -> Form:
    locked = Form.objects.select_for_update().filter(pk=form.pk).first()
    if locked is None:
        raise RejectedError(Problem(Code.NOT_FOUND, _("The form no longer exists.")))
    return locked


_ARCHIVED = Switch(CHANGE, _lock, ("form_archived", "form_reopened"), "is_archived")


def _save(form: Form) -> None:
    message = _("There is already a form “%(name)s”.") % {"name": form.name}
    with naming.refuse_taken_name("form_name_is_unique", message):
        form.save()


def _set(
    form: Form, values: Mapping[str, Any], fields: Sequence[Mapping[str, Any]] | None, consent: Mapping[str, Any] | None
) -> None:
    """Set checked values. Raises `RejectedError` with every problem."""
    if unknown := values.keys() - set(FIELDS):
        raise TypeError(f"a form has no {', '.join(sorted(unknown))} to change")
    for name, value in values.items():
        setattr(form, name, value)
    problems = [*checks.check_values(form, values)]
    if fields is not None:
        problems += checks.check_fields(fields)
    if consent is not None:
        problems += checks.check_consent(form, consent)
    refuse_if(problems)


def _write_fields(form: Form, fields: Sequence[Mapping[str, Any]]) -> None:
    """Replace the fields of a form; the email address is always among them, and required."""
    if EMAIL not in [entry["field"] for entry in fields]:
        fields = [{"field": EMAIL}, *fields]
    names = [entry["field"] for entry in fields]
    # locked, so that no field is deleted meanwhile
    ids = dict(PersonField.objects.select_for_update().filter(api_name__in=names).values_list("api_name", "pk"))
    form.fields.all().delete()
    FormField.objects.bulk_create(
        FormField(
            form=form,
            person_field_id=ids[entry["field"]],
            label=str(entry.get("label") or "").strip(),
            is_required=entry["field"] == EMAIL or bool(entry.get("is_required")),
            position=position,
        )
        for position, entry in enumerate(fields)
    )


def _write_consent(form: Form, consent: Mapping[str, Any] | None) -> None:
    row = None
    if consent is not None:
        values = {part: str(consent[part]).strip() for part in ("purpose", "text", "version")}
        row, _created = FormConsent.objects.get_or_create(form=form, version=values.pop("version"), defaults=values)
    form.consents.filter(withdrawn_at=None).update(withdrawn_at=Now())
    if row is not None:
        row.withdrawn_at = None
        row.save(update_fields=["withdrawn_at"])
    form.consent = row
    form.save(update_fields=["consent"])


def _described(form: Form) -> dict[str, Any]:
    """Everything about a form that can change, to be compared."""
    return {
        "name": form.name,
        **{name: getattr(form, name) for name in FIELDS},
        "consent": form.consent_id,
        "fields": list(form.fields.values_list("person_field_id", "label", "is_required")),
        "notified": sorted(form.notified.values_list("pk", flat=True)),
    }
