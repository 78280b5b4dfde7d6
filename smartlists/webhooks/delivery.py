"""Delivers queued webhook calls: in order for each person, retried for 24 hours with backoff and a circuit breaker.

A job drains one lane of one webhook; a lock excludes a second job. A call answered with 2xx is done. If the process
is killed between the answer and the note, the call is repeated under the same id.
"""

import logging
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any

from django.db.models import Exists, F, OuterRef
from django.utils import timezone
from standardwebhooks.webhooks import Webhook as StandardWebhook

from activities.sources import sealing
from people.core import jobs
from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.errors import RejectedError
from smartlists.models import StepOutcome, Webhook, WebhookDelivery
from smartlists.webhooks import headers as webhook_headers
from smartlists.webhooks import http as webhook_http
from smartlists.webhooks.http import CallFailedError, UnsafeAddressError

BATCH = 50
BUDGET_SECONDS = 20.0  # per job, so that other jobs get the worker
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=4)
BREAKER_AFTER, BREAKER_FIRST, BREAKER_LONGEST = 10, timedelta(seconds=30), timedelta(minutes=15)
# client errors worth a retry; any other 4xx status is final
TRY_AGAIN = frozenset({408, 425, 429})
logger = logging.getLogger(__name__)
State = WebhookDelivery.State
LANES = 2  # per webhook: calls for one person are made one after the other, calls of different lanes in parallel


def queue_delivery(webhook_id: int) -> None:
    """Queue one job per lane of the webhook once the current transaction is committed."""
    for lane in range(LANES):
        lock = f"webhook {webhook_id} {lane}"
        jobs.defer_job_once_committed("smartlists.deliver", lock, webhook_id=webhook_id, lane=lane)


def deliver_lane(webhook_id: int, lane: int, *, send: Any = webhook_http.send_request) -> float | None:
    """Make the due calls of one lane; return the seconds until the next run is needed, None if not at all."""
    started = monotonic()
    number = webhook_id * LANES + lane
    while _next(webhook_id, lane):
        with locks.try_session_lock(locks.LockSpace.DELIVERY, number) as is_mine:
            if not is_mine:
                return None
            while batch := _next(webhook_id, lane):
                blocked: set[int] = set()  # people with an earlier call that has to be made first
                for delivery in batch:
                    if delivery.person_id in blocked:
                        continue
                    if not _attempt(delivery, send):
                        blocked.add(delivery.person_id)
                    interval = 60 * LANES / delivery.webhook.per_minute
                    if monotonic() - started + interval > BUDGET_SECONDS:
                        return max(interval, 0.1)
                    sleep(interval)
    return _seconds_until_due(webhook_id, lane)


def lanes_with_due_calls() -> list[tuple[int, int]]:
    """The (webhook, lane) pairs with calls due now."""
    rows = WebhookDelivery.objects.filter(state=State.WAITING, due_at__lte=timezone.now())
    return sorted(set(rows.values_list("webhook_id", "lane")))


def _next(webhook_id: int, lane: int) -> list[WebhookDelivery]:
    """The next calls, each after all earlier calls for the person; none while the circuit is open."""
    now = timezone.now()
    if Webhook.objects.filter(pk=webhook_id, open_until__gt=now).exists():
        return []
    waiting = WebhookDelivery.objects.filter(webhook_id=webhook_id, lane=lane, state=State.WAITING)
    earlier = waiting.filter(person_id=OuterRef("person_id"), pk__lt=OuterRef("pk"), due_at__gt=now)
    due = waiting.filter(~Exists(earlier), due_at__lte=now).select_related("webhook").order_by("pk")
    return list(due[:BATCH])


def _seconds_until_due(webhook_id: int, lane: int) -> float | None:
    waiting = WebhookDelivery.objects.filter(webhook_id=webhook_id, lane=lane, state=State.WAITING)
    first = waiting.order_by("due_at").values_list("due_at", flat=True).first()
    opens = Webhook.objects.filter(pk=webhook_id).values_list("open_until", flat=True).first()
    if first is None:
        return None
    return max(0.1, (max(first, opens or first) - timezone.now()).total_seconds())


def _attempt(delivery: WebhookDelivery, send: Any) -> bool:
    """Make one call and store its result; return whether the person's next call may follow."""
    webhook = delivery.webhook
    if Webhook.objects.filter(pk=webhook.pk, open_until__gt=timezone.now()).exists():
        return False
    body = delivery.body.encode()
    try:
        headers = {
            **webhook_headers.headers_of(delivery),
            **signature_headers(webhook, str(delivery.key), body, timezone.now()),
        }
        reply = send(delivery.method, delivery.url, headers, body, seconds=webhook.timeout_seconds)
    except (UnsafeAddressError, RejectedError) as problem:
        return _finish(delivery, State.DEAD, problem=str(problem))
    except CallFailedError as problem:
        return _note_failure(delivery, None, str(problem), "")
    except Exception as error:  # a call that raises must not keep the others of its lane from being made
        if is_outage(error):
            raise
        logger.exception("call %s of webhook %s", delivery.pk, webhook.pk)
        return _try_again_later(delivery, None, type(error).__name__, "")  # no failure of the receiver's
    if reply.is_good:
        Webhook.objects.filter(pk=webhook.pk).exclude(failures=0).update(failures=0, open_until=None)
        return _finish(delivery, State.DELIVERED, reply.status, text=reply.text)
    if 400 <= reply.status < 500 and reply.status not in TRY_AGAIN:
        return _finish(delivery, State.DEAD, reply.status, f"HTTP {reply.status}", reply.text)
    return _note_failure(delivery, reply.status, f"HTTP {reply.status}", reply.text)


def signature_headers(webhook: Webhook, key: str, body: bytes, now: datetime) -> Mapping[str, str]:
    """The headers that let a receiver verify the origin, the time and the uniqueness of a call.

    They follow Standard Webhooks 1.0 (https://github.com/standard-webhooks/standard-webhooks), symmetric signatures:
    `webhook-signature` is "v1," and the base64 of HMAC-SHA256 over "<webhook-id>.<webhook-timestamp>.<body>".
    """
    moment = str(int(now.timestamp()))
    headers = {"webhook-id": key, "webhook-timestamp": moment}
    if webhook.secret is not None:
        secret = sealing.unseal_secret(webhook.secret_key_name, webhook.secret)
        headers["webhook-signature"] = StandardWebhook(secret).sign(key, now, body.decode())
    return headers


def _note_failure(delivery: WebhookDelivery, status: int | None, problem: str, text: str) -> bool:
    """Count a failure of the receiver and schedule a retry."""
    _count_failure(delivery.webhook_id)
    return _try_again_later(delivery, status, problem, text)


def _try_again_later(delivery: WebhookDelivery, status: int | None, problem: str, text: str) -> bool:
    """Schedule a retry with growing delay, until the 24 hours are over."""
    attempts = delivery.attempts + 1
    wait = min(FIRST_WAIT * 4 ** min(attempts - 1, 8), LONGEST_WAIT) * random.uniform(0.8, 1.2)
    due_at = timezone.now() + wait
    if due_at > delivery.give_up_at:
        return _finish(delivery, State.DEAD, status, problem, text)
    WebhookDelivery.objects.filter(pk=delivery.pk, state=State.WAITING).update(
        attempts=attempts, due_at=due_at, status=status, problem=problem[:500], response=text
    )
    return False


def _count_failure(webhook_id: int) -> None:
    """Count a failure; after ten in a row open the circuit for a while, then a single call tests it."""
    Webhook.objects.filter(pk=webhook_id).update(failures=F("failures") + 1)
    failures = Webhook.objects.values_list("failures", flat=True).get(pk=webhook_id)
    if failures >= BREAKER_AFTER:
        pause = min(BREAKER_FIRST * 2 ** min(failures - BREAKER_AFTER, 8), BREAKER_LONGEST)
        Webhook.objects.filter(pk=webhook_id).update(open_until=timezone.now() + pause)


def _finish(
    delivery: WebhookDelivery, state: str, status: int | None = None, problem: str = "", text: str = ""
) -> bool:
    """Store the final state of a call; the person's next call may follow."""
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        state=state,
        status=status,
        problem=problem[:500],
        response=text,
        attempts=delivery.attempts + 1,
        finished_at=timezone.now(),
    )
    outcome = StepOutcome.Outcome.DONE if state == State.DELIVERED else StepOutcome.Outcome.FAILED
    StepOutcome.objects.filter(entry_id=delivery.entry_id, path=delivery.path).update(
        outcome=outcome, detail=problem[:500] or f"HTTP {status}"
    )
    return True
