"""Records the standard activities of changes to people, in the transaction of the change."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from activities.consent import following
from activities.consent.state import CONSENTS, EMAIL, GIVEN, WITHDRAWN, withdrawn_by_any
from activities.recording import recorder
from activities.recording import rows as recording_rows
from activities.types.standard import (
    ADD_TO_LIST,
    CHANGE_DATA_VALUE,
    CHANGE_SCORE,
    DELETE_PERSON,
    MERGE_PEOPLE,
    NEW_PERSON,
    REMOVE_FROM_LIST,
    channel_name,
)
from people import events
from people.core import installation
from people.core.source import Source
from people.datatypes.canonical import canonical_text
from people.datatypes.parsing import MAX_TEXT_BYTES
from people.persons import deletion, objections

# the standard types of which changes to people are activities
RECORDED = frozenset(
    {NEW_PERSON, CHANGE_DATA_VALUE, CHANGE_SCORE, ADD_TO_LIST, REMOVE_FROM_LIST, MERGE_PEOPLE, DELETE_PERSON, *CONSENTS}
)


def record_announcement(announcement: events.Announcement, source: Source) -> None:
    """Record the standard activities of a change to people: same transaction, whole batches."""
    make_rows = _ROWS.get(type(announcement))
    if make_rows is None:
        return
    rows = list(make_rows(announcement, source))
    if isinstance(announcement, events.PeopleCreated | events.PeopleChanged):
        source = replace(source, is_consent=True)  # `unsubscribed` already agrees with the consents
    for start in range(0, len(rows), recorder.MAX_BATCH):
        outcomes = recorder.record_activities(rows[start : start + recorder.MAX_BATCH], source, may_record=RECORDED)
        refused = [outcome for outcome in outcomes if outcome.status is recording_rows.RecordStatus.REFUSED]
        assert not refused, refused[0].problems  # rows made here are always valid


def _row(
    person_id: int, type_id: int, primary: Any, at: datetime | None = None, **attributes: Any
) -> recording_rows.NewActivity:
    return recording_rows.NewActivity(person_id, type_id, at or timezone.now(), primary, list(attributes.items()))


def _created(announcement: events.PeopleCreated, source: Source) -> Iterable[recording_rows.NewActivity]:
    zone, now = installation.installation_zone(), timezone.now()
    for person_id in announcement.person_ids:
        moment = announcement.came_at.get(person_id, now)
        day = moment.astimezone(zone).date()
        yield _row(person_id, NEW_PERSON, None, moment, source_type=channel_name(source), created_date=day)
    if announcement.unsubscribed and not source.is_consent:
        consent_source = _consent_source(source)
        for person_id, objected_at in announcement.unsubscribed.items():
            # dated by the objection, so that a consent given since, recorded in the same transaction, is the later one
            yield _row(person_id, WITHDRAWN, EMAIL, objected_at, source=consent_source)


def _changed(announcement: events.PeopleChanged, source: Source) -> Iterable[recording_rows.NewActivity]:
    for change in announcement.changes:
        if change.is_score:
            yield _row(
                change.person_id,
                CHANGE_SCORE,
                change.field,
                new_value=change.new,
                old_value=change.old,
                change_value=(change.new or 0) - (change.old or 0),
                reason=source.reason[:255],
            )
        else:
            yield _row(
                change.person_id,
                CHANGE_DATA_VALUE,
                change.field,
                new_value=_value_text(change.new),
                old_value=_value_text(change.old),
                reason=source.reason[:255],
                source=channel_name(source),
            )
    yield from _consents(announcement, source)


def _consents(announcement: events.PeopleChanged, source: Source) -> Iterable[recording_rows.NewActivity]:
    """The consents that changes of `unsubscribed` mean, unless they follow from one: what was done, by whom."""
    changes = [change for change in announcement.changes if change.field == objections.FIELD]
    if source.is_consent or not changes:
        return
    consent_source = _consent_source(source)
    for change in changes:
        if change.new is True or change.old is True:
            yield _row(change.person_id, WITHDRAWN if change.new is True else GIVEN, EMAIL, source=consent_source)


def _consent_source(source: Source) -> str:
    """The channel and who used it; of a merge its reason, by which its undo finds what it recorded."""
    if source.is_merge:
        return source.reason[:255]
    user = get_user_model().objects.filter(pk=source.user_id).first() if source.user_id is not None else None
    return f"{channel_name(source)}: {user}"[:255] if user is not None else channel_name(source)


def _joined(announcement: events.JoinedList, source: Source) -> Iterable[recording_rows.NewActivity]:
    return _list_rows(announcement, ADD_TO_LIST, source)


def _left(announcement: events.LeftList, source: Source) -> Iterable[recording_rows.NewActivity]:
    return _list_rows(announcement, REMOVE_FROM_LIST, source)


def _list_rows(
    announcement: events.JoinedList | events.LeftList, type_id: int, source: Source
) -> Iterable[recording_rows.NewActivity]:
    name, list_id = announcement.static_list_name, announcement.static_list_id
    for person_id in announcement.person_ids:
        yield _row(person_id, type_id, name, list_id=list_id, source=channel_name(source))


def _merged(announcement: events.PeopleMerged, source: Source) -> Iterable[recording_rows.NewActivity]:
    """The entry of the merge, and withdrawals: who has withdrawn anything before has withdrawn it still."""
    ids = ", ".join(str(loser) for loser in announcement.loser_ids)
    yield _row(announcement.winner_id, MERGE_PEOPLE, None, merge_ids=ids, merge_fields=", ".join(announcement.fields))

    def families() -> list[list[int]]:
        return list(deletion.merged_families(announcement.loser_ids).values())

    for purpose in withdrawn_by_any(announcement.winner_id, families):
        yield _row(announcement.winner_id, WITHDRAWN, purpose, source=_consent_source(source))


def _merge_undone(announcement: events.MergeUndone, source: Source) -> Iterable[recording_rows.NewActivity]:
    """No entry; what the winner withdrew while the merge stood still unsubscribes."""
    following.keep_withdrawals([announcement.winner_id], source)
    return ()


def _deleted(announcement: events.PeopleDeleted, _source: Source) -> Iterable[recording_rows.NewActivity]:
    for person_id, name in announcement.names:
        yield _row(person_id, DELETE_PERSON, name[:255] or str(person_id))


_ROWS: dict[type, Any] = {
    events.PeopleCreated: _created,
    events.PeopleChanged: _changed,
    events.JoinedList: _joined,
    events.LeftList: _left,
    events.PeopleMerged: _merged,
    events.MergeUndone: _merge_undone,
    events.PeopleDeleted: _deleted,
}


def _value_text(value: Any) -> str | None:
    """A person field's value as text, as Change Data Value keeps it."""
    if value is None:
        return None
    text = canonical_text(value)
    return text.encode()[:MAX_TEXT_BYTES].decode("utf-8", "ignore")
