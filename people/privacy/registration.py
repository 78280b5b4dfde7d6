"""What merging, erasing and exporting a person means for the tables of `people` itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from people.core import personal_data
from people.core.personal_data import Owned
from people.fields import catalog
from people.lists import memberships
from people.models import Person, PersonDeletion, PersonMerge, StaticListMember
from people.privacy import erasure


def register() -> None:
    """Make the tables known; called when the app starts."""
    personal_data.register(
        Owned(
            table="person",
            columns=("id", "merged_into_id"),
            label=_("people with their fields"),
            # a merge itself changes the winner; the losers keep their values for the undo
            merge=personal_data.nothing,
            undo=personal_data.nothing,
            erase=erasure.make_nameless,
            export=_export_people,
            count=lambda ids: Person.objects.filter(pk__in=ids).exclude(state=Person.State.ERASED).count(),
            keeps_ids=("id",),
        ),
        Owned(
            table="person_key",
            columns=("person_id",),
            label=_("values of unique fields"),
            merge=personal_data.nothing,  # released and claimed by `merging`
            undo=personal_data.nothing,
            erase=personal_data.delete_rows("person_key", "person_id"),
            export=personal_data.no_rows,  # the values are the person's fields
            count=personal_data.count_rows("person_key", "person_id"),
        ),
        Owned(
            table="static_list_member",
            columns=("person_id",),
            label=_("places on static lists"),
            merge=memberships.merge,
            undo=memberships.unmerge,
            erase=personal_data.delete_rows("static_list_member", "person_id"),
            export=_export_memberships,
            count=personal_data.count_rows("static_list_member", "person_id"),
        ),
        Owned(
            table="person_deletion",
            columns=("person_id",),
            label=_("notes for restoring"),
            merge=personal_data.nothing,  # only live people are merged
            undo=personal_data.nothing,
            erase=personal_data.delete_rows("person_deletion", "person_id"),
            export=_export_deletions,
            count=personal_data.count_rows("person_deletion", "person_id"),
        ),
        Owned(
            table="person_merge",
            columns=("winner_id", "loser_ids"),
            label=_("notes of merges"),
            merge=personal_data.nothing,  # a loser's own merges stay, and can be undone once it is a person again
            undo=personal_data.nothing,
            erase=_erase_merges,
            export=_export_merges,
            count=_count_merges,
        ),
        *(
            Owned(
                table=table,
                columns=("person_ids",),
                label=label,
                merge=personal_data.nothing,  # who is gone when it is looked at again is passed over
                undo=personal_data.nothing,
                erase=_take_out_of(table),
                export=personal_data.no_rows,
                count=_count_in(table),
            )
            for table, label in (
                ("duplicate_group", _("suspicions of duplicates")),
                ("bulk_part", _("places in bulk actions under way")),
            )
        ),
    )


def _take_out_of(table: str) -> Callable[[personal_data.Erasing], None]:
    """Take the people out of the arrays of a table, which keep their order."""

    def erase(erasing: personal_data.Erasing) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"""update {table} set person_ids = array(
                    select id from unnest(person_ids) with ordinality as p (id, place)
                    where id <> all(%(ids)s) order by place)
                where person_ids && %(ids)s::int[]""",
                {"ids": list(erasing.person_ids)},
            )

    return erase


def _count_in(table: str) -> Callable[[Sequence[int]], int]:
    def count(person_ids: Sequence[int]) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {table} where person_ids && %s::int[]", [list(person_ids)])
            return cursor.fetchone()[0]

    return count


def _export_people(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    catalogue = catalog.catalogue()
    for person in Person.objects.filter(pk__in=person_ids).order_by("pk"):
        values = {name: catalog.value_of(person, info) for name, info in catalogue.items()}
        known = {name: value for name, value in values.items() if value is not None}
        yield {"id": person.pk, "state": person.state, "merged_into": person.merged_into_id, **known}


def _export_memberships(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    rows = StaticListMember.objects.filter(person_id__in=person_ids).select_related("static_list")
    for row in rows.order_by("static_list_id", "person_id"):
        yield {
            "person_id": row.person_id, "static_list_id": row.static_list_id, "static_list": row.static_list.name,
            "added_at": row.added_at, "door": row.get_door_display(),
        }  # fmt: skip


def _export_deletions(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    for row in PersonDeletion.objects.filter(pk__in=person_ids).order_by("pk"):
        yield {"person_id": row.pk, "deleted_at": row.deleted_at, "static_lists": row.memberships}


def _export_merges(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    for row in PersonMerge.objects.of_people(person_ids).order_by("pk"):
        yield {
            "winner": row.winner_id, "losers": row.loser_ids, "merged_at": row.merged_at, "undone_at": row.undone_at,
        }  # fmt: skip


def _erase_merges(erasing: personal_data.Erasing) -> None:
    PersonMerge.objects.of_people(erasing.person_ids).delete()


def _count_merges(person_ids: Sequence[int]) -> int:
    return PersonMerge.objects.of_people(person_ids).count()
