"""Filters of the list of people: words, fields, and rows of other tables such as lists and activity types.

A filter is applied in one of two ways. Where an index names the people (at most `MOST_CANDIDATES`), or a bitmap of them
is stored, it is a set of candidates; else it is a condition on each person whom a page reads (`directory.pages`).
Operators have the names and the meaning of those of smart lists.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pyroaring import BitMap

from people.core.codes import Code
from people.core.db import value_sql
from people.core.errors import Problem, RejectedError, bad_value
from people.core.installation import installation_zone
from people.core.permissions import require_permission
from people.core.words import SearchTerms
from people.datatypes.canonical import canonical_text, text_key
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BOOLEAN_OPERATORS, BY_NAME
from people.fields.catalog import FieldInfo
from people.models import Person, StaticList, StaticListMember
from people.querysets import ENOUGH, FOUND_BY, NEAREST, SEARCHED
from people.rights import VIEW_STATICLIST

MAX_FILTERS = 10
MAX_TEXT = 255
MOST_CANDIDATES = 20_000  # people that one filter reads from an index
EMPTINESS = ("is empty", "is not empty")
LABELS: Mapping[str, str | Promise] = {
    "is": gettext_lazy("is"),
    "is not": gettext_lazy("is not"),
    "starts with": gettext_lazy("starts with"),
    "contains": gettext_lazy("contains"),
    "at least": gettext_lazy("at least"),
    "at most": gettext_lazy("at most"),
    "on or after": gettext_lazy("on or after"),
    "on or before": gettext_lazy("on or before"),
    "is empty": gettext_lazy("is empty"),
    "is not empty": gettext_lazy("is not empty"),
}
_INDEXED_YES = frozenset({"unsubscribed", "email_invalid"})
_INDEXED_MOMENTS = frozenset({"created_at", "updated_at"})
_WORDS = f"person_words({', '.join(f'p.{name}' for name in FOUND_BY)}) @@ %s::tsquery"


@dataclass(frozen=True, slots=True)
class FieldFilter:
    """A condition on one person field; `value` is canonical text, a day for dates and moments."""

    field: str
    operator: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class ReferenceFilter:
    """People connected with one row of another table; `kind` names the connection."""

    kind: str
    id: int


Filter = FieldFilter | ReferenceFilter


@dataclass(frozen=True, slots=True)
class AppliedFilter:
    """The people whom one filter leaves: `candidates`, or, without them, a condition in SQL over `p`."""

    candidates: BitMap | None = None
    sql: str = "true"
    params: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceKind:
    """A kind of `ReferenceFilter`, with the right to use it.

    `choices` are (id, name) of the rows on offer, by name; `name_of` returns None for a row that is not there. `apply`
    takes an id and the user, and raises `RejectedError` for a row whose people are not known.
    """

    name: str
    label: str | Promise
    sentence: str | Promise  # of the filter in force, with a place for the %(name)s
    right: str
    choices: Callable[[], Iterable[tuple[int, str]]]
    name_of: Callable[[int], str | None]
    apply: Callable[[int, Any], AppliedFilter]


KINDS: dict[str, ReferenceKind] = {}


def register_reference_kind(kind: ReferenceKind) -> None:
    """Register a kind of filter; called by the app of the other table when it starts."""
    KINDS[kind.name] = kind


def operators_of(info: FieldInfo) -> Sequence[str]:
    """The operators on offer for a field, a part of those of smart lists."""
    without = ("is not",) if info.data_type.is_moment else ()
    return [name for name in info.data_type.operators if name in LABELS and name not in without]


def parse_field_filter(field: str, operator: str, raw: str, fields: Mapping[str, FieldInfo]) -> FieldFilter:
    """A checked filter. Raises `RejectedError` (`unknown_field`, `unknown_operator`, `missing_value`, `wrong_type`)."""
    info = fields.get(field)
    if info is None:
        message = _("There is no person field “%(field)s”.") % {"field": field[:80]}
        raise RejectedError(Problem(Code.UNKNOWN_FIELD, message, ("field",), "", field[:80]))
    if operator not in operators_of(info):
        raise RejectedError(
            bad_value(Code.UNKNOWN_OPERATOR, ", ".join(operators_of(info)), operator[:80], info.shown_label)
        )
    if operator in EMPTINESS:
        return FieldFilter(field, operator)
    if is_blank(raw):
        message = _("Enter a value for “%(field)s”.") % {"field": info.shown_label}
        raise RejectedError(Problem(Code.MISSING_VALUE, message, ("value",)))
    try:
        return FieldFilter(field, operator, _canonical_value(info, raw))
    except BadValueError as error:
        problem = bad_value(error.code, error.expected, raw[:80], info.shown_label)
        message = _("%(field)s: %(problem)s") % {"field": info.shown_label, "problem": problem.message}
        raise RejectedError(Problem(error.code, message, ("value",), problem.expected, problem.got)) from None


def _canonical_value(info: FieldInfo, raw: str) -> str:
    if info.data_type.is_text:  # a part of an address is no valid address
        text: str = BY_NAME["string"].parse(raw, UTC)
        return text
    if info.data_type.is_moment:
        day: date = BY_NAME["date"].parse(raw.strip(), UTC)
        return day.isoformat()
    return canonical_text(info.data_type.parse(raw.strip(), UTC))


# --- Applying -------------------------------------------------------------------------------------------------


def apply_words(text: str) -> AppliedFilter:
    """The people who match every word; from the index, unless many of the newest match."""
    terms = SearchTerms.of(text)
    if terms is None:
        return AppliedFilter()
    if not terms.words:
        return AppliedFilter(BitMap())
    newest = Person.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select count(*) from (select 1 from (
                select * from person where state = 'live' and id > %s offset 0) p where {_WORDS} limit {ENOUGH}) r""",
            [newest - NEAREST, terms.query],
        )
        (matches,) = cursor.fetchone()
    candidates = None if matches == ENOUGH else read_candidates(f"person p where {_WORDS}", (terms.query,))
    return AppliedFilter(candidates, _WORDS, (terms.query,))


def apply_field_filter(item: FieldFilter, info: FieldInfo) -> AppliedFilter:
    """The people whose value of the field satisfies the filter."""
    column = f"p.{info.api_name}" if info.is_standard else value_sql.json_member_sql("p.fields", info.api_name)
    sql, params = _condition(item, info, column if info.is_standard else f"({column})")
    if not _is_indexed(item, info):
        return AppliedFilter(None, sql, params)
    if info.is_standard:
        return AppliedFilter(read_candidates(f"person p where {sql}", params), sql, params)
    keys = "person_key k join person p on p.id = k.person_id where k.field_id = %s and k.value = %s"
    return AppliedFilter(read_candidates(keys, (info.id, text_key(item.value))), sql, params)


def _is_indexed(item: FieldFilter, info: FieldInfo) -> bool:
    if not info.is_standard:
        return info.is_unique and item.operator == "is" and info.data_type.is_text
    if info.api_name in SEARCHED:
        return item.operator in ("is", "starts with")
    if info.api_name in _INDEXED_YES:
        return item.operator == "is" and item.value == "true"
    return info.api_name in _INDEXED_MOMENTS and item.operator not in EMPTINESS


def _condition(item: FieldFilter, info: FieldInfo, column: str) -> tuple[str, tuple[Any, ...]]:
    if item.operator in EMPTINESS:
        return (f"{column} is null" if item.operator == "is empty" else f"{column} is not null"), ()
    data_type = info.data_type
    compared = value_sql.comparison_sql(data_type.name, column)
    if data_type.is_text:
        key = text_key(item.value)
        if item.operator in ("is", "is not"):
            sql = f"{compared} = %s"
        else:
            sql, key = f"{compared} like %s", _like_pattern(key, item.operator)
        return (f"({sql}) is not true" if item.operator == "is not" else sql), (key,)
    if data_type.operators is BOOLEAN_OPERATORS:
        return f"{compared} = %s", (item.value == "true",)
    if data_type.is_moment:
        return _moment_condition(item, compared, data_type.name)
    sign = {"at least": ">=", "at most": "<="}.get(item.operator, "=")
    sql = f"{compared} {sign} %s"
    return (f"({sql}) is not true" if item.operator == "is not" else sql), (Decimal(item.value),)


def _like_pattern(key: str, operator: str) -> str:
    escaped = key.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"{escaped}%" if operator == "starts with" else f"%{escaped}%"


def _moment_condition(item: FieldFilter, compared: str, data_type: str) -> tuple[str, tuple[Any, ...]]:
    """Whole days of the installation's zone, as in smart lists."""
    day = date.fromisoformat(item.value)
    bounds = [_start_of(day, data_type), _start_of(day + timedelta(days=1), data_type)]
    if item.operator == "on or after":
        return f"{compared} >= %s", (bounds[0],)
    if item.operator == "on or before":
        return f"{compared} < %s", (bounds[1],)
    return f"({compared} >= %s and {compared} < %s)", tuple(bounds)


def _start_of(day: date, data_type: str) -> Any:
    if data_type == "date":
        return day
    return datetime.combine(day, time(), installation_zone()).astimezone(UTC)


def read_candidates(source: str, params: Sequence[Any], limit: int = MOST_CANDIDATES) -> BitMap | None:
    """The live people in `source` (FROM and WHERE, with `p`), read from an index; None for more than `limit`."""
    with connection.cursor() as cursor:
        cursor.execute(f"select p.id from {source} and p.state = 'live' limit {limit + 1}", params)
        rows = cursor.fetchall()
    return None if len(rows) > limit else BitMap([person_id for (person_id,) in rows])


def apply_filter(item: Filter, fields: Mapping[str, FieldInfo], by: Any) -> AppliedFilter:
    """The people whom a filter leaves.

    Raises `RejectedError` (`unknown_field`, `unknown_kind`, and those of the kind), `NotAllowedError`.
    """
    if isinstance(item, FieldFilter):
        checked = parse_field_filter(item.field, item.operator, item.value, fields)
        return apply_field_filter(checked, fields[checked.field])
    kind = KINDS.get(item.kind)
    if kind is None:
        raise RejectedError(Problem(Code.UNKNOWN_KIND, _("There is no such filter."), ("filters",), "", item.kind[:80]))
    require_permission(by, kind.right)
    return kind.apply(item.id, by)


# --- Members of a static list ---------------------------------------------------------------------------------


def _apply_static_list(static_list_id: int, _by: Any) -> AppliedFilter:
    if not StaticList.objects.filter(pk=static_list_id).exists():
        raise RejectedError(Problem(Code.UNKNOWN_LIST, _("This static list is no longer there."), ("list",)))
    members = StaticListMember.objects.of_list(static_list_id).values_list("person_id", flat=True)
    ids = BitMap(members[: MOST_CANDIDATES + 1])
    sql = "exists (select from static_list_member m where m.static_list_id = %s and m.person_id = p.id)"
    return AppliedFilter(ids if len(ids) <= MOST_CANDIDATES else None, sql, (static_list_id,))


register_reference_kind(
    ReferenceKind(
        "list",
        gettext_lazy("Static list"),
        gettext_lazy("On the list “%(name)s”"),
        VIEW_STATICLIST,
        lambda: StaticList.objects.unarchived().order_by("name").values_list("pk", "name"),
        lambda pk: StaticList.objects.filter(pk=pk).values_list("name", flat=True).first(),
        _apply_static_list,
    )
)
