"""Erasing and forgetting kept requests.

Those that came within the last seconds are being processed: an erase leaves them. Their events of an erased visitor are
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

RECENT = timedelta(seconds=5)


def register_intake() -> None:
    """Register the table as personal data; called when the app starts."""
    personal_data.register_personal_tables(
        PersonalData("intake_request", (), _("requests of programs that could not be processed"), erase=_erase)
    )


def _erase(erasing: Erasing) -> None:
    """Delete requests that have a text of these people, and are stuck, to be tried again or in a backlog.

    A request is a whole. Waits for none that is being processed.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """delete from intake_request where id in (
                select id from intake_request r
                where (is_stuck or try_at is not null or received_at < %s) and exists (
                    select from unnest(%s::text[]) t where strpos(lower(convert_from(r.body, 'UTF8')), t) > 0)
                order by id for update skip locked)""",
            [timezone.now() - RECENT, personal_data.stored_text_forms(erasing.texts)],
        )


def forget_old_requests() -> int:
    """Delete requests that have been stuck for QUARANTINE_DAYS; return their number."""
    before = timezone.now() - timedelta(days=settings.QUARANTINE_DAYS)
    return IntakeRequest.objects.filter(is_stuck=True, received_at__lt=before).delete()[0]
