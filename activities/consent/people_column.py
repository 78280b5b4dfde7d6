"""The consent for email as a column of the list of people, and of exports."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy

from activities.consent.state import EMAIL, GIVEN, WITHDRAWN, consent_state, latest_consent_sql
from activities.rights import VIEW_ACTIVITY
from people.directory import columns
from people.directory.columns import ColumnSource, ComputedColumn

NAME = "consent.email"
VIEW = VIEW_ACTIVITY
WORDS = {True: gettext_lazy("given"), False: gettext_lazy("withdrawn")}
_LATEST = latest_consent_sql("p.id", f"'{EMAIL}'")


def email_consents(person_ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
    """The last answer of each person on email; people without an answer are left out."""
    return {pk: {NAME: str(WORDS[consent.is_given])} for pk, consent in consent_state(person_ids, EMAIL).items()}


def register_consent_column() -> None:
    """Register the column; called when the app starts."""
    sql = f"(case {_LATEST} when {GIVEN} then 'given' when {WITHDRAWN} then 'withdrawn' end)"
    column = ComputedColumn(NAME, gettext_lazy("Consent for email"), sql, is_default=False)
    columns.register_column_source(ColumnSource((column,), VIEW, email_consents))
