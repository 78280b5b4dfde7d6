"""Objections to email: who has unsubscribed is subscribed again by consent alone, and an objection outlives an erasure.

What proves an erased person's objection is a keyed hash of the address: it tells nothing but whether an address that
somebody brings back is one of them.
"""

import hmac
from collections.abc import Iterable, Mapping
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
    know of no consent: there the change is recorded as a consent given to the client.
    """
    is_opt_in = person.unsubscribed is True and FIELD in values and values[FIELD] is not True
    return is_opt_in and not source.is_consent and source.channel is not Channel.MARKETO


def opt_in_problem() -> Problem:
    message = _("has unsubscribed: record a consent for email to subscribe this person again")
    return Problem(Code.CONSENT_NEEDED, message, (FIELD,))


def keep_objections(targets: Iterable[tuple[Person, dict[str, Any]]]) -> None:
    """Unsubscribe, in their new values, the people who get an address whose owner objected and was erased."""
    arriving = [
        (datatype_keys.key_of(values["email"]), values)
        for person, values in targets
        if values.get("email") is not None and not _is_address_of(person, values["email"])
    ]
    if not arriving or not Suppression.objects.exists():
        return
    suppressed = _suppressed(key for key, _values in arriving)
    for key, values in arriving:
        if key in suppressed:
            values |= {FIELD: True, REASON_FIELD: values.get(REASON_FIELD) or REASON}


def suppress_addresses(people: Iterable[Person]) -> None:
    """Keep the objections of people who are about to be erased."""
    addresses = {datatype_keys.key_of(person.email) for person in people if person.unsubscribed and person.email}
    Suppression.objects.bulk_create(
        [Suppression(address_hash=_address_hash(address)) for address in sorted(addresses)], ignore_conflicts=True
    )


def lift_objections(emails: Iterable[str | None]) -> None:
    """Forget the objections to these addresses, whose owners consented since."""
    hashes = [_address_hash(datatype_keys.key_of(email)) for email in emails if email]
    if hashes:
        Suppression.objects.filter(address_hash__in=hashes).delete()


def _is_address_of(person: Person, email: str) -> bool:
    return person.email is not None and datatype_keys.key_of(person.email) == datatype_keys.key_of(email)


def _suppressed(addresses: Iterable[str]) -> set[str]:
    by_hash = {_address_hash(address): address for address in addresses}
    found = Suppression.objects.filter(address_hash__in=list(by_hash)).values_list("address_hash", flat=True)
    return {by_hash[bytes(address_hash)] for address_hash in found}


def _address_hash(address: str) -> bytes:
    key = settings.SUPPRESSION_KEY or settings.SECRET_KEY
    return hmac.new(f"suppression:{key}".encode(), address.encode(), sha256).digest()
