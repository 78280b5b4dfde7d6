"""The meaning of a smart list, in plain Python: the definition with which the SQL has to agree.

Works on the JSON form of valid rules and on a `World` of plain values. Slow and simple on purpose, and written
from the product's definition alone: nothing of `smartlists` is imported.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from unicodedata import normalize
from zoneinfo import ZoneInfo

Json = Mapping[str, Any]

TEXTS = {"string", "text", "email", "phone", "link"}
NUMBERS = {"integer", "float", "currency", "score", "percent"}


@dataclass(frozen=True)
class Happening:
    """One activity; `values` holds the primary value, too, and no key for what has no value.

    What was recorded as back-fill has "@backfill" there.
    """

    id: int
    person: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """One object record as it is now; `changes` are those of its values: (moment, field: (old, new))."""

    id: int
    person: int | None  # None while its link waits
    type: str
    created_at: datetime
    updated_at: datetime
    is_deleted: bool
    values: Mapping[str, Any]
    changes: Sequence[tuple[datetime, Mapping[str, tuple[Any, Any]]]] = ()


@dataclass
class World:
    """Everything that rules can speak of, at one moment. `people` are the live ones."""

    now: datetime
    zone: ZoneInfo
    week_starts_on: int = 0  # 0 is Monday, as date.weekday() has it
    person_fields: dict[str, str] = field(default_factory=dict)  # API name: data type
    activity_fields: dict[str, dict[str, str]] = field(default_factory=dict)  # type: {API name: data type}
    object_fields: dict[str, dict[str, str]] = field(default_factory=dict)  # as activity_fields
    people: dict[int, dict[str, Any]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)  # deleted people: never on any list
    happenings: list[Happening] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    static_lists: dict[int, set[int]] = field(default_factory=dict)
    smart_lists: dict[int, Json] = field(default_factory=dict)

    @property
    def today(self) -> date:
        return self.day_of(self.now)

    def day_of(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def rows(self, person: int, activity_type: str) -> list[Happening]:
        found = [row for row in self.happenings if row.person == person and row.type == activity_type]
        return sorted(found, key=lambda row: (row.occurred_at, row.id))


def members(world: World, rules: Json) -> set[int]:
    """The ids of the people on the list."""
    return {person for person in world.people if holds(world, rules, person)}


def holds(world: World, rules: Json, person: int) -> bool:
    return _combine(rules, verdicts(world, rules, person))


def deciding(world: World, rules: Json, person: int) -> list[int]:
    """The numbers of the filters each of which, answering otherwise, would by itself change the whole answer."""
    answers = verdicts(world, rules, person)
    whole = _combine(rules, answers)
    turned = ([answer != (position == at) for position, answer in enumerate(answers)] for at in range(len(answers)))
    return [number for number, other in enumerate(turned, start=1) if _combine(rules, other) != whole]


def verdicts(world: World, rules: Json, person: int) -> list[bool]:
    """Each filter's answer for one person, in order: what an explanation shows."""
    return [_FILTERS[card["kind"]](world, card, person) for card in rules["filters"]]


def _combine(rules: Json, answers: Sequence[bool]) -> bool:
    if rules["match"] != "advanced":
        return {"all": all, "any": any}[rules["match"]](answers)
    # and, or and not are Python's; only the numbers are ours
    expression = re.sub(r"[0-9]+", lambda number: str(answers[int(number[0]) - 1]), rules["logic"].lower())
    return eval(expression)


# Filters


def _person_field(world: World, card: Json, person: int) -> bool:
    return satisfies(world, world.person_fields[card["field"]], world.people[person].get(card["field"]), card)


def _activity(world: World, card: Json, person: int) -> bool:
    rows = matching(world, card, person)
    done = _counts(card.get("count"), len(rows)) and _aggregates(world, card, rows, world.activity_fields)
    return done == card["did"]


def matching(world: World, card: Json, person: int) -> list[Happening]:
    """The person's activities that satisfy all constraints of an activity filter or of a step, oldest first."""
    return [row for row in world.rows(person, card["type"]) if _row_satisfies(world, card, row)]


def _counts(count: Json | None, number: int) -> bool:
    if count is None:
        return number >= 1
    bounds = [int(value) for value in count["values"]]
    return _COUNTS[count["operator"]](number, *bounds)


_COUNTS: dict[str, Callable[..., bool]] = {
    "at least": lambda number, bound: number >= bound,
    "at most": lambda number, bound: number <= bound,
    "exactly": lambda number, bound: number == bound,
    "between": lambda number, low, high: low <= number <= high,
}


def _object(world: World, card: Json, person: int) -> bool:
    rows = records_of(world, card, person)
    has = _counts(card.get("count"), len(rows)) and _aggregates(world, card, rows, world.object_fields)
    return has == card["has"]


def records_of(world: World, card: Json, person: int) -> list[Record]:
    """The person's records of which all constraints and the change hold; deleted and waiting ones are no person's."""
    return [
        row
        for row in world.records
        if row.person == person
        and row.type == card["type"]
        and not row.is_deleted
        and all(
            satisfies(
                world,
                _data_type(world.object_fields, row.type, constraint["field"]),
                _value(row, constraint["field"]),
                constraint,
            )
            for constraint in card.get("constraints", ())
        )
        and ("changed" not in card or any(_is_change(world, card, *change) for change in row.changes))
    ]


def _is_change(world: World, card: Json, moment: datetime, values: Mapping[str, tuple[Any, Any]]) -> bool:
    wanted = card["changed"]
    if "operator" in wanted and not satisfies(world, "datetime", moment, wanted):
        return False
    name = wanted.get("field")
    if name is None:
        return True
    if name not in values:
        return False
    data_type = world.object_fields[card["type"]][name]
    return all(
        word not in wanted or satisfies(world, data_type, value, {"operator": "is", "values": wanted[word]})
        for word, value in zip(("from", "to"), values[name], strict=True)
    )


def _aggregates(world: World, card: Json, rows: Sequence[Any], fields: Mapping[str, Mapping[str, str]]) -> bool:
    aggregate = card.get("aggregate")
    if aggregate is None:
        return True
    data_type = _data_type(fields, card["type"], aggregate["field"])
    values = [value for row in rows if (value := _value(row, aggregate["field"])) is not None]
    result = _AGGREGATES[aggregate["function"]](_comparable(data_type, values)) if values else None
    result_type = "exact" if aggregate["function"] in {"sum", "average"} else data_type
    return satisfies(world, result_type, result, aggregate)


_AGGREGATES: dict[str, Callable[[Sequence[Any]], Any]] = {
    "sum": sum,
    "average": lambda values: sum(values) / Fraction(len(values)),
    "minimum": min,
    "maximum": max,
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
}


def _comparable(data_type: str, values: Sequence[Any]) -> list[Any]:
    return [_exact(value) for value in values] if data_type in NUMBERS else list(values)


def _row_satisfies(world: World, card: Json, row: Happening) -> bool:
    return _is_of_wanted_kind(card, row) and all(
        satisfies(
            world,
            _data_type(world.activity_fields, row.type, constraint["field"]),
            _value(row, constraint["field"]),
            constraint,
        )
        for constraint in card.get("constraints", ())
    )


def _is_of_wanted_kind(card: Json, row: Happening) -> bool:
    """True if the row is of a bot or of a human as the card requires; a row without a mark is of a human."""
    is_bot = row.values.get("is_bot") is True
    return {"include": True, "exclude": not is_bot, "only": is_bot}[card.get("bots", "include")]


COMMON = {"@occurred_at": "datetime", "@recorded_at": "datetime", "@backfill": "boolean"}


OF_RECORDS = {"@created_at": "datetime", "@updated_at": "datetime"}


def _data_type(fields: Mapping[str, Mapping[str, str]], owner: str, name: str) -> str:
    return {**fields[owner], **COMMON, **OF_RECORDS}[name]


def _value(row: Any, name: str) -> Any:
    """A value of an activity or a record; @ begins the names of the product's own values."""
    if name == "@backfill":
        return row.values.get(name, False)
    return getattr(row, name[1:]) if name.startswith("@") else row.values.get(name)


def _sequence(world: World, card: Json, person: int) -> bool:
    return _continues(world, card["steps"], person, None)


def _continues(world: World, steps: Sequence[Json], person: int, before: datetime | None) -> bool:
    """True if the steps can follow one at `before` (None: they are the first)."""
    if not steps:
        return True
    step, rest = steps[0], steps[1:]
    window = timedelta(days=step["within_days"]) if step.get("within_days") else None
    rows = [
        row
        for row in matching(world, step, person)
        if (before is None or row.occurred_at > before)
        and (before is None or window is None or row.occurred_at - before <= window)
    ]
    if step.get("not"):
        assert before is not None
        assert window is not None
        return not rows and world.now - before > window
    return any(_continues(world, rest, person, row.occurred_at) for row in rows)


def is_chain(world: World, card: Json, person: int, ids: Sequence[int]) -> bool:
    """True if the activities `ids`, one for each step that needs one, satisfy a sequence."""
    happened = {row.id: row for row in world.happenings}
    chosen = [happened[one] for one in ids]
    steps = [step for step in card["steps"] if not step.get("not")]
    if len(chosen) != len(steps):
        return False
    fits = all(row in matching(world, step, person) for row, step in zip(chosen, steps, strict=True))
    alone = replace(world, happenings=chosen)
    last = card["steps"][len(steps) :]
    return fits and _continues(alone, steps, person, None) and _continues(world, last, person, chosen[-1].occurred_at)


def _static_list(world: World, card: Json, person: int) -> bool:
    return (person in world.static_lists[card["list"]]) == card["member"]


def _smart_list(world: World, card: Json, person: int) -> bool:
    return holds(world, world.smart_lists[card["list"]], person) == card["member"]


def consents(world: World, card: Json, person: int) -> list[tuple[datetime, bool, int]]:
    """The person's consents to the purpose: (moment, True if withdrawn, id). No moment is later than its recording."""
    return [
        (moment, row.type == "consentWithdrawn", row.id)
        for row in world.happenings
        for moment in [min(row.occurred_at, row.recorded_at)]
        if row.person == person
        and row.type in {"consentGiven", "consentWithdrawn"}
        and _key(row.values["purpose"]) == _key(card["purpose"])
        and (moment <= world.now if not card.get("on") else _moment(world, moment, card["on"]) <= 0)
    ]


def _consent(world: World, card: Json, person: int) -> bool:
    """The latest word on the purpose counts; of two at one moment the withdrawal."""
    said = consents(world, card, person)
    if not said:
        return card["state"] == "unknown"
    return card["state"] == ("withdrawn" if max(said)[1] else "given")


_FILTERS: dict[str, Callable[[World, Json, int], bool]] = {
    "person_field": _person_field,
    "activity": _activity,
    "sequence": _sequence,
    "static_list": _static_list,
    "smart_list": _smart_list,
    "consent": _consent,
    "object": _object,
}


# Operators


NEGATIVE = {"is not": "is", "not starts with": "starts with", "not ends with": "ends with", "not contains": "contains"}


def satisfies(world: World, data_type: str, value: Any, condition: Json) -> bool:
    """True if a value (None: none) satisfies the condition's operator, values and rule for no value."""
    operator = condition["operator"]
    if operator in {"is empty", "is not empty"}:
        answer = (value is None) == (operator == "is empty")
    elif value is None:
        answer = operator in NEGATIVE
    elif operator in NEGATIVE:
        answer = not _compare(world, data_type, value, NEGATIVE[operator], condition["values"])
    else:
        answer = _compare(world, data_type, value, operator, condition["values"])
    if value is None and condition.get("empty"):
        return condition["empty"] == "include"
    return answer


def _compare(world: World, data_type: str, value: Any, operator: str, wanted: Sequence[str]) -> bool:
    if data_type in TEXTS:
        return any(_TEXT[operator](_key(value), _key(text)) for text in wanted)
    if data_type in NUMBERS or data_type == "exact":
        read = _as_float if data_type == "float" else Fraction
        return _number(_exact(value), operator, [read(text) for text in wanted])
    if data_type == "boolean":
        return value == (wanted[0] == "true")
    if operator in _RELATIVE:
        return _RELATIVE[operator](world, value, wanted[0])
    if operator == "in time frame":
        first, last = time_frame(world, wanted[0])
        return first <= (world.day_of(value) if isinstance(value, datetime) else value) <= last
    if operator == "between":
        return _moment(world, value, wanted[0]) >= 0 >= _moment(world, value, wanted[1])
    return any(_SIGNS[operator](_moment(world, value, text)) for text in wanted)


def _key(text: str) -> str:
    """Composed, then each code point's simple lower case (only 'İ' has more than one character in str.lower())."""
    return "".join(letter.lower()[0] for letter in normalize("NFC", text))


_TEXT: dict[str, Callable[[str, str], bool]] = {
    "is": str.__eq__,
    "starts with": str.startswith,
    "ends with": str.endswith,
    "contains": str.__contains__,
}


def _exact(value: Any) -> Fraction:
    return value if isinstance(value, Fraction) else Fraction(str(value))


def _as_float(text: str) -> Fraction:
    return Fraction(repr(float(text)))


def _number(value: Fraction, operator: str, wanted: Sequence[Fraction]) -> bool:
    if operator == "between":
        return wanted[0] <= value <= wanted[1]
    return any(_NUMBER[operator](value, number) for number in wanted)


_NUMBER: dict[str, Callable[[Any, Any], bool]] = {
    "is": lambda value, number: value == number,
    "greater than": lambda value, number: value > number,
    "less than": lambda value, number: value < number,
    "at least": lambda value, number: value >= number,
    "at most": lambda value, number: value <= number,
}


# Moments. A comparison is -1, 0 or 1: before, on, or after. A date means the whole local day.


def _moment(world: World, value: date, text: str) -> int:
    if isinstance(value, datetime) and len(text) > len("2026-11-20"):
        wanted: Any = datetime.fromisoformat(text)
    else:
        wanted = date.fromisoformat(text)
        value = world.day_of(value) if isinstance(value, datetime) else value
    return (value > wanted) - (value < wanted)


_SIGNS: dict[str, Callable[[int], bool]] = {
    "is": lambda sign: sign == 0,
    "before": lambda sign: sign < 0,
    "after": lambda sign: sign > 0,
    "on or before": lambda sign: sign <= 0,
    "on or after": lambda sign: sign >= 0,
}

_RELATIVE: dict[str, Callable[[World, date, str], bool]] = {
    "in past": lambda world, value, period: _shifted(world, value, period, -1) <= value <= _now(world, value),
    "in past before": lambda world, value, period: value < _shifted(world, value, period, -1),
    "in future": lambda world, value, period: _now(world, value) <= value <= _shifted(world, value, period, 1),
    "in future after": lambda world, value, period: value > _shifted(world, value, period, 1),
}


def _now(world: World, value: date) -> Any:
    return world.now if isinstance(value, datetime) else world.today


def _shifted(world: World, value: date, period: str, sign: int) -> Any:
    """Now plus or minus a period such as "3 weeks", as a day or as a moment, whichever `value` is."""
    number, unit = period.split(" ")
    moment = shift(world, sign * int(number), unit.rstrip("s"))
    if isinstance(value, datetime):
        return moment
    return moment.astimezone(world.zone).date() if EARLIEST < moment < LATEST else moment.date()


EARLIEST = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
LATEST = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


def shift(world: World, number: int, unit: str) -> datetime:
    """Now plus `number` units: hours on the clock, all others on the local calendar; the calendar has ends."""
    try:
        if unit == "hour":
            return min(max(world.now + timedelta(hours=number), EARLIEST), LATEST)
        wall = world.now.astimezone(world.zone).replace(tzinfo=None)
        if unit in {"day", "week"}:
            wall += timedelta(days=number * {"day": 1, "week": 7}[unit])
        else:
            wall = _months_later(wall, number * {"month": 1, "year": 12}[unit])
        return min(max(_from_wall(world, wall), EARLIEST), LATEST)
    except (OverflowError, ValueError):
        return EARLIEST if number < 0 else LATEST


def _months_later(wall: Any, months: int) -> Any:
    year, month = divmod(wall.year * 12 + wall.month - 1 + months, 12)
    return wall.replace(year=year, month=month + 1, day=min(wall.day, monthrange(year, month + 1)[1]))


def _from_wall(world: World, wall: datetime) -> datetime:
    """The moment when clocks show `wall`: the first of two; for one that was skipped, as if it had not been."""
    return wall.replace(tzinfo=world.zone, fold=0).astimezone(UTC)


def time_frame(world: World, name: str) -> tuple[date, date]:
    """First and last day of "today", "last quarter", …; both belong to it."""
    today = world.today
    if name in {"today", "yesterday", "tomorrow"}:
        day = today + timedelta(days={"yesterday": -1, "today": 0, "tomorrow": 1}[name])
        return day, day
    which, unit = name.split(" ")
    step = {"last": -1, "this": 0, "next": 1}[which]
    if unit == "week":
        first = today - timedelta(days=(today.weekday() - world.week_starts_on) % 7) + timedelta(days=7 * step)
        return first, first + timedelta(days=6)
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    first = today.replace(month=today.month - (today.month - 1) % months, day=1)
    first = _months_later(first, step * months)
    return first, _months_later(first, months) - timedelta(days=1)
