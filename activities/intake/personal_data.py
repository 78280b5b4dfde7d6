"""Erasing and forgetting kept requests.

Those that are not stuck are processed within seconds: an erase leaves them. Their events of an erased visitor are
dropped then, as all that come after the erase.
"""

from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from activities.models import IntakeRequest
from people.core import personal_data
from people.core.personal_data import Erasing, PersonalData


def register_intake() -> None:
    """Register the table as personal data; called when the app starts."""
    personal_data.register_personal_tables(
        PersonalData("intake_request", (), _("requests of programs that could not be processed"), erase=_erase)
    )


def _erase(erasing: Erasing) -> None:
    """Delete stuck requests that have a text of these people: a request is a whole."""
    with connection.cursor() as cursor:
        cursor.execute(
            """delete from intake_request r where is_stuck and exists (
                select from unnest(%s::text[]) t where strpos(lower(convert_from(r.body, 'UTF8')), t) > 0)""",
            [personal_data.stored_text_forms(erasing.texts)],
        )


def forget_old_requests() -> int:
    """Delete requests that have been stuck for QUARANTINE_DAYS; return their number."""
    before = timezone.now() - timedelta(days=settings.QUARANTINE_DAYS)
    return IntakeRequest.objects.filter(is_stuck=True, received_at__lt=before).delete()[0]
