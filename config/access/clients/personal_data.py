"""What erasing and merging a person means for the replies that Idempotency-Keys are answered with."""

from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from people.core import personal_data
from people.core.personal_data import Erasing, IdArray


def register() -> None:
    """Make the table known; called when the app starts."""
    # a reply says how things were, and holds copies of what other tables have; who is erased later takes the losers'
    personal_data.register(
        IdArray("idempotent_reply", "person_ids", _("replies kept for repeated requests"), erase=_erase)
    )


def _erase(erasing: Erasing) -> None:
    """Forget what was answered, not that the request was done: its key still does nothing twice."""
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
