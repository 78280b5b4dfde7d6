"""Takes submissions: each is stored once; what is neither spam nor undecided is recorded in the same transaction.

Locks are taken in this order: people (shared), the submission's content or id, the visitor, look-up values and rows of
people, types (shared) and external ids: first those of what waited of the visitor, then those of the submission.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone

from activities.forms import codes, effects
from activities.forms.reading import Reading
from activities.models import Form, FormSubmission
from activities.rights import RECORD_ACTIVITY
from activities.tracking.addresses import Address, campaign_values
from activities.tracking.agents import Agent
from activities.visitors import ownership
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.core.source import Channel, Source
from people.datatypes import exact_json
from people.rights import ADD_PERSON, CHANGE_PERSON

State = FormSubmission.State
Way = FormSubmission.Way
RECORD = RECORD_ACTIVITY
# of programs that submit for a person: whatever a submission does
SUBMIT_RIGHTS = (RECORD, ADD_PERSON, CHANGE_PERSON)
REPEATED_WITHIN = timedelta(minutes=10)  # the same content again, without an id, is a double click or a reload
INVALID = "invalid_values"
WITH_CODE = frozenset({Way.PAGE, Way.HTML})  # ways whose visitors read a page of ours afterwards
TRUSTED = frozenset({Way.KIOSK, Way.API})  # ways with a secret: no limit of new people


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of a submission. `ip_address` is masked already; `token`: of the browser's cookie."""

    way: FormSubmission.Way
    agent: Agent | None = None
    ip_address: str = ""
    page: Address | None = None
    referrer: Address | None = None
    token: str = ""
    visitor_id: int | None = None
    user_id: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)  # more values of Fill Out Form, by API name


@dataclass(frozen=True, slots=True)
class Outcome:
    """A stored submission. `is_repeat`: it was stored before, with the same content."""

    submission: FormSubmission
    is_repeat: bool = False


def submit_form(
    form: Form, reading: Reading, sender: Sender, message_id: str = "", occurred_at: datetime | None = None
) -> Outcome:
    """Store one submission and record it: person, Fill Out Form, consent, and at a kiosk Attend Event.

    Without a message id the same content counts once within ten minutes. Spam is stored and not recorded; neither is
    what cannot be decided (two people with the address, too many new people), which waits for the team.
    Raises `RejectedError`: `wrong_state` for an archived form, the problems of the reading except at a kiosk, where
    the visitor has left and cannot correct them, and `external_id_reused` for a message id with other content.
    """
    if form.is_archived:
        raise RejectedError(Problem(Code.WRONG_STATE, _("This form is closed.")))
    if reading.problems and not reading.spam and sender.way is not Way.KIOSK:
        raise RejectedError(*reading.problems)
    digest, now = content_digest(reading), timezone.now()
    values = _columns(reading, sender, digest, occurred_at or now)
    with transaction.atomic():
        ownership.share_lock_of_people()
        # without an id: one that follows from content and way
        key = message_id or _key_of_content(form, values, now)
        former = FormSubmission.objects.filter(form=form, message_id=key).first()
        if former is None:
            if form.event and sender.way in WITH_CODE:
                values["code_hash"] = codes.hash_code(codes.submission_code(form, key))
            # waits for a concurrent one with the same id, and then finds it
            former, is_new = FormSubmission.objects.get_or_create(form=form, message_id=key, defaults=values)
            if is_new:
                return Outcome(_record(former, sender))
        if bytes(former.digest) != digest:
            message = _("id “%(id)s” was sent before with other content") % {"id": former.message_id}
            raise RejectedError(Problem(Code.EXTERNAL_ID_REUSED, message, ("id",)))
        return Outcome(former, is_repeat=True)


def content_digest(reading: Reading) -> bytes:
    """The digest of what a visitor typed and agreed to, independent of how and when it was sent."""
    content = {"values": reading.values, "consent": reading.consent.version if reading.consent else None}
    return blake2b(exact_json.dump_exact_json(content, str, orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _key_of_content(form: Form, values: Mapping[str, Any], now: datetime) -> str:
    """The id of a submission without one: that of the same content sent the same way lately, or a new one.

    After spam with this content the next honest one is another submission.
    """
    period = int(now.timestamp() // REPEATED_WITHIN.total_seconds())
    base = f"content:{values['way']}:{bytes(values['digest']).hex()}"
    # of two that come at once, at the turn of a period, the second one sees the first
    number = locks.lock_number("form", str(form.pk), base)
    locks.acquire_exclusive([locks.lock_key(locks.LockSpace.FORM_CONTENT, number)])
    rows = FormSubmission.objects.filter(form=form)
    for number in (period, period - 1):
        key = f"{base}:{number}"
        while (former := rows.filter(message_id=key).only("state").first()) is not None:
            if former.state != State.SPAM or values["state"] == State.SPAM:
                return key
            key = f"{base}:{number}:{former.pk}"
        if number == period:
            new = key
    return new


def spam_reason(reading: Reading, sender: Sender) -> str:
    """By what a submission is spam, in stable words; empty for one of a person."""
    is_bot = sender.agent is not None and sender.agent.is_bot and sender.way not in TRUSTED
    return reading.spam or ("bot" if is_bot else "")


def _columns(reading: Reading, sender: Sender, digest: bytes, occurred_at: datetime) -> dict[str, Any]:
    reason = spam_reason(reading, sender)
    is_invalid = bool(reading.problems) and not reason
    state = State.SPAM if reason else State.HELD if is_invalid else State.RECORDED
    return {
        "digest": digest,
        "state": state,
        "reason": INVALID if is_invalid else reason,
        "way": sender.way,
        "values": reading.values,
        "page": _page_values(sender),
        "ip_address": sender.ip_address,
        "consent": reading.consent,
        "user_id": sender.user_id,
        "occurred_at": occurred_at,
    }


def _page_values(sender: Sender) -> dict[str, Any]:
    """The values of page and browser, by the API names of Fill Out Form's fields."""
    values: dict[str, Any] = {"client_ip_address": sender.ip_address}
    if sender.agent is not None:
        values |= sender.agent.values()
    if sender.referrer is not None:
        values["referrer_url"] = sender.referrer.url
    if sender.page is not None:
        page = sender.page
        values |= {"url": page.url, "query_parameters": page.query, "query": page.query, **campaign_values(page)}
    return {name: value for name, value in {**values, **sender.values}.items() if value not in ("", None)}


def _record(submission: FormSubmission, sender: Sender) -> FormSubmission:
    if submission.state == State.RECORDED:
        source = form_source(submission.form, sender.user_id)
        # a kiosk's browser belongs to no person: its cookie would make all guests one visitor
        is_kiosk = sender.way is Way.KIOSK
        visitor_id = None if is_kiosk else sender.visitor_id or effects.find_visitor(submission.form, sender.token)
        effects.record_submission(submission, source, visitor_id=visitor_id, is_trusted=sender.way in TRUSTED)
    effects.notify_team(submission)
    return submission


def form_source(form: Form, user_id: int | None = None, *, is_backfill: bool = False) -> Source:
    """The source of what a form changes and records."""
    return Source(
        Channel.FORM,
        user_id,
        origin_id=form.pk,
        reason=form.name[:200],
        event_source_id=form.website_id,
        is_backfill=is_backfill,
    )
