"""Erasing and merging of people in the replies stored for Idempotency-Keys."""

from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from people.core import personal_data
from people.core.personal_data import Erasing, IdArray


def register_personal_data() -> None:
    """Register the table; called when the app starts."""
    # a reply shows a past state and holds copies of other tables' data; erasing a person includes the merged losers
    personal_data.register_personal_tables(
        IdArray("idempotent_reply", "person_ids", _("replies kept for repeated requests"), erase=_erase)
    )


def _erase(erasing: Erasing) -> None:
    """Erase the stored reply but keep its key, so that a repeated request still has no second effect."""
    names = "exists (select from unnest(%(texts)s::text[]) t where strpos(lower({}), t) > 0)"
    body = names.format("convert_from(body, 'UTF8')") + " or " + names.format("headers::text")
    parameters: dict[str, Any] = {"ids": list(erasing.person_ids), "texts": list(erasing.texts)}
    with connection.cursor() as cursor:
        cursor.execute(f"delete from idempotent_reply where {names.format('key')}", parameters)
        cursor.execute(
            f"""update idempotent_reply set body = null, headers = '{{}}', person_ids = '{{}}'
            where person_ids && %(ids)s::int[] or (body is not null and ({body}))""",
            parameters,
        )
