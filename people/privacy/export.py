"""All data of one person as one JSON document, for requests of access to personal data."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import audit, personal_data
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.permissions import require_permission
from people.datatypes import keys as datatype_keys
from people.datatypes.canonical import canonical_text, dump_json
from people.models import Person
from people.persons import deletion
from people.rights import EXPORT_PERSON

FORMAT = "person-archive/1"
audit.register_actions({"exported": (2, gettext_lazy("Exported everything about this person"))})


def export_person(person_id: Any, by: Any) -> Iterator[str]:
    """Yield the document in pieces: the person with all people merged into it, by table as in `personal_data`.

    Deleted people are exported, too. Raises `RejectedError` (`unknown_person`, `person_merged`) and `NotAllowedError`
    at the call, before the first piece; writes an audit entry.
    """
    require_permission(by, EXPORT_PERSON)
    person = Person.objects.filter(pk=int(person_id)).first() if datatype_keys.is_id(person_id) else None
    if person is None or person.state == Person.State.ERASED:
        raise RejectedError(Problem(Code.UNKNOWN_PERSON, _("There is no such person."), ("id",)))
    if person.state == Person.State.MERGED:
        values = {"id": person.pk, "winner": person.merged_into_id}
        raise RejectedError(
            Problem(Code.PERSON_MERGED, _("Person %(id)s was merged into person %(winner)s.") % values, ("id",))
        )
    audit.write_audit_entry(by, person, "exported")
    return _document(person)


def _document(person: Person) -> Iterator[str]:
    family = deletion.merged_family([person.pk])
    head = {"format": FORMAT, "exported_at": timezone.now(), "person_ids": family}
    yield from (
        f"{'{' if not number else ', '}{_text(name)}: {_text(value)}"
        for number, (name, value) in enumerate(head.items())
    )
    yield ', "tables": {'
    for number, table in enumerate(personal_data.registered_tables()):
        yield f"{', ' if number else ''}{_text(table.table)}: ["
        for index, row in enumerate(table.export(family)):
            yield f"{', ' if index else ''}{_text(row)}"
        yield "]"
    yield "}}\n"


def _text(value: Any) -> str:
    return dump_json(_json_value(value))


def _json_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    return canonical_text(value) if isinstance(value, date | datetime) else value
