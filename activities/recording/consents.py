"""Recording of one consent, as the page of a person does; other channels record the activities themselves."""

from datetime import UTC, datetime, tzinfo

from django.utils import timezone

from activities.consent.state import CONSENTS, GIVEN, WITHDRAWN
from activities.recording import recorder
from activities.recording.rows import NewActivity, RecordOutcome
from people.core.source import Source


def record_consent(
    person_id: int,
    purpose: str,
    source: Source,
    *,
    is_given: bool,
    text: str = "",
    text_version: str = "",
    origin: str = "",
    occurred_at: datetime | None = None,
    zone: tzinfo = UTC,
) -> RecordOutcome:
    """Record that a person gave or withdrew consent (None: now); `text` is what they agreed to, `origin` where.

    For the purpose “email” the person is subscribed or unsubscribed by it.
    """
    values = {"text": text, "text_version": text_version, "source": origin}
    row = NewActivity(
        person_id, GIVEN if is_given else WITHDRAWN, occurred_at or timezone.now(), purpose, list(values.items())
    )
    (outcome,) = recorder.record_activities([row], source, zone=zone, may_record=CONSENTS, keep_refused=False)
    return outcome
