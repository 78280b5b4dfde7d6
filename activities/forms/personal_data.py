"""Merging, erasing and exporting the submissions of people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

from django.db import connection
from django.utils.translation import gettext_lazy as _

from activities.models import FormSubmission
from people.core import personal_data
from people.core.personal_data import Erasing, PersonRows, moved_rows


def register_submissions() -> None:
    """Register the table as personal data; called when the app starts."""
    personal_data.register_personal_tables(
        PersonRows(
            "form_submission",
            ("person_id", "visitor_id"),
            _("forms that they filled in"),
            erase=_erase,
            export=_export,
            keeps_ids=("visitor_id",),  # an id of no person
            **moved_rows(FormSubmission),
        )
    )


def _erase(erasing: Erasing) -> None:
    """Delete the submissions of these people, and those without a person that name them: spam, and what waits.

    They are named by what was typed, or by an address of a page, where texts are percent-encoded.
    """
    with connection.cursor() as cursor:
        cursor.execute("delete from form_submission where person_id = any(%s)", [list(erasing.person_ids)])
        if erasing.texts:
            cursor.execute(
                """delete from form_submission where person_id is null and exists (
                    select from unnest(%s::text[]) t where strpos(lower("values"::text || page::text), t) > 0)""",
                [sorted({*personal_data.stored_text_forms(erasing.texts), *_in_addresses(erasing.texts)})],
            )


def _in_addresses(texts: Sequence[str]) -> set[str]:
    """The texts as addresses have them, in lower case."""
    return {encode(text).lower() for text in texts for encode in (quote, quote_plus)}


def _export(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    rows = FormSubmission.objects.filter(person_id__in=person_ids).select_related("form", "consent").order_by("pk")
    for row in rows.iterator(chunk_size=1_000):
        yield {
            "id": row.pk,
            "person_id": row.person_id,
            "form": row.form.name,
            "state": row.state,
            "way": row.way,
            "occurred_at": row.occurred_at,
            "received_at": row.received_at,
            "values": row.values,
            "page": row.page,
            "ip_address": row.ip_address,
            "consent_text": row.consent.text if row.consent else None,
            "consent_version": row.consent.version if row.consent else None,
            "visitor_id": row.visitor_id,
        }
