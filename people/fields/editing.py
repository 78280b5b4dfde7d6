"""Creates, changes and deletes person fields.

Changes of people read the fields under a shared lock, which is taken exclusively here, so that no value is written
for a deleted field. Every verb checks the right of the acting user and writes one audit entry.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from typing import Any
from unicodedata import normalize

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import audit, jobs, references
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError, bad_value, refuse_if
from people.core.permissions import require_permission
from people.datatypes import naming
from people.datatypes.canonical import canonical_text
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME
from people.fields import unique_values
from people.fields.catalog import STANDARD
from people.fields.marketo_standard import MARKETO_STANDARD
from people.models import Person, PersonField, PersonKey
from people.rights import ADD_PERSONFIELD, CHANGE_PERSONFIELD, DELETE_PERSONFIELD

API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
UNIQUE_TYPES = frozenset({"string", "email", "phone", "integer"})
MAX_CHOICES = 500
CLEARED_AT_ONCE = 5_000
SHOWN = 5  # values, each with the ids of its people, in an error message

audit.register_actions(
    {"made_unique": (2, gettext_lazy("Made unique")), "made_shareable": (2, gettext_lazy("No longer unique"))}
)


def _camel(api_name: str) -> str:
    first, *rest = api_name.split("_")
    return first + "".join(word.capitalize() for word in rest)


# names of standard fields in either API
RESERVED = frozenset(
    name.lower() for name in ("id", "state", "leadScore", "lead_id", "person_id", *STANDARD, *map(_camel, STANDARD))
)


@transaction.atomic
def create_person_field(
    label: Any,
    data_type: Any,
    by: Any,
    *,
    api_name: Any = None,
    description: Any = "",
    choices: Iterable[Any] = (),
    is_unique: bool = False,
    is_hidden: bool = False,
    is_api_created: bool = False,
) -> PersonField:
    """Create a field. Without an API name one is derived from the label ("Shoe size": shoeSize).

    Raises `RejectedError` (`missing_value`, `bad_name`, `api_name_taken`, `name_taken`, `unknown_data_type`,
    `cannot_be_unique`, …), `NotAllowedError`.
    """
    require_permission(by, ADD_PERSONFIELD)
    label = naming.parse_name(label, "label")
    api_name = proposed_api_name(label) if is_blank(api_name) else str(api_name)
    _check_api_name(api_name)
    if not isinstance(data_type, str) or data_type not in BY_NAME:
        raise RejectedError(bad_value(Code.UNKNOWN_DATA_TYPE, ", ".join(BY_NAME), data_type, "data_type"))
    field = PersonField(
        api_name=api_name,
        label=label,
        data_type=data_type,
        description=naming.parse_description(description),
        is_hidden=bool(is_hidden),
        is_api_created=is_api_created,
    )
    field.choices = _choices(choices, field)
    _save(field)
    audit.write_audit_entry(by, field, "created")
    if is_unique:
        _make_unique(field)
    return field


@transaction.atomic
def create_marketo_fields(names: Iterable[str], by: Any) -> None:
    """Create the missing fields of `MARKETO_STANDARD` in `names`; no right is needed for them.

    A field whose label another field already has is labelled with its API name. A field whose values are still
    being cleared, or whose API name is taken in another spelling, is left out.
    """
    existing = PersonField.objects.values_list("api_name", "label")
    taken_names = {api_name.lower() for api_name, _label in existing}
    taken_names |= {api_name.lower() for api_name in jobs.unfinished_job_arguments("people.clear_field", "api_name")}
    labels = {label.lower() for _api_name, label in existing}
    for name in names:
        label, data_type = MARKETO_STANDARD[name]
        if name.lower() in taken_names:
            continue
        label = name if label.lower() in labels else label
        field, is_new = PersonField.objects.get_or_create(  # two concurrent calls may receive the first value
            api_name=name, defaults={"label": label, "data_type": data_type, "is_api_created": True}
        )
        if is_new:
            audit.write_audit_entry(by, field, "created")


@transaction.atomic
def change_person_field(field: PersonField, by: Any, **changes: Any) -> PersonField:
    """Change `label`, `description`, `choices`, `is_hidden` or `is_unique`; existing uses stay valid.

    A field with a shared value cannot become unique (`value_shared`, naming some), and one by which people are looked
    up stays unique (`in_use`). API name and data type
    never change. Raises `RejectedError`, `NotAllowedError`, TypeError for anything else.
    """
    require_permission(by, CHANGE_PERSONFIELD)
    field = _lock(field)
    checks: Mapping[str, Callable[[Any], Any]] = {
        "label": lambda raw: naming.parse_name(raw, "label"),
        "description": naming.parse_description,
        "choices": lambda raw: _choices(raw, field),
        "is_hidden": bool,
    }
    is_unique = bool(changes.pop("is_unique", field.is_unique))
    if unknown := changes.keys() - checks.keys():
        raise TypeError(f"a person field has no {', '.join(unknown)} to change")
    changed = {name: new for name, raw in changes.items() if (new := checks[name](raw)) != getattr(field, name)}
    if changed:
        for name, new in changed.items():
            setattr(field, name, new)
        _save(field, update_fields=[*changed, "updated_at"])
        audit.write_audit_entry(by, field, "changed", what=", ".join(sorted(changed)))
    if is_unique != field.is_unique:
        (_make_unique if is_unique else _make_shareable)(field)
        audit.write_audit_entry(by, field, "made_unique" if is_unique else "made_shareable")
    return field


@transaction.atomic
def delete_person_field(field: PersonField, by: Any) -> None:
    """Delete a field added by the team; a job clears its values.

    Raises `RejectedError` (`in_use`, naming the users; `standard_field`), `NotAllowedError`.
    """
    require_permission(by, DELETE_PERSONFIELD)
    field = _lock(field)
    if field.is_standard:
        message = _("Standard fields belong to the product. A field you don't need can be hidden.")
        raise RejectedError(Problem(Code.STANDARD_FIELD, message))
    references.refuse_if_used(field)
    _lock_people()
    audit.write_audit_entry(by, field, "deleted")
    PersonKey.objects.filter(field=field).delete()
    PersonField.objects.filter(pk=field.pk).delete()
    jobs.defer_job("people.clear_field", api_name=field.api_name)


def clear_field_values(api_name: str) -> None:
    """Clear the values of a deleted field, a few thousand people a transaction; safe to run twice."""
    last = 0
    while not PersonField.objects.filter(api_name=api_name).exists():
        with connection.cursor() as cursor:
            cursor.execute(
                """with batch as (select id from person where id > %(last)s and fields ? %(name)s
                    order by id limit %(limit)s for update),
                cleared as (update person p set fields = p.fields - %(name)s from batch where p.id = batch.id)
                select max(id) from batch""",
                {"last": last, "name": api_name, "limit": CLEARED_AT_ONCE},
            )
            (batch_end,) = cursor.fetchone()
        if batch_end is None:
            return
        last = batch_end


def proposed_api_name(label: str) -> str:
    """Derive an API name from a label: letters and digits in camel case ("Shoe size": shoeSize)."""
    words = re.findall(r"[A-Za-z0-9]+", _without_accents(label))
    joined = "".join(word[:1].upper() + word[1:] for word in words).lstrip("0123456789")
    return joined[:1].lower() + joined[1:100]


def _without_accents(text: str) -> str:
    return normalize("NFKD", text).encode("ascii", "ignore").decode()


def _check_api_name(api_name: str) -> None:
    if not API_NAME.fullmatch(api_name):
        expected = _("a letter, then letters, digits and underscores, at most 100")
        raise RejectedError(bad_value(Code.BAD_NAME, expected, api_name, "api_name"))
    if (other := PersonField.objects.filter(api_name__iexact=api_name).first()) is not None:
        message = _("The field “%(other)s” has the API name %(name)s already.")
        values = {"other": other.label, "name": other.api_name}
        raise RejectedError(Problem(Code.API_NAME_TAKEN, message % values, ("api_name",)))
    if api_name.lower() in RESERVED:
        message = _("The API name “%(name)s” is taken.") % {"name": api_name}
        raise RejectedError(Problem(Code.API_NAME_TAKEN, message, ("api_name",)))
    if Person.objects.filter(fields__has_key=api_name).exists():
        message = _("Values of a deleted field “%(name)s” are being cleared. Try again later.") % {"name": api_name}
        raise RejectedError(Problem(Code.API_NAME_TAKEN, message, ("api_name",)))


def _choices(raw: Iterable[Any], field: PersonField) -> list[str]:
    """The suggested values as canonical text, each once."""
    data_type = BY_NAME[field.data_type]
    choices: dict[str, None] = {}
    problems = []
    for number, choice in enumerate(raw):
        if is_blank(choice):
            continue
        try:
            choices[canonical_text(data_type.parse(choice, UTC))] = None
        except BadValueError as error:
            problems.append(bad_value(error.code, error.expected, choice, "choices", number))
    if len(choices) > MAX_CHOICES:
        message = _("At most %(limit)s choices can be suggested.") % {"limit": MAX_CHOICES}
        problems.append(Problem(Code.TOO_MANY, message, ("choices",)))
    refuse_if(problems)
    return list(choices)


def _save(field: PersonField, **options: Any) -> None:
    message = _("There is already a person field “%(name)s”.") % {"name": field.label}
    with naming.refuse_taken_name("person_field_label_is_unique", message, "label"):
        field.save(**options)


def _lock(field: PersonField) -> PersonField:
    locked = PersonField.objects.select_for_update().filter(pk=field.pk).first()
    if locked is None:
        raise RejectedError(Problem(Code.UNKNOWN_FIELD, _("This person field does not exist any more.")))
    return locked


def _lock_people() -> None:
    locks.acquire_exclusive([locks.lock_key(locks.LockSpace.PEOPLE)])


def _make_unique(field: PersonField) -> None:
    if field.is_standard or field.data_type not in UNIQUE_TYPES:
        types = ", ".join(str(BY_NAME[name].label) for name in sorted(UNIQUE_TYPES))
        message = _("Only added fields of the data types %(types)s can be unique.") % {"types": types}
        raise RejectedError(Problem(Code.CANNOT_BE_UNIQUE, message, ("is_unique",)))
    _lock_people()
    if shared := unique_values.shared_values(field):
        groups = "; ".join(", ".join(map(str, ids)) for ids in shared[:SHOWN])
        message = _("People share values of this field: %(groups)s. Give them values of their own, or merge them.")
        raise RejectedError(Problem(Code.VALUE_SHARED, message % {"groups": groups}, ("is_unique",)))
    unique_values.claim_all_values(field)
    _set_unique(field, True)


def _make_shareable(field: PersonField) -> None:
    references.refuse_if_key(field)
    _lock_people()
    PersonKey.objects.filter(field=field).delete()
    _set_unique(field, False)


def _set_unique(field: PersonField, is_unique: bool) -> None:
    field.is_unique = is_unique
    field.save(update_fields=["is_unique", "updated_at"])
