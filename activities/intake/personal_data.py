"""Erasing and forgetting kept requests.

Those that came within the last seconds are being processed: an erase leaves them. Their events of an erased visitor are
dropped then, as all that come after the erase.
"""

import json
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from activities.models import IntakeRequest
from people.core import personal_data
from people.core.personal_data import Erasing, PersonalData

RECENT = timedelta(seconds=5)
CHUNK = 20  # requests of up to 512 KiB in memory


def register_intake() -> None:
    """Register the table as personal data; called when the app starts."""
    personal_data.register_personal_tables(
        PersonalData("intake_request", (), _("requests of programs that could not be processed"), erase=_erase)
    )


def _erase(erasing: Erasing) -> None:
    """Delete requests that have a text of these people, and are stuck, to be tried again or in a backlog.

    A request is a whole. Waits for none that is being processed.
    """
    texts = [_folded(text) for text in personal_data.stored_text_forms(erasing.texts)]
    waiting = Q(is_stuck=True) | Q(try_at__isnull=False) | Q(received_at__lt=timezone.now() - RECENT)
    rows = IntakeRequest.objects.filter(waiting).order_by("pk").values_list("pk", "body")
    named = [pk for pk, body in rows.iterator(chunk_size=CHUNK) if _names_any(bytes(body), texts)]
    free = IntakeRequest.objects.filter(pk__in=named).order_by("pk").select_for_update(skip_locked=True)
    IntakeRequest.objects.filter(pk__in=list(free.values_list("pk", flat=True))).delete()


def _names_any(body: bytes, texts: Iterable[str]) -> bool:
    """True where one of the folded texts is in the body, as it came or without the escapes of JSON."""
    text = body.decode("utf-8", "replace")
    if "\\" in text:
        with suppress(ValueError, RecursionError):
            text += json.dumps(json.loads(text), ensure_ascii=False)
    folded = _folded(text)
    return any(text in folded for text in texts)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).lower()


def forget_old_requests() -> int:
    """Delete requests that have been stuck for QUARANTINE_DAYS; return their number."""
    before = timezone.now() - timedelta(days=settings.QUARANTINE_DAYS)
    return IntakeRequest.objects.filter(is_stuck=True, received_at__lt=before).delete()[0]
