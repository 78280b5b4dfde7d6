"""Alert e-mails: stored in the transaction of their step, sent by a job, never to unsubscribed people."""

import logging
import smtplib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext as _

from people.core import jobs
from people.core.db import locks
from people.core.db.outages import is_outage
from people.models import Person
from smartlists.campaigns import token_values
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.models import AlertEmail, StepOutcome
from smartlists.webhooks import tokens as webhook_tokens

MAX_ATTEMPTS = 10
MAX_SUBJECT = 255
BATCH = 100
LANE = 2**40  # of the lock that keeps two jobs from sending at once; webhooks have smaller numbers
logger = logging.getLogger(__name__)
State = AlertEmail.State


def queue_alerts(step: campaign_definition.SendAlert, entries: Sequence[Any], situation: Any) -> None:
    """Store one e-mail per entry, and queue a job that sends them once this transaction is committed."""
    subjects = token_values.render_for_entries(step.subject, entries, situation, webhook_tokens.to_one_line)
    bodies = token_values.render_for_entries(step.body, entries, situation)
    AlertEmail.objects.bulk_create(
        AlertEmail(
            entry_id=entry.id,
            path=situation.path,
            person_id=entry.person_id,
            recipients=list(step.to),
            subject=webhook_tokens.to_one_line(subjects[entry.id])[:MAX_SUBJECT],
            body=bodies[entry.id],
        )
        for entry in entries
    )
    jobs.defer_job_once_committed("smartlists.send_alerts", "smartlists.send_alerts")


def send_alerts() -> int:
    """Send the waiting e-mails, the oldest first; return how many were sent.

    An e-mail may be sent twice if the process is killed between sending and noting it; its Message-ID is then the same.
    """
    sent = 0
    with locks.try_session_lock(locks.LockSpace.DELIVERY, LANE) as is_mine:
        while is_mine and (waiting := list(AlertEmail.objects.filter(_due()).order_by("id")[:BATCH])):
            sent += _send_all(waiting)
            if len(waiting) < BATCH:
                break
    return sent


def _due() -> Q:
    """The condition for waiting e-mails whose next attempt is due; each further attempt waits longer."""
    now = timezone.now()
    retry_due = Q()
    for attempts in range(1, MAX_ATTEMPTS):
        retry_due |= Q(attempts=attempts, finished_at__lt=now - timedelta(minutes=2**attempts))
    return Q(state=State.WAITING) & (Q(attempts=0) | retry_due)


def _send_all(emails: Sequence[AlertEmail]) -> int:
    refused = unsubscribed_addresses({address for email in emails for address in email.recipients})
    sent = 0
    try:
        with get_connection() as server:
            for email in emails:
                recipients = [address for address in email.recipients if address.lower() not in refused]
                sent += _send(email, recipients, server)
    except (OSError, smtplib.SMTPException) as error:  # the server is unavailable: all e-mails wait
        logger.warning("alert e-mails wait: %s", error)
        for email in emails:
            if email.state == State.WAITING and not email.problem:
                _postpone(email, error)
    return sent


def unsubscribed_addresses(addresses: set[str]) -> set[str]:
    """The addresses, in lower case, that belong to unsubscribed people."""
    keys = [address.lower() for address in addresses]
    people = Person.objects.live().filter(unsubscribed=True).annotate(key=Lower("email"))
    return set(people.filter(key__in=keys).values_list("key", flat=True))


def _send(email: AlertEmail, recipients: list[str], server: Any) -> int:
    if not recipients:
        _finish(email, State.FAILED, _("all recipients have unsubscribed"))
        return 0
    if not settings.EMAIL_IS_SET_UP:
        _finish(email, State.FAILED, _("no email server is set up (EMAIL_URL)"))
        return 0
    headers = {"Message-ID": f"<campaign-{email.pk}-{email.created_at.timestamp():.6f}@custom-activities>"}
    try:
        EmailMessage(email.subject, email.body, None, recipients, headers=headers, connection=server).send()
    except (OSError, smtplib.SMTPException) as error:
        _postpone(email, error)
        return 0
    except Exception as error:  # an email that cannot even be written must not keep the others from being sent
        if is_outage(error):
            raise
        logger.exception("alert email %s", email.pk)
        _postpone(email, error)
        return 0
    _finish(email, State.SENT)
    return 1


def _postpone(email: AlertEmail, error: Exception) -> None:
    email.attempts += 1
    email.problem = f"{type(error).__name__}: {error}"[:500]
    if email.attempts >= MAX_ATTEMPTS:
        _finish(email, State.FAILED, email.problem)
    else:
        AlertEmail.objects.filter(pk=email.pk).update(
            attempts=email.attempts, problem=email.problem, finished_at=timezone.now()
        )


def _finish(email: AlertEmail, state: str, problem: str = "") -> None:
    email.state = state
    AlertEmail.objects.filter(pk=email.pk).update(
        state=state, problem=problem, finished_at=timezone.now(), attempts=email.attempts + 1
    )
    outcome = StepOutcome.Outcome.DONE if state == State.SENT else StepOutcome.Outcome.FAILED
    StepOutcome.objects.filter(entry_id=email.entry_id, path=email.path).update(outcome=outcome, detail=problem)
