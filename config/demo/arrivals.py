"""The demo's form, a program with events that no activity type takes yet, and webhooks in both directions."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from activities.forms import editing as form_editing
from activities.forms.fields import form_inputs
from activities.forms.reading import CONSENT, read_form
from activities.forms.submitting import Sender as FormSender
from activities.forms.submitting import Way, submit_form
from activities.inbox import editing as inbox_editing
from activities.models import EventSource, Form, FormSubmission, Sighting, SourceDay, SourceKey
from activities.segment.messages import read_messages
from activities.segment.wire import parse_envelope
from activities.sources import editing as source_editing
from activities.sources.authentication import Sender
from activities.tracking.agents import parse_agent
from activities.tracking.committing import commit_submissions
from activities.tracking.live_types import load_live_types
from activities.tracking.reading import Client
from activities.tracking.submissions import Submission
from config.demo.activities import BRANCHES, MODELS
from config.demo.deleting import try_delete
from config.demo.links import DESKTOP, PHONE
from people.datatypes import naming
from people.models import Person
from smartlists.models import Webhook
from smartlists.webhooks import editing as webhook_editing

SEED = 1903
Text = Mapping[str, str]  # by language
FORM: Text = {"en": "Request a test drive", "es": "Solicitar una prueba de conducción"}
CONSENT_TEXT: Text = {
    "en": "Write to me about new models and offers.",
    "es": "Escríbanme sobre nuevos modelos y ofertas.",
}
PROGRAM: Text = {"en": "Showroom app", "es": "Aplicación del concesionario"}
INBOUND: Text = {"en": "Workshop calendar", "es": "Agenda del taller"}
OUTBOUND: Text = {"en": "Showroom's till", "es": "Caja del concesionario"}
TILL_URL = "https://www.example.com/hooks/leads"
FIELDS = ("email", "first_name", "last_name", "phone")
REQUESTS = 14  # submissions of the form
# (name of the event, number): no type has these names
EVENTS: Sequence[tuple[str, int]] = (("Configurator Saved", 9), ("Brochure Downloaded", 6), ("Trade-in Valued", 3))


def make_form(people: Sequence[int], language: str, by: Any) -> Form:
    """Make the form, filled in by the last of these people over the past three weeks."""
    form = form_editing.create_form(
        naming.numbered_name(FORM[language], Form.objects.values_list("name", flat=True), " ({})"),
        by,
        fields=[{"field": name, "is_required": name == "first_name"} for name in FIELDS],
        consent={"purpose": "email", "text": CONSENT_TEXT[language], "version": "1"},
    )
    now = timezone.now()
    rows = Person.objects.filter(pk__in=people[-REQUESTS:], email__isnull=False).order_by("pk")
    for number, person in enumerate(rows):
        raw = {"email": person.email, "first_name": person.first_name, "last_name": person.last_name}
        raw |= {CONSENT: "1"} if number % 3 == 0 and not person.unsubscribed else {}
        sender = FormSender(Way.PAGE, parse_agent(PHONE if number % 2 else DESKTOP))
        moment = now - timedelta(days=1.5 * (REQUESTS - 1 - number), minutes=25)
        submit_form(form, read_form(form, form_inputs(form), raw, now), sender, f"demo-{number}", moment)
    return form


def make_program(people: Sequence[int], language: str, by: Any) -> EventSource:
    """Make the program, whose events wait in the inbox. Its write key is not shown."""
    name = naming.numbered_name(PROGRAM[language], EventSource.objects.values_list("name", flat=True), " ({})")
    program = source_editing.create_source(name, EventSource.Kind.SERVER, by, user_id_field="").key.source
    rows = Person.objects.filter(pk__in=people, email__isnull=False).order_by("pk")
    emails = [email for email in rows.values_list("email", flat=True) if email]
    now = timezone.now()
    body = json.dumps({"batch": list(_messages(emails)), "sentAt": now.isoformat()}).encode()
    client = Client(Sender(program, SourceKey(source=program), None), now, parse_agent(""))
    items = read_messages(parse_envelope("batch", body), client, load_live_types())
    commit_submissions([Submission(program.pk, len(body), items)])
    return program


def make_webhooks(language: str, by: Any) -> tuple[EventSource, Webhook]:
    """Make an inbound webhook, which was not called yet, and one that campaigns can call."""
    name = naming.numbered_name(INBOUND[language], EventSource.objects.values_list("name", flat=True), " ({})")
    inbound = source_editing.create_source(name, EventSource.Kind.WEBHOOK, by).key.source
    name = naming.numbered_name(OUTBOUND[language], Webhook.objects.values_list("name", flat=True), " ({})")
    webhook, _secret = webhook_editing.create_webhook(name, by, url=TILL_URL)
    return inbound, webhook


def remove_webhooks(ids: Sequence[int], by: Any) -> Iterator[str]:
    """Delete the webhooks that campaigns can call; yield a sentence for each that a campaign of the team's calls."""
    for webhook in Webhook.objects.filter(pk__in=ids):
        if reason := try_delete(webhook, webhook_editing.delete_webhook, by):
            yield reason


def remove_forms(ids: Sequence[int], by: Any) -> Iterator[str]:
    """Delete the forms with what the demo's people sent; yield a sentence for each that others filled in, too."""
    for form in Form.objects.filter(pk__in=ids):
        FormSubmission.objects.filter(form=form, message_id__startswith="demo-").delete()
        if reason := try_delete(form, form_editing.delete_form, by):
            yield reason


def remove_sources(ids: Sequence[int], by: Any) -> Iterator[str]:
    """Delete the program, with what waits of it, and the inbound webhook; yield a sentence for each that stays."""
    for source in EventSource.objects.filter(pk__in=ids):
        if source.kind == EventSource.Kind.SERVER and SourceDay.objects.filter(source=source).count() < 2:
            for sighting in Sighting.objects.filter(source=source):
                inbox_editing.forget_name(sighting, by)
            SourceDay.objects.filter(source=source).delete()
            EventSource.objects.filter(pk=source.pk).update(last_seen_at=None)
        if reason := try_delete(source, source_editing.delete_source, by):  # it has sent more than the demo
            yield reason


def _messages(emails: Sequence[str | None]) -> Iterator[dict[str, Any]]:
    chance = random.Random(SEED)
    now = timezone.now()
    for event, number in EVENTS:
        for place in range(number):
            yield {
                "type": "track",
                "messageId": f"demo-{event}-{place}",
                "timestamp": (now - timedelta(minutes=11 + chance.randrange(600))).isoformat(),
                "userId": chance.choice(emails),
                "event": event,
                "properties": {
                    "model": chance.choice(list(MODELS)),
                    "branch": chance.choice(BRANCHES),
                    "price": chance.randrange(18_000, 46_000),
                },
                "context": {"library": {"name": "analytics-node", "version": "2.3.0"}},
            }
