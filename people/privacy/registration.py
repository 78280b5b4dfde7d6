"""Registers the tables of `people` for merging, erasing and exporting a person."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Model, Q
from django.utils.translation import gettext_lazy as _

from people.core import personal_data
from people.core.personal_data import Erasing, IdArray, PersonalData, PersonRows
from people.core.source import Channel
from people.directory import views
from people.fields import catalog
from people.lists import memberships
from people.models import DifferentPeople, Export, Person, PersonDeletion, PersonMerge, StaticListMember, SuggestedPair
from people.persons import notes, suggested_pairs
from people.privacy import erasure


def register_personal_data() -> None:
    """Register the tables; called when the app starts."""
    personal_data.register_personal_tables(*_TABLES)


def _erase_from_exports(erasing: Erasing) -> None:
    """Remove the people from the parameters of exports; an export that would change by that is cancelled first."""
    texts = [text.lower() for text in erasing.texts if text]
    erased_ids = set(erasing.person_ids)
    exports = Export.objects.filter(Q(parameters__has_key="people") | Q(parameters__has_key="ids"))
    for export in exports.select_for_update().order_by("pk"):
        parameters = dict(export.parameters)
        if "people" in parameters:
            parameters["people"] = views.query_without_texts(parameters["people"], texts)
        if "ids" in parameters:
            parameters["ids"] = [pk for pk in parameters["ids"] if pk not in erased_ids]
        if parameters != export.parameters:
            export.cancel()
            Export.objects.filter(pk=export.pk).update(parameters=parameters)


def _changed_since(person_ids: Sequence[int], arrival: personal_data.ImportArrival) -> set[int]:
    """The people changed after the import."""
    changed = Person.objects.filter(pk__in=person_ids, updated_at__gt=arrival.ended_at)
    return set(changed.values_list("pk", flat=True))


def _merged_before(person_ids: Sequence[int], _arrival: personal_data.ImportArrival) -> set[int]:
    merges = PersonMerge.objects.of_people(person_ids).values_list("winner_id", "loser_ids")
    merged_ids = {pk for winner_id, loser_ids in merges for pk in (winner_id, *loser_ids)}
    return merged_ids.intersection(person_ids)


def _pairs_of(model: type[Model]) -> Callable[[Sequence[int], personal_data.ImportArrival], set[int]]:
    """The people on either side of a pair."""

    def touched(person_ids: Sequence[int], _arrival: personal_data.ImportArrival) -> set[int]:
        pairs = model._default_manager.filter(Q(person__in=person_ids) | Q(other__in=person_ids))
        paired_ids = {pk for pair in pairs.values_list("person_id", "other_id") for pk in pair}
        return paired_ids.intersection(person_ids)

    return touched


def _export_people(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    catalogue = catalog.field_catalogue()
    for person in Person.objects.filter(pk__in=person_ids).order_by("pk"):
        values = {name: catalog.person_value(person, info) for name, info in catalogue.items()}
        present = {name: value for name, value in values.items() if value is not None}
        yield {"id": person.pk, "state": person.state, "merged_into": person.merged_into_id, **present}


def _export_memberships(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    rows = StaticListMember.objects.filter(person_id__in=person_ids).select_related("static_list")
    for row in rows.order_by("static_list_id", "person_id"):
        yield {
            "person_id": row.person_id,
            "static_list_id": row.static_list_id,
            "static_list": row.static_list.name,
            "added_at": row.added_at,
            "door": row.get_channel_display(),
        }


def _export_deletions(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    for row in PersonDeletion.objects.filter(pk__in=person_ids).order_by("pk"):
        yield {"person_id": row.pk, "deleted_at": row.deleted_at, "static_lists": row.memberships}


def _export_merges(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    for row in PersonMerge.objects.of_people(person_ids).order_by("pk"):
        yield {"winner": row.winner_id, "losers": row.loser_ids, "merged_at": row.merged_at, "undone_at": row.undone_at}


def _erase_merges(erasing: personal_data.Erasing) -> None:
    PersonMerge.objects.of_people(erasing.person_ids).delete()


def _count_merges(person_ids: Sequence[int]) -> int:
    return PersonMerge.objects.of_people(person_ids).count()


_TABLES = (
    PersonalData(
        "person",
        ("id", "merged_into_id"),
        _("person records"),
        # a merge itself changes the winner; the losers keep their values for the undo
        erase=erasure.clear_person_rows,
        export=_export_people,
        count=lambda ids: Person.objects.filter(pk__in=ids).exclude(state=Person.State.ERASED).count(),
        keeps_ids=("id",),
        touched=_changed_since,
    ),
    # released and claimed by a merge; the values are the person's fields
    PersonRows("person_key", ("person_id",), _("values of unique fields"), touched=personal_data.no_touched_people),
    PersonRows(
        "static_list_member",
        ("person_id",),
        _("places on static lists"),
        merge=memberships.merge_memberships,
        undo=memberships.unmerge_memberships,
        export=_export_memberships,
        touched=personal_data.touched_by_rows(
            "static_list_member", "person_id", f"door = {Channel.IMPORT:d} and origin_id = %(import_id)s"
        ),
    ),
    PersonRows(
        "person_note",
        ("person_id",),
        _("notes of colleagues"),
        merge=notes.merge_notes,
        undo=notes.unmerge_notes,
        export=notes.export_notes,
    ),
    # only live people are merged
    PersonRows(
        "person_deletion",
        ("person_id",),
        _("notes for restoring"),
        export=_export_deletions,
        touched=personal_data.no_touched_people,
    ),
    # a loser's own merges stay, and can be undone once the loser is live again
    PersonalData(
        "person_merge",
        ("winner_id", "loser_ids"),
        _("notes of merges"),
        erase=_erase_merges,
        export=_export_merges,
        count=_count_merges,
        touched=_merged_before,
    ),
    # people who are no longer live are skipped later
    IdArray("duplicate_group", "person_ids", _("possible duplicates")),
    PersonRows(
        "different_people",
        ("person_id", "other_id"),
        _("notes that people are not the same"),
        count=personal_data.count_rows("different_people", "person_id", "other_id"),
        touched=_pairs_of(DifferentPeople),
    ),
    PersonRows(
        "suggested_pair",
        ("person_id", "other_id"),
        _("what programs said of who is the same"),
        count=personal_data.count_rows("suggested_pair", "person_id", "other_id"),
        touched=_pairs_of(SuggestedPair),
        merge=suggested_pairs.merge_suggested_pairs,
        undo=suggested_pairs.unmerge_suggested_pairs,
    ),
    # keyed hashes, which identify no person: they stay, so that people who objected are not contacted again
    PersonalData("suppression", (), _("objections of erased people"), erase=personal_data.leave_rows_unchanged),
    # filters of saved views and of exports can hold an address
    PersonalData("people_view", ("query",), _("filters of saved views"), erase=views.erase_from_views),
    PersonalData("file_export", ("parameters",), _("filters of exports"), erase=_erase_from_exports),
    IdArray("bulk_part", "person_ids", _("places in running bulk actions")),
)
