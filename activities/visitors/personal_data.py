"""Merging, erasing and exporting the data of a person's browsers.

An erased person's visitor is burnt: its rows are deleted, and its hash stays, so that later events of the browser are
dropped. A visitor that has another owner by now only loses the rows of the erased person.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from activities.models import Association, RecentEvent, Visitor, VisitorActivity
from activities.sources import recent
from activities.visitors.moving import arrival_range
from people.core import personal_data
from people.core.personal_data import Erasing, PersonalData, PersonRows, moved_rows

MAX_COUNT = 100_000  # more waiting rows are not counted
EXPORTED_AT_ONCE = 1_000
_EXPORTED = (
    *("visitor_id", "received_at", "occurred_at", "activity_type_id"),
    *("primary_value", "attributes", "identity", "is_bot"),
)


def register_visitors() -> None:
    """Register the tables as personal data; called when the app starts."""
    personal_data.register_personal_tables(
        PersonalData(
            "visitor",
            (),
            _("browsers"),
            erase=personal_data.leave_rows_unchanged,  # burnt with its associations
            count=lambda ids: (
                Visitor.objects.filter(pk__in=burning_visitors(ids)).exclude(state=Visitor.State.BURNT).count()
            ),
            stands_for_person=True,
        ),
        PersonRows(
            "association",
            ("person_id", "visitor_id"),
            _("browsers and since when they are known"),
            erase=_erase_associations,
            export=_export_associations,
            keeps_ids=("visitor_id",),  # an id of no person
            stands_for_person=True,
            **moved_rows(Association),
        ),
        PersonalData(
            "visitor_activity",
            ("visitor_id", "association_id"),
            _("visits that are not in the log"),
            erase=_erase_mentions,
            export=_export_waiting,
            count=_count_waiting,
            keeps_ids=("visitor_id", "association_id"),  # ids of no person
        ),
        _RECENT_EVENTS,
    )


def burning_visitors(person_ids: Sequence[int]) -> list[int]:
    """The visitors that belong only to these people: owned now, or never owned by other people."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select visitor_id from association where undone_at is null and visitor_id in (
                select visitor_id from association where person_id = any(%(ids)s) and undone_at is null)
            group by visitor_id
            having bool_or(person_id = any(%(ids)s) and to_at is null) or bool_and(person_id = any(%(ids)s))""",
            {"ids": list(person_ids)},
        )
        return [pk for (pk,) in cursor.fetchall()]


def _erase_associations(erasing: Erasing) -> None:
    ids, burning = list(erasing.person_ids), burning_visitors(erasing.person_ids)
    with connection.cursor() as cursor:
        # hits of these visitors wait for the end of the erase, and are dropped then
        cursor.execute("select 1 from visitor where id = any(%s) order by id for update", [burning])
        cursor.execute(
            """delete from visitor_activity v using association s
            where s.person_id = any(%s) and s.visitor_id = v.visitor_id and s.id = v.association_id""",
            [ids],
        )
        cursor.execute(
            """delete from visitor_activity v where v.visitor_id = any(%s) and not exists (
                select 1 from association s where s.id = v.association_id and s.person_id <> all(%s))""",
            [burning, ids],
        )
        cursor.execute("delete from association where person_id = any(%s)", [ids])
        cursor.execute(
            "update visitor set state = %s, first_source_id = null where id = any(%s)", [Visitor.State.BURNT, burning]
        )


def _erase_mentions(erasing: Erasing) -> None:
    """Erase data of these people in browsers of others and of unidentified visitors.

    Rows with their addresses and user ids, rejected or not, and with their texts in the fields of a form. A row in the
    log loses the values of its copy here. Reads all waiting rows: up to minutes where there are millions.
    """
    # as the indexes have it
    condition = """(identity ->> 'email' <> '' and lower(identity ->> 'email') = any(%(texts)s)
        or identity ->> 'user_id' <> '' and lower(identity ->> 'user_id') = any(%(texts)s))"""
    texts = {"texts": list(erasing.texts)}
    with connection.cursor() as cursor:
        cursor.execute(f"delete from visitor_activity where activity_id is null and {condition}", texts)
        cursor.execute(
            f"""update visitor_activity set identity = jsonb_build_object('evidence', identity -> 'evidence')
            where {condition}""",
            texts,
        )
    if erasing.texts:
        _erase_texts(personal_data.stored_text_forms(erasing.texts))


def _erase_texts(texts: list[str]) -> None:
    mentions = """exists (select from unnest(%(texts)s::text[]) t where strpos(lower(attributes::text), t) > 0
        or strpos(lower(primary_value), t) > 0 or strpos(lower(identity::text), t) > 0)"""
    with connection.cursor() as cursor:
        cursor.execute(f"delete from visitor_activity where activity_id is null and {mentions}", {"texts": texts})
        cursor.execute(
            f"""update visitor_activity set attributes = '{{}}', primary_value = null,
                identity = case when identity is not null
                    then jsonb_build_object('evidence', identity -> 'evidence') end
            where activity_id is not null and {mentions}""",
            {"texts": texts},
        )


def _visitors_of(person_ids: Sequence[int]) -> Sequence[int]:
    """The visitors that belong or belonged to these people."""
    return list(Association.objects.filter(person_id__in=person_ids).values_list("visitor_id", flat=True))


def _erase_recent(erasing: Erasing) -> None:
    recent.forget_people(_visitors_of(erasing.person_ids), erasing.texts)


def _export_recent(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    for event in RecentEvent.objects.filter(visitor_id__in=_visitors_of(person_ids)).order_by("received_at", "number"):
        yield {
            "visitor_id": event.visitor_id,
            "received_at": event.received_at,
            "kind": event.kind,
            "title": event.title,
            "outcome": event.outcome,
            "problem": event.problem,
            "is_bot": event.is_bot,
        }


def _export_associations(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    rows = Association.objects.filter(person_id__in=person_ids).select_related("visitor", "event_source").order_by("pk")
    for row in rows:
        yield {
            "visitor_id": row.visitor_id,
            "person_id": row.person_id,
            "evidence": row.get_evidence_display(),
            "event_source": row.event_source.name if row.event_source else None,
            "from": row.from_at,
            "until": row.to_at,
            "undone_at": row.undone_at,
            "first_seen_at": row.visitor.first_at,
            "last_seen_at": row.visitor.last_at,
            "is_shared": row.visitor.state == Visitor.State.SHARED,
        }


_WAITING = """from visitor_activity v where v.activity_id is null and v.visitor_id in (
    select s.visitor_id from association s where s.person_id = any(%(ids)s) and s.undone_at is null)
    and (v.association_id is null or exists (
        select 1 from association s where s.id = v.association_id and s.person_id = any(%(ids)s)))"""


def _count_waiting(person_ids: Sequence[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"select count(*) from (select 1 {_WAITING} limit {MAX_COUNT}) w", {"ids": list(person_ids)})
        return int(cursor.fetchone()[0])


def _export_waiting(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"select v.received_at, v.id {_WAITING} order by v.id", {"ids": list(person_ids)})
        keys = cursor.fetchall()
    for start in range(0, len(keys), EXPORTED_AT_ONCE):
        part = keys[start : start + EXPORTED_AT_ONCE]
        rows = VisitorActivity.objects.filter(
            received_at__range=arrival_range(part), id__in=[pk for _received, pk in part]
        )
        yield from rows.order_by("id").values(*_EXPORTED)


_RECENT_EVENTS = PersonalData(
    "recent_event",
    ("visitor_id",),
    _("last events of web sites"),
    erase=_erase_recent,
    export=_export_recent,
    count=lambda ids: RecentEvent.objects.filter(visitor_id__in=_visitors_of(ids)).count(),
    keeps_ids=("visitor_id",),  # an id of no person
)
