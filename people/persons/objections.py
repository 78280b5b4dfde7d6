"""Objections to email: only consent subscribes an unsubscribed person again, and an objection outlives an erasure.

The proof of an erased person's objection is a keyed hash of the address: it reveals nothing except whether an address
that is imported again is that one.
"""

import hmac
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.conf import settings

from people.core.codes import Code
from people.core.errors import Problem
from people.core.messages import sentence as _
from people.core.source import Channel, Source
from people.datatypes import keys as datatype_keys
from people.models import Person, Suppression

FIELD, REASON_FIELD = "unsubscribed", "unsubscribed_reason"
REASON = "Objected before the personal data were erased"  # a stored value, in the one language of the data


def is_refused_opt_in(person: Person, values: Mapping[str, Any], source: Source) -> bool:
    """Return True if the new values subscribe a person again who has unsubscribed, and `source` may not do that.

    Allowed is what follows from a consent on record, and a change over the Marketo API, whose clients set the field and
    have no word for consent: there the change is recorded as a consent given to the client.
    """
    return _is_opt_in(person, values) and not source.is_consent and source.channel is not Channel.MARKETO


def withdraws_opt_out(earlier: Mapping[str, Any], values: dict[str, Any], source: Source) -> bool:
    """Return True if a row withdraws the opt-out of an earlier row about the same person in one batch.

    Over the Marketo API, where such a row succeeds, the opt-out is kept: the value is removed from `values`.
    """
    if earlier.get(FIELD) is not True or values.get(FIELD, True) is True:
        return False
    if source.channel is Channel.MARKETO:
        _leave_unsubscribed(values)
        return False
    return True


def log_entries(fields: Collection[str]) -> int:
    """The most entries in the log of a row with these fields: one a value, one a new person, and one of a consent."""
    return len(fields) + 1 + (FIELD in fields)


def opt_in_problem() -> Problem:
    message = _("has unsubscribed: record a consent for email to subscribe this person again")
    return Problem(Code.CONSENT_NEEDED, message, (FIELD,))


def keep_objections(targets: Sequence[tuple[Person, dict[str, Any]]], source: Source) -> dict[int, datetime]:
    """Keep in the new values of people what their owners objected to who were erased; return since when, by place.

    A person who gets such an address is unsubscribed. Over the Marketo API, where an opt-in succeeds, nothing changes
    for people who have one. The other people who are subscribed again lose the reason why they had unsubscribed.
    """
    opting_in = [_is_opt_in(person, values) for person, values in targets]
    addresses = {
        place: set(_addresses(person, values, opting_in[place])) for place, (person, values) in enumerate(targets)
    }
    every_address = {address for keys in addresses.values() for address in keys}
    suppressed = _suppressed(every_address) if every_address and Suppression.objects.exists() else {}
    kept = {}
    for place, (person, values) in enumerate(targets):
        objections = [suppressed[address] for address in addresses[place] if address in suppressed]
        if objections and opting_in[place] and source.channel is Channel.MARKETO and not source.is_consent:
            _leave_unsubscribed(values)
        elif objections and _gets_address(person, values):
            kept[place] = max(objections)
            values |= {FIELD: True, REASON_FIELD: values.get(REASON_FIELD) or REASON}
        elif opting_in[place] and not source.is_consent:
            values.setdefault(REASON_FIELD, None)
    return kept


def suppress_addresses(people: Iterable[Person]) -> None:
    """Keep the objections of people who are about to be erased, with those merged into them.

    A merged person's does not count for the address of a winner who has consented since.
    """
    people = [person for person in people if person.email]
    subscribed = {_key_of(person) for person in people if person.merged_into_id is None and not person.unsubscribed}
    addresses = {
        _key_of(person)
        for person in people
        if person.unsubscribed and (person.merged_into_id is None or _key_of(person) not in subscribed)
    }
    Suppression.objects.bulk_create(
        [Suppression(address_hash=_address_hash(address)) for address in sorted(addresses)], ignore_conflicts=True
    )


def lift_objections(consents: Iterable[tuple[str | None, datetime]]) -> None:
    """Forget the objections to these addresses, whose owners consented at these moments, after they had objected."""
    latest: dict[str, datetime] = {}
    for email, moment in consents:
        if email:
            key = datatype_keys.key_of(email)
            latest[key] = max(moment, latest.get(key, moment))
    lifted = [address for address, since in _suppressed(latest).items() if since < latest[address]]
    if lifted:
        Suppression.objects.filter(address_hash__in=[_address_hash(address) for address in lifted]).delete()


def _is_opt_in(person: Person, values: Mapping[str, Any]) -> bool:
    return person.unsubscribed is True and FIELD in values and values[FIELD] is not True


def _leave_unsubscribed(values: dict[str, Any]) -> None:
    """Remove an opt-in from the values of a person, and the loss of the reason that comes with it."""
    del values[FIELD]
    if values.get(REASON_FIELD, "") is None:
        del values[REASON_FIELD]


def _addresses(person: Person, values: Mapping[str, Any], is_opt_in: bool) -> Iterator[str]:
    """The addresses whose objections matter to the change: one that the person gets, and one of an opt-in."""
    if _gets_address(person, values):
        yield datatype_keys.key_of(values["email"])
    if is_opt_in and person.email:
        yield _key_of(person)


def _gets_address(person: Person, values: Mapping[str, Any]) -> bool:
    return values.get("email") is not None and not _is_address_of(person, values["email"])


def _key_of(person: Person) -> str:
    return datatype_keys.key_of(person.email)


def _is_address_of(person: Person, email: str) -> bool:
    return person.email is not None and datatype_keys.key_of(person.email) == datatype_keys.key_of(email)


def _suppressed(addresses: Iterable[str]) -> dict[str, datetime]:
    """Those of the addresses whose owners objected and were erased, and since when."""
    by_hash = {_address_hash(address): address for address in addresses}
    if not by_hash:
        return {}
    rows = Suppression.objects.filter(address_hash__in=list(by_hash)).values_list("address_hash", "created_at")
    return {by_hash[bytes(address_hash)]: created_at for address_hash, created_at in rows}


def _address_hash(address: str) -> bytes:
    key = settings.SUPPRESSION_KEY or settings.SECRET_KEY
    return hmac.new(f"suppression:{key}".encode(), address.encode(), sha256).digest()
