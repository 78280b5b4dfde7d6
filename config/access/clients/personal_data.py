"""What erasing and merging a person means for the replies that Idempotency-Keys are answered with."""

from collections.abc import Sequence

from django.db import connection
from django.utils.translation import gettext_lazy as _

from people.core import personal_data
from people.core.personal_data import Erasing, Owned


def register() -> None:
    """Make the table known; called when the app starts."""
    personal_data.register(
        Owned(
            table="idempotent_reply",
            columns=("person_ids",),
            label=_("replies kept for repeated requests"),
            # a reply says how things were; an erase of the winner takes the losers' with it
            merge=personal_data.nothing,
            undo=personal_data.nothing,
            erase=_erase,
            export=personal_data.no_rows,  # copies of what the other tables have
            count=_count,
        )
    )


def _erase(erasing: Erasing) -> None:
    """Forget what was answered, not that the request was done: its key still does nothing twice."""
    names = "exists (select from unnest(%(texts)s::text[]) t where strpos(lower({}), t) > 0)"
    body = names.format("convert_from(body, 'UTF8')") + " or " + names.format("headers::text")
    parameters = {"ids": list(erasing.person_ids), "texts": list(erasing.texts)}
    with connection.cursor() as cursor:
        cursor.execute(f"delete from idempotent_reply where {names.format('key')}", parameters)
        cursor.execute(
            f"""update idempotent_reply set body = null, headers = '{{}}', person_ids = '{{}}'
            where person_ids && %(ids)s::int[] or (body is not null and ({body}))""",
            parameters,
        )


def _count(person_ids: Sequence[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from idempotent_reply where person_ids && %s::int[]", [list(person_ids)])
        return cursor.fetchone()[0]
