"""Creates, changes, turns off and deletes event sources, and issues and ends their keys.

Every verb takes the acting user (None: an operator's command), checks the right itself, runs in one transaction and
writes one audit entry, never with a secret.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import EventSource, InboundWebhook, RefusedActivity, SourceKey
from activities.rights import ADD_EVENTSOURCE, CHANGE_EVENTSOURCE, DELETE_EVENTSOURCE, VIEW_EVENTSOURCE
from activities.sources import sealing, user_ids
from activities.sources.addresses import parse_munchkin_id
from activities.sources.keys import IssuedKey, issue_key
from activities.sources.origins import parse_origin
from people import lookup as people_lookup
from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value, refuse_if, refuse_if_changed
from people.core.permissions import require_permission
from people.datatypes import naming
from people.definitions.switches import Switch
from people.fields.catalog import field_catalogue
from people.models import PersonField

audit.register_actions(
    {
        "key_issued": (2, gettext_lazy("Issued a new key, %(key)s")),
        "key_ended": (2, gettext_lazy("Ended the key %(key)s")),
        "turned_on": (2, gettext_lazy("Turned on")),
        "turned_off": (2, gettext_lazy("Turned off")),
    }
)

ADD, CHANGE, DELETE = ADD_EVENTSOURCE, CHANGE_EVENTSOURCE, DELETE_EVENTSOURCE
VIEW = VIEW_EVENTSOURCE
FIELDS = (
    "site_group",
    "origins",
    "consent",
    "user_id_field",
    "munchkin_id",
    "bytes_a_day",
    "creates_people",
    "people_an_hour",
)
MAX_ORIGINS, MAX_GROUP, MAX_BYTES_A_DAY = 50, 100, 10**13
MAX_PEOPLE_AN_HOUR = 100_000
MAX_OVERLAP = timedelta(days=30)
MAX_LIVE_KEYS = 10
Kind = EventSource.Kind


@transaction.atomic
def create_source(name: Any, kind: Any, by: Any, **values: Any) -> IssuedKey:
    """Create a source with its first key, whose secret parts are shown by the caller and never again.

    `values`: `FIELDS`. A program without a person field for its user ids gets `user_ids.FIELD`.
    Raises `RejectedError` with every problem (`unknown_word`, `bad_origin`, `name_taken`, …),
    `NotAllowedError` without the right.
    """
    require_permission(by, ADD)
    if kind not in Kind.values:
        raise RejectedError(bad_value(Code.UNKNOWN_WORD, ", ".join(Kind.values), kind, "kind"))
    source = EventSource(name=naming.parse_name(name), kind=kind, created_by=by)
    if kind == Kind.SERVER and "user_id_field" not in values:
        values["user_id_field"] = user_ids.find_or_make_field()
    _set(source, values)
    _save(source)
    if kind == Kind.WEBHOOK:
        InboundWebhook.objects.create(source=source)
    audit.write_audit_entry(by, source, "created")
    return issue_key(source, by)


@transaction.atomic
def change_source(
    source: EventSource, by: Any, *, expected_revision: int | None = None, name: Any = None, **values: Any
) -> EventSource:
    """Change a source, except its kind; equal values change nothing. Raises as `create_source`, and `ConflictError`."""
    require_permission(by, CHANGE)
    changed = _lock(source)
    message = _("Someone else changed the event source in the meantime. Look at it again before you save.")
    refuse_if_changed(expected_revision, changed.revision, message)
    before = {field: getattr(changed, field) for field in ("name", *FIELDS)}
    if name is not None:
        changed.name = naming.parse_name(name)
    _set(changed, values)
    names = sorted(field for field, value in before.items() if getattr(changed, field) != value)
    if not names:
        return changed
    changed.revision += 1
    _save(changed)
    origins = _difference(before["origins"], changed.origins)
    what = ", ".join(f"origins ({origins})" if field == "origins" else field for field in names)
    audit.write_audit_entry(by, changed, "changed", what=what)
    return changed


def needs_confirmation(source: EventSource, values: Mapping[str, Any]) -> bool:
    """True if these new values let more hosts send, record more, or more of what is sent name people.

    A session must be confirmed for that. Hosts are origins, and the sites of a Munchkin ID; forms may lead back to the
    origins, too. Sites of one group share their visitors.
    """
    if values.get("consent") == EventSource.Consent.GRANTED != source.consent:
        return True
    if (values.get("people_an_hour") or 0) > source.people_an_hour:
        return True
    if not set(values.get("origins") or ()) <= set(source.origins):
        return True
    if values.get("creates_people") and not source.creates_people:
        return True
    named = {name: values[name] for name in ("user_id_field", "munchkin_id", "site_group") if values.get(name)}
    return any(_stripped(value) != getattr(source, name) for name, value in named.items())


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def identify_people(source: EventSource, by: Any) -> EventSource:
    """Identify people by a program's user ids, in `user_ids.FIELD`, which is made where it is missing.

    Raises `RejectedError` (`unknown_lookup_field`) where the name is taken by a field that is not unique.
    """
    require_permission(by, CHANGE)
    if not user_ids.lacks_field(source):
        return source
    with transaction.atomic():
        name = user_ids.find_or_make_field()
        if not name:
            why = user_ids.why_unidentified(source, field_catalogue())
            raise RejectedError(Problem(Code.UNKNOWN_LOOKUP_FIELD, why, ("user_id_field",)))
        return change_source(source, by, user_id_field=name)


def _difference(before: list[str], after: list[str]) -> str:
    """The added and removed values, such as "+https://b.example, -https://a.example"."""
    added = [f"+{origin}" for origin in after if origin not in before]
    return ", ".join([*added, *(f"-{origin}" for origin in before if origin not in after)])


@transaction.atomic
def rotate_key(source: EventSource, by: Any, overlap: timedelta) -> IssuedKey:
    """Issue a new key; earlier keys end after `overlap`, or earlier if they already end earlier."""
    require_permission(by, CHANGE)
    if not timedelta() <= overlap <= MAX_OVERLAP:
        expected = _("at most %(days)s days") % {"days": MAX_OVERLAP.days}
        raise RejectedError(bad_value(Code.OUT_OF_RANGE, expected, str(overlap), "overlap_hours"))
    locked, ends_at = _lock(source), timezone.now() + overlap
    live = locked.keys.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
    if overlap and live.count() >= MAX_LIVE_KEYS:  # without overlap all earlier keys end
        message = _("The event source has %(count)s keys that work. End one of them first.") % {"count": MAX_LIVE_KEYS}
        raise RejectedError(Problem(Code.TOO_MANY_KEYS, message))
    live.filter(Q(expires_at=None) | Q(expires_at__gt=ends_at)).update(expires_at=ends_at)
    issued = issue_key(locked, by)
    audit.write_audit_entry(by, locked, "key_issued", key=issued.key.lookup)
    return issued


@transaction.atomic
def end_key(source: EventSource, key_id: int, by: Any) -> SourceKey:
    """End a key of the source at once. Raises `RejectedError` (`unknown_write_key`, `key_expired`)."""
    require_permission(by, CHANGE)
    locked = _lock(source)
    key = locked.keys.filter(pk=key_id).first()
    if key is None:
        raise RejectedError(Problem(Code.UNKNOWN_WRITE_KEY, _("The event source has no such key.")))
    if not key.is_live:
        raise RejectedError(Problem(Code.KEY_EXPIRED, _("The key has ended already.")))
    key.expires_at = timezone.now()
    key.save(update_fields=["expires_at"])
    audit.write_audit_entry(by, locked, "key_ended", key=key.lookup)
    return key


def turn_on(source: EventSource, by: Any) -> EventSource:
    """Accept events of the source again."""
    return _SWITCH.set_to(source, by, True)


def turn_off(source: EventSource, by: Any) -> EventSource:
    """Accept nothing from the source until it is turned on again; keys and settings stay."""
    return _SWITCH.set_to(source, by, False)


@transaction.atomic
def delete_source(source: EventSource, by: Any) -> None:
    """Delete a source that never sent anything, with its keys. Raises `RejectedError` (`in_use`)."""
    require_permission(by, DELETE)
    locked = _lock(source)
    if has_data(locked):
        message = _("Something came in from “%(name)s”, so it stays. Turn it off instead.") % {"name": locked.name}
        raise RejectedError(Problem(Code.IN_USE, message))
    audit.write_audit_entry(by, locked, "deleted")
    locked.delete()


def has_data(source: EventSource) -> bool:
    """True if the source ever sent anything."""
    return (
        source.last_seen_at is not None
        or source.days.exists()
        or RefusedActivity.objects.filter(event_source=source).exists()
    )


def sources_with_user_ids_in(fields: Sequence[Any]) -> Iterable[EventSource]:
    """The sources whose user ids are looked up in one of these person fields."""
    return EventSource.objects.filter(user_id_field__in=[field.api_name for field in fields])


def reseal_secrets() -> int:
    """Seal all identity secrets under other keys again under the current key; return how many."""
    count = 0
    rows = SourceKey.objects.exclude(identity_secret=None).exclude(identity_key_name=sealing.current_key_name())
    for key in rows:
        assert key.identity_secret is not None
        name, sealed = sealing.seal_secret(sealing.unseal_secret(key.identity_key_name, key.identity_secret))
        count += SourceKey.objects.filter(pk=key.pk).update(identity_secret=sealed, identity_key_name=name)
    return count


def _lock(source: EventSource) -> EventSource:
    locked = EventSource.objects.select_for_update().filter(pk=source.pk).first()
    if locked is None:
        raise RejectedError(Problem(Code.UNKNOWN_SOURCE, _("The event source no longer exists.")))
    return locked


_SWITCH = Switch(CHANGE, _lock, ("turned_on", "turned_off"))


def _save(source: EventSource) -> None:
    message = _("There is already an event source “%(name)s”.") % {"name": source.name}
    taken = _("Another event source has this Munchkin ID.")
    with (
        naming.refuse_taken_name("event_source_name_is_unique", message),
        naming.refuse_taken_name("munchkin_id", taken, "munchkin_id", source.munchkin_id or ""),
    ):
        source.save()


# --- Checks ---------------------------------------------------------------------------------------------------


def _set(source: EventSource, values: Mapping[str, Any]) -> None:
    """Set checked values. Raises `RejectedError` with every problem."""
    if unknown := values.keys() - set(FIELDS):
        raise TypeError(f"an event source has no {', '.join(sorted(unknown))} to change")
    for name, value in values.items():
        setattr(source, name, value)
    source.munchkin_id = source.munchkin_id or None
    problems = [*_group(source), *_origins(source), *_consent(source), *_munchkin(source)]
    if "user_id_field" in values:
        problems += _user_ids(source)
    refuse_if([*problems, *_quota(source), *_new_people(source)])


def _group(source: EventSource) -> Iterator[Problem]:
    group = source.site_group
    if not isinstance(group, str) or not group.strip() or len(group) > MAX_GROUP or not group.isprintable():
        yield bad_value(Code.WRONG_TYPE, _("text on one line, at most 100 characters"), group, "site_group")
    else:
        source.site_group = group.strip()


def _origins(source: EventSource) -> Iterator[Problem]:
    origins = source.origins
    if not isinstance(origins, list) or len(origins) > MAX_ORIGINS:
        yield bad_value(Code.WRONG_TYPE, _("at most 50 origins"), origins, "origins")
        return
    if not source.is_browser:
        if origins:
            message = _("Only a web site has origins: the key of a program doesn't work in web pages.")
            yield Problem(Code.UNEXPECTED_VALUE, message, ("origins",))
        return
    if not origins:
        yield Problem(Code.MISSING_VALUE, _("Name at least one origin, like https://www.example.com."), ("origins",))
    parsed = []
    for index, text in enumerate(origins):
        origin = parse_origin(text) if isinstance(text, str) else None
        if origin is None:
            expected = _("scheme and host of a site, like https://www.example.com, without a path")
            yield bad_value(Code.BAD_ORIGIN, expected, text, "origins", index)
        elif origin not in parsed:
            parsed.append(origin)
    source.origins = parsed


def _consent(source: EventSource) -> Iterator[Problem]:
    if source.consent not in EventSource.Consent.values:
        yield bad_value(Code.UNKNOWN_WORD, ", ".join(EventSource.Consent.values), source.consent, "consent")


def _user_ids(source: EventSource) -> Iterator[Problem]:
    # the row stays locked, so that the field cannot stop being unique meanwhile
    list(PersonField.objects.select_for_update().filter(api_name=source.user_id_field).values_list("pk"))
    fields = people_lookup.lookup_fields()
    if source.user_id_field and source.user_id_field not in fields:
        yield bad_value(Code.UNKNOWN_LOOKUP_FIELD, ", ".join(fields), source.user_id_field, "user_id_field")


def _munchkin(source: EventSource) -> Iterator[Problem]:
    if source.munchkin_id is None:
        return
    if not isinstance(source.munchkin_id, str) or parse_munchkin_id(source.munchkin_id) != source.munchkin_id:
        yield bad_value(Code.WRONG_TYPE, _("an ID like 123-ABC-456"), source.munchkin_id, "munchkin_id")
    elif not source.is_browser:
        message = _("Only a web site has a Munchkin ID.")
        yield Problem(Code.UNEXPECTED_VALUE, message, ("munchkin_id",))


def _quota(source: EventSource) -> Iterator[Problem]:
    size = source.bytes_a_day
    if type(size) is not int or not 1 <= size <= MAX_BYTES_A_DAY:
        expected = _("a whole number from %(smallest)s to %(largest)s") % {"smallest": 1, "largest": MAX_BYTES_A_DAY}
        yield bad_value(Code.WRONG_TYPE, expected, size, "bytes_a_day")


def _new_people(source: EventSource) -> Iterator[Problem]:
    number = source.people_an_hour
    if type(number) is not int or not 0 <= number <= MAX_PEOPLE_AN_HOUR:
        expected = _("a whole number from %(smallest)s to %(largest)s") % {"smallest": 0, "largest": MAX_PEOPLE_AN_HOUR}
        yield bad_value(Code.WRONG_TYPE, expected, number, "people_an_hour")
    if type(source.creates_people) is not bool:
        yield bad_value(Code.WRONG_TYPE, _("true or false"), source.creates_people, "creates_people")
    elif source.creates_people and not source.is_browser:
        message = _("Only the pages of a web site make claims: what a program says is taken for true.")
        yield Problem(Code.UNEXPECTED_VALUE, message, ("creates_people",))
