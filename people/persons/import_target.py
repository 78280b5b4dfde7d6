"""Import of people: each row creates or changes a person."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy

from people import lookup as people_lookup
from people.core.codes import Code
from people.core.errors import Problem
from people.core.messages import sentence as _
from people.core.source import Source
from people.datatypes import keys as datatype_keys
from people.datatypes.canonical import canonical_text
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME
from people.fields import catalog
from people.files.imports import targets as import_targets
from people.files.imports.plan import BatchResults, ImportPlan, ImportStatus, Mappable, RowHit, RowResult
from people.files.imports.targets import ImportTarget, Reader, reader_of_columns
from people.files.tabular import FileShape
from people.lists import static_lists
from people.models import Person, StaticList
from people.persons import objections, upsert
from people.persons.upsert import UpsertAction
from people.rights import ADD_PERSON, CHANGE_PERSON

_STATUS = {
    upsert.UpsertStatus.CREATED: ImportStatus.ADDED,
    upsert.UpsertStatus.UPDATED: ImportStatus.UPDATED,
    upsert.UpsertStatus.REFUSED: ImportStatus.REFUSED,
}
# names of the standard fields in other systems, besides our labels
_ALIASES = {
    "email": ("e-mail", "mail", "email address", "correo", "correo electrónico"),
    "first_name": ("given name", "nombre"),
    "last_name": ("surname", "family name", "apellidos", "apellido"),
    "company": ("organization", "account", "empresa"),
    "country": ("país",),
    "phone": ("telephone", "teléfono"),
    "person_score": ("lead score", "score"),
    "lead_source": ("source",),
}
# columns with the opposite meaning of a field: mapped to it, their values would invert who agreed to emails
_CONTRARY = {
    objections.FIELD: (
        *("subscribed", "is subscribed", "subscription", "opt-in", "opted in", "email opt-in", "consent", "newsletter"),
        *("accepts marketing", "suscrito", "suscrita", "suscripción", "alta", "consentimiento", "boletín"),
        *("acepta correos", "acepta publicidad"),
    ),
    "do_not_call": ("call", "may call", "phone opt-in", "llamar", "acepta llamadas"),
}


class PeopleTarget(ImportTarget):
    kind = "people"
    label = gettext_lazy("People")
    rights = (ADD_PERSON, CHANGE_PERSON)
    batch = 2_000
    rows_are_people = True
    statuses = (ImportStatus.ADDED, ImportStatus.UPDATED, ImportStatus.REFUSED)

    def mappable(self, subject: str) -> list[Mappable]:
        writable = [
            Mappable(
                info.api_name,
                info.shown_label,
                info.data_type.name,
                aliases=(*catalog.labels_in_all_languages(info.api_name, info.label), *_ALIASES.get(info.api_name, ())),
                is_key=info.api_name == "email",
                contrary=_CONTRARY.get(info.api_name, ()),
            )
            for info in catalog.field_catalogue().values()
            if not info.is_read_only
        ]
        own_id = Mappable("id", _("Person id"), "integer", aliases=("lead id", "person id"), is_guessed=False)
        return [own_id, *writable]

    def batch_of(self, plan: ImportPlan) -> int:
        # one more for the list
        return max(1, min(self.batch, upsert.MAX_BATCH // (objections.log_entries(plan.columns) + 1)))

    def optional(self, plan: ImportPlan) -> Collection[str]:
        is_found_otherwise = plan.lookup_field != "email" or plan.action == UpsertAction.DUPLICATE
        return ("email",) if is_found_otherwise else ()

    def rights_of(self, plan: ImportPlan) -> tuple[str, ...]:
        return () if plan.static_list is None else (static_lists.CHANGE,)

    def problems(self, plan: ImportPlan, shape: FileShape) -> Iterable[Problem]:
        lookup_fields = ["id", *people_lookup.lookup_fields()]
        if plan.lookup_field not in lookup_fields:
            message = _("People can't be found by “%(field)s”.") % {"field": plan.lookup_field}
            yield Problem(
                Code.UNKNOWN_LOOKUP_FIELD, message, ("lookup_field",), ", ".join(lookup_fields), plan.lookup_field
            )
        elif plan.lookup_field not in plan.columns and plan.action != UpsertAction.DUPLICATE:
            message = _("choose a column for the field by which people are looked up")
            yield Problem(Code.MISSING_VALUE, message, ("columns", plan.lookup_field))
        if plan.static_list is not None and not StaticList.objects.filter(pk=plan.static_list).exists():
            message = _("There is no static list %(id)s.") % {"id": plan.static_list}
            yield Problem(Code.UNKNOWN_LIST, message, ("static_list",))
        if plan.action not in set(UpsertAction):
            yield Problem(
                Code.WRONG_TYPE, _("there is no such action"), ("action",), ", ".join(UpsertAction), plan.action
            )

    def reader(self, plan: ImportPlan, shape: FileShape) -> Reader:
        catalogue = catalog.field_catalogue()
        places = []
        for name, column in plan.columns.items():
            if name != "id" or plan.lookup_field == "id":
                data_type = catalogue[name].data_type if name != "id" else BY_NAME["integer"]
                places.append((name, shape.header.index(column), plan.convention.reader(data_type, name)))
        return reader_of_columns(places, plan.null_text)

    def record(self, rows: Sequence[Any], plan: ImportPlan, source: Source, *, dry_run: bool) -> BatchResults:
        outcomes = upsert.upsert_people(
            rows, source, plan.lookup_field, UpsertAction(plan.action), zone=plan.time_zone, dry_run=dry_run
        )
        if plan.static_list is not None and not dry_run:
            person_ids = [outcome.person_id for outcome in outcomes if outcome.person_id is not None]
            static_lists.add_members(StaticList.objects.get(pk=plan.static_list), person_ids, source)
        return BatchResults.of([RowResult(_STATUS[outcome.status], outcome.problems) for outcome in outcomes])

    def hits(self, rows: Sequence[Any], plan: ImportPlan) -> dict[int, RowHit]:
        """The existing people that the rows change, found by the look-up field."""
        if plan.action not in (UpsertAction.UPSERT, UpsertAction.UPDATE):
            return {}
        values = {place: row.get(plan.lookup_field) for place, row in enumerate(rows)}
        ids = _ids(plan.lookup_field, {place: value for place, value in values.items() if not is_blank(value)})
        people = Person.objects.in_bulk(ids.values())
        return {place: person_hit(people[pk], _changes(people[pk], rows[place], plan)) for place, pk in ids.items()}

    def identity(self, row: Any, plan: ImportPlan) -> tuple[str, str] | None:
        return (datatype_keys.key_of(row[plan.lookup_field]), "") if plan.action != UpsertAction.DUPLICATE else None

    def repeated_row_result(self, is_same: bool, plan: ImportPlan) -> RowResult:
        if plan.action == UpsertAction.CREATE:
            return RowResult(ImportStatus.REFUSED, (Problem(Code.PERSON_EXISTS, _("this person exists already")),))
        return RowResult(ImportStatus.UPDATED)

    def stored(self, row: Any, plan: ImportPlan) -> Sequence[tuple[str, str]]:
        catalogue = catalog.field_catalogue()
        return [
            (catalogue[name].shown_label, _canonical(value, catalogue[name], plan))
            if name != "id"
            else ("Id", str(value))
            for name, value in row.items()
        ]


def person_hit(person: Person, changes: Sequence[tuple[str, str, str]] = ()) -> RowHit:
    return RowHit(_("Person:"), reverse("admin:people_person_change", args=[person.pk]), str(person), changes)


def _ids(field: str, values: Mapping[int, Any]) -> dict[int, int]:
    """Map the place of each value that matches exactly one person to that person."""
    if field == "id":
        numbers = {place: int(value) for place, value in values.items() if datatype_keys.is_id(value)}
        live = people_lookup.person_ids_by_id(numbers.values(), follow_merges=False)
        return {place: pk for place, pk in numbers.items() if pk in live}
    ids_by_key = people_lookup.person_ids_by_field(field, map(str, values.values()))
    ids_by_place = {place: ids_by_key.get(datatype_keys.key_of(value), ()) for place, value in values.items()}
    return {place: ids[0] for place, ids in ids_by_place.items() if len(ids) == 1}


def _changes(person: Person, row: Mapping[str, Any], plan: ImportPlan) -> list[tuple[str, str, str]]:
    """(label, old, new) of each value that the row changes; bad values change nothing."""
    catalogue, changes = catalog.field_catalogue(), []
    for name, raw in row.items():
        info = catalogue.get(name)
        if info is None:
            continue
        try:
            new = None if is_blank(raw) else info.data_type.parse(raw, plan.time_zone)
        except BadValueError:
            continue
        old = catalog.person_value(person, info)
        if old != new:
            changes.append((str(info.shown_label), _text_of(old), _text_of(new)))
    return changes


def _text_of(value: Any) -> str:
    return "" if value is None else canonical_text(value)


def _canonical(value: Any, info: catalog.FieldInfo, plan: ImportPlan) -> str:
    if is_blank(value):
        return ""
    try:
        return info.data_type.to_text(info.data_type.parse(value, plan.time_zone))
    except BadValueError:
        return str(value)


import_targets.register_target(PeopleTarget())
