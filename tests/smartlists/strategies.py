"""Hypothesis strategies: values that tend to meet, people, activities, and rules of every kind."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from random import Random
from typing import Any
from unicodedata import normalize
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from people.datatypes.canonical import canonical_text
from people.datatypes.parsing import is_blank
from people.datatypes.registry import BY_NAME
from tests.smartlists import oracle
from tests.smartlists.oracle import World
from tests.smartlists.oracle_worlds import ACTIVITY_FIELDS, CONSENT_VERSIONS, OBJECT_FIELDS, PERSON_FIELDS, VERSIONS

Json = dict[str, Any]

PURPOSES = ("email", "Émail", "ÉMAIL", "Email")
TEXTS = (
    "Madrid",
    "madrid",
    "MÁLAGA",
    "málaga",
    "ma\u0301laga",
    "100%",
    "100",
    "a_b",
    "aXb",
    "%",
    "_",
    "\\",
    "'",
    "ΣΑΣ",
    "σας",
    "İstanbul",
    "istanbul",
    "ıstanbul",
    "STRASSE",
    "straße",
    "ẞ",
    "ß",
    "ǅ",
    "ﬁ",
    "日本",
    "😀",
    "Å",
    "a\nb",
    "1",
    "true",
    "no value",
)
PIECES = ("m", "a", "Á", "%", "_", "\\", "ΣΑ", "i", "ß", "ma\u0301", "00", "B", "'", "日", " ")
EMAILS = ("ann@example.com", "ANN@example.com", "bo_b@example.org", "bo%b@example.org")
LINKS = ("https://example.com/a", "https://example.com/A", "https://example.com/100%25", "/b_c")
INTEGERS = (-3, -1, 0, 1, 2, 3, 10, 2**53 - 1)
FLOATS = (-1.5, 0.0, 0.1, 0.3, 1.0, 2.5, 1e-07, 1e22, 1 / 3)
AMOUNTS = tuple(map(Decimal, ("-2.5", "0", "0.1", "0.3", "1", "1.5", "2", "3.3333", "999999999999999.9999")))
PERIODS = (
    (1, "hour"),
    (36, "hours"),
    (1, "day"),
    (2, "days"),
    (7, "days"),
    (1, "week"),
    (3, "weeks"),
    (1, "month"),
    (2, "months"),
    (13, "months"),
    (1, "year"),
    (4, "years"),
    (10_000, "years"),
    (10_000, "hours"),
)
FRAMES = (
    "today",
    "yesterday",
    "tomorrow",
    *(f"{which} {unit}" for which in ("this", "last", "next") for unit in ("week", "month", "quarter", "year")),
)

# (zone, a moment near which something happens there): clocks change, days are skipped, months end
OCCASIONS = (
    ("UTC", "2026-11-24T10:00:00Z"),
    ("Europe/Madrid", "2026-03-29T01:00:00Z"),
    ("Europe/Madrid", "2026-10-25T01:00:00Z"),
    ("Europe/Madrid", "2026-03-31T21:59:59.999999Z"),
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("America/New_York", "2024-03-01T04:59:59Z"),
    ("Asia/Kathmandu", "2026-02-28T18:15:00Z"),
    ("Asia/Kathmandu", "2025-12-31T18:15:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Pacific/Apia", "2021-04-03T14:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),
    ("Africa/Cairo", "2026-10-29T21:00:00Z"),
    ("America/Havana", "2026-03-08T05:00:00Z"),
    ("America/Havana", "2026-11-01T05:00:00Z"),
)
NEAR = tuple(
    timedelta(**step)
    for step in (
        {},
        {"microseconds": -1},
        {"microseconds": 1},
        {"minutes": -20},
        {"hours": 1},
        {"hours": -3},
        {"days": 1},
        {"days": -1},
        {"days": 3, "hours": 5},
        {"days": -30},
        {"days": 31},
    )
)
SMALLEST = timedelta(microseconds=1)


@dataclass(frozen=True)
class Scene:
    """A clock, and the moments that matter by it: pools from which people, activities and rules all draw."""

    now: datetime
    zone: str
    week_starts_on: int
    random: Random

    @cached_property
    def world(self) -> World:
        return World(self.now, ZoneInfo(self.zone), self.week_starts_on)

    @cached_property
    def periods(self) -> Sequence[tuple[int, str]]:
        return self._some(PERIODS, 4)

    @cached_property
    def frames(self) -> Sequence[str]:
        return self._some(FRAMES, 4)

    @cached_property
    def moments(self) -> Sequence[datetime]:
        found = [self.now]
        for number, unit in self.periods:
            found += [oracle.shift(self.world, sign * number, unit.rstrip("s")) for sign in (-1, 1)]
        for frame in self.frames:
            first, last = oracle.time_frame(self.world, frame)
            found += [self._midnight(first), self._midnight(last + timedelta(days=1))]
        possible = [moment for moment in found if 1901 < moment.year < 2199]
        return [moment + step for moment in possible for step in (timedelta(), -SMALLEST, SMALLEST)]

    @cached_property
    def apart(self) -> Sequence[datetime]:
        """Moments that lie whole windows of sequences apart, and a little more or less."""
        found = [self.now - timedelta(days=days) for days in (0, 1, 2, 7, 8)]
        return [moment + step for moment in found for step in (timedelta(), -SMALLEST, SMALLEST)]

    @cached_property
    def days(self) -> Sequence[date]:
        return sorted({self.world.day_of(moment) for moment in self.moments})

    def _midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.world.zone).astimezone(UTC)

    @cached_property
    def pools(self) -> Mapping[str, Sequence[Any]]:
        """Canonical values by data type: few of each, so that people, activities and rules often share one."""
        texts = self._some([BY_NAME["text"].parse(text, UTC) for text in TEXTS], 8)
        integers = self._some(INTEGERS, 5)
        return {
            "string": texts,
            "text": texts,
            "phone": texts,
            "email": EMAILS,
            "link": LINKS,
            "boolean": (True, False),
            "integer": integers,
            "score": integers,
            "percent": integers,
            "float": self._some(FLOATS, 5),
            "currency": self._some(AMOUNTS, 5),
            "date": self._some(self.days, 12),
            "datetime": [*self.apart, *self._some(self.moments, 24)],
        }

    def _some(self, values: Sequence[Any], most: int) -> Sequence[Any]:
        return self.random.sample(list(values), min(most, len(values)))

    def person(self) -> Json:
        """Values of one person; created at is always there."""
        return self._values(PERSON_FIELDS, "created_at")

    def happening(self, people: Sequence[int]) -> tuple[int, str, int, datetime, datetime, Json]:
        """(person, type, version, occurred at, recorded at, values)."""
        name = self.random.choice(BUSY_TYPES)
        version = self.random.randint(1, len(VERSIONS[name]))
        shape = VERSIONS[name][version - 1]
        values = self._values(shape, next(iter(shape)))
        if self.random.random() < 0.25:
            values["@backfill"] = True
        occurred_at, recorded_at = self._moment(), self._moment()
        return self.random.choice(people), name, version, occurred_at, recorded_at, values

    def _moment(self) -> datetime:
        """Any moment of the pool; often now, the first or the last, so that activities fall together."""
        moments = self.pools["datetime"]
        return self.random.choice(moments if self.random.random() < 0.6 else (self.now, min(moments), max(moments)))

    def consent(self, people: Sequence[int]) -> tuple[int, str, int, datetime, datetime, Json]:
        """A consent given or withdrawn for one of two purposes."""
        purpose, name = self.random.choice(PURPOSES), self.random.choice(tuple(CONSENT_VERSIONS))
        return self.random.choice(people), name, 1, self._moment(), self._moment(), {"purpose": purpose}

    def record(self, people: Sequence[int]) -> oracle.Record:
        """A record of one of the people or of none, now and then deleted, with up to three changes."""
        name = self.random.choice(BUSY_OBJECTS)
        shape = OBJECT_FIELDS[name]
        return oracle.Record(
            0,
            self.random.choice([*people, *people, None]),
            name,
            self._moment(),
            self._moment(),
            self.random.random() < 0.15,
            self._values(shape, next(iter(shape))),
            [(self._moment(), self._changed(shape)) for _change in range(self.random.randint(0, 3))],
        )

    def _changed(self, shape: Mapping[str, str]) -> Mapping[str, tuple[Any, Any]]:
        names = self.random.sample(list(shape), self.random.randint(1, 2))
        return {name: (self._or_none(shape[name]), self._or_none(shape[name])) for name in names}

    def _or_none(self, data_type: str) -> Any:
        return self.random.choice([None, *self.pools[data_type], *self.pools[data_type]])

    def grid(self, people: Sequence[int]) -> list[tuple[int, str, int, datetime, datetime, Json]]:
        """A few activities of each person, half days apart before now: windows often end just there."""
        rows = []
        for person in people:
            for _row in range(self.random.randint(1, 4)):
                name = self.random.choice(("depositCheck", "depositCheck", "rateFilm"))
                moment = self.now - timedelta(hours=12 * self.random.randint(0, 9))
                rows.append(
                    (person, name, 1, moment, moment, self._values(VERSIONS[name][0], next(iter(VERSIONS[name][0]))))
                )
        return rows

    def together(self, people: Sequence[int]) -> list[tuple[int, str, int, datetime, datetime, Json]]:
        """Four activities of each person in two moments, some without an amount."""
        shape = VERSIONS["depositCheck"][0]
        return [
            (person, "depositCheck", 1, moment, moment, self._values(shape, "check"))
            for person in people
            for moment in (self.now, self.now - timedelta(days=1)) * 2
        ]

    def _values(self, shape: Mapping[str, str], always: str) -> Json:
        return {
            name: self.random.choice(self.pools[data_type])
            for name, data_type in shape.items()
            if name == always or self.random.random() < 0.6
        }


def scenes() -> st.SearchStrategy[Scene]:
    """Values come from a seeded generator: quick, and evenly spread; hypothesis shrinks clocks and rules."""
    return st.builds(
        lambda occasion, step, week, random: Scene(
            datetime.fromisoformat(occasion[1]) + step, occasion[0], week, random
        ),
        st.sampled_from(OCCASIONS),
        st.sampled_from(NEAR),
        st.sampled_from((0, 0, 6, 5)),
        st.randoms(use_true_random=True),
    )


# the first ones more often, so that several activities or records of one type meet
BUSY_OBJECTS = ("car", "car", "policy")
BUSY_TYPES = ("depositCheck",) * 5 + ("rateFilm",) * 3 + tuple(VERSIONS)


# Rules


TEXT_OPERATORS = (
    "is",
    "is not",
    "starts with",
    "not starts with",
    "ends with",
    "not ends with",
    "contains",
    "not contains",
)
SINGLE_NUMBER = ("greater than", "less than", "at least", "at most")
SINGLE_MOMENT = ("before", "after", "on or before", "on or after")
RELATIVE = ("in past", "in past before", "in future", "in future after")


def canonical(value: Any) -> str:
    return canonical_text(value)


@st.composite
def comparisons(draw: Any, scene: Scene, data_type: str, can_override: bool = True) -> Json:
    """Operator and values that go with a data type, now and then with a rule for no value."""
    form = draw(_comparison(scene, data_type))
    if can_override and form["operator"] not in ("is empty", "is not empty"):
        empty = draw(st.sampled_from((None, None, None, "include", "exclude")))
        if empty:
            form["empty"] = empty
    return form


@st.composite
def _comparison(draw: Any, scene: Scene, data_type: str) -> Json:
    kind = draw(st.sampled_from(KINDS_OF_COMPARISON[data_type]))
    if kind in ("is empty", "is not empty"):
        return {"operator": kind}
    if kind in RELATIVE:
        number, unit = draw(st.sampled_from(scene.periods))
        return {"operator": kind, "values": [f"{number} {unit}"]}
    if kind == "in time frame":
        return {"operator": kind, "values": [draw(st.sampled_from(scene.frames))]}
    pool = scene.pools[data_type]
    if kind == "between":
        return {"operator": kind, "values": _bounds(draw, scene, data_type, pool)}
    if data_type in oracle.TEXTS and "is" not in kind.split():
        pool = (*pool, *(BY_NAME["text"].parse(piece, UTC) for piece in PIECES if piece.strip()))
    if data_type == "datetime":
        pool = (*pool[::2], *scene.pools["date"])
    is_single = data_type == "boolean" or kind in SINGLE_NUMBER or kind in SINGLE_MOMENT
    most = 1 if is_single else draw(st.sampled_from((1, 2, 3, 12)))
    values = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=most))
    return {"operator": kind, "values": [canonical(value) for value in values]}


def _bounds(draw: Any, scene: Scene, data_type: str, pool: Sequence[Any]) -> list[str]:
    first, last = sorted((draw(st.sampled_from(pool)), draw(st.sampled_from(pool))))
    if data_type == "datetime":
        as_days = draw(st.tuples(st.booleans(), st.booleans()))
        first, last = (
            scene.world.day_of(moment) if as_day else moment
            for moment, as_day in zip((first, last), as_days, strict=True)
        )
    return [canonical(first), canonical(last)]


_EMPTY = ("is empty", "is not empty")
_NUMBER = ("is", "is not", "between", *SINGLE_NUMBER, *_EMPTY)
_MOMENT = ("is", "is not", "between", *SINGLE_MOMENT, *RELATIVE, *RELATIVE, "in time frame", "in time frame", *_EMPTY)
KINDS_OF_COMPARISON: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(oracle.TEXTS, (*TEXT_OPERATORS, *_EMPTY)),
    **dict.fromkeys(oracle.NUMBERS, _NUMBER),
    "boolean": ("is", *_EMPTY),
    "date": _MOMENT,
    "datetime": _MOMENT,
}


def edges(scene: Scene) -> Iterator[tuple[str, str, list[str]]]:
    """(person field, operator, values) of every operator for moments, with values at which it turns."""
    period, frames = scene.periods[0], (scene.frames[0], "this week", "last week")
    moment = scene.random.choice(scene.moments)
    day = scene.world.day_of(scene.random.choice(scene.moments))
    for name, values in (("created_at", (day, moment)), ("my_date", (day,))):
        yield from ((name, operator, [f"{period[0]} {period[1]}"]) for operator in RELATIVE)
        yield from ((name, "in time frame", [frame]) for frame in frames)
        for value in values:
            yield from ((name, operator, [canonical(value)]) for operator in ("is", "is not", *SINGLE_MOMENT))
            yield name, "between", [canonical(value), canonical(value)]


def any_text() -> st.SearchStrategy[str]:
    """Text as people have it: NFC, not blank; no characters that only a newer Unicode has."""
    letters = st.one_of(
        st.sampled_from("aAbBéÉíÍıIiİσςΣßẞǅǆﬁÅ%_\\ \u0301\u0327\u0130"),
        st.characters(exclude_categories=("Cs", "Cn", "Co"), exclude_characters="\0"),
    )
    composed = st.text(letters, min_size=1, max_size=12).map(lambda text: normalize("NFC", text))
    return composed.filter(lambda text: not is_blank(text))


@st.composite
def parts(draw: Any, texts: Sequence[str]) -> str:
    """A piece of one of `texts`, in this or another case, or any text."""
    text = draw(st.sampled_from(texts))
    start = draw(st.integers(0, len(text) - 1))
    piece = text[start : draw(st.integers(start + 1, len(text)))]
    change = draw(st.sampled_from((str, str.lower, str.upper, str.swapcase, str.casefold)))
    found = normalize("NFC", change(piece))
    return draw(any_text()) if is_blank(found) else found


@st.composite
def person_filters(draw: Any, scene: Scene) -> Json:
    name = draw(st.sampled_from(sorted(PERSON_FIELDS)))
    return {"kind": "person_field", "field": name, **draw(comparisons(scene, PERSON_FIELDS[name]))}


@st.composite
def constraints(draw: Any, scene: Scene, shape: Mapping[str, str]) -> Json:
    name = draw(st.sampled_from(list(shape)))
    return {"field": name, **draw(comparisons(scene, shape[name]))}


@st.composite
def counts(draw: Any) -> Json:
    operator = draw(st.sampled_from(("at least", "at most", "exactly", "between")))
    numbers = sorted(draw(st.lists(st.integers(0, 4), min_size=2, max_size=2)))
    return {"operator": operator, "values": [str(number) for number in numbers[: 2 if operator == "between" else 1]]}


FUNCTIONS = ("sum", "average", "minimum", "maximum", "first", "last")


@st.composite
def aggregates(draw: Any, scene: Scene, shape: Mapping[str, str], functions: Sequence[str] = FUNCTIONS) -> Json:
    function = draw(st.sampled_from(functions))
    fits = [name for name, data_type in shape.items() if AGGREGATED[function](data_type)]
    if not fits:
        function = functions[-1]
        fits = [name for name, data_type in shape.items() if AGGREGATED[function](data_type)]
    name = draw(st.sampled_from(fits))
    data_type = "currency" if function in ("sum", "average") else shape[name]
    return {"function": function, "field": name, **draw(comparisons(scene, data_type, can_override=False))}


AGGREGATED = {
    **dict.fromkeys(("sum", "average"), lambda data_type: data_type in oracle.NUMBERS),
    **dict.fromkeys(
        ("minimum", "maximum"), lambda data_type: data_type in oracle.NUMBERS or data_type in ("date", "datetime")
    ),
    **dict.fromkeys(("first", "last"), lambda _data_type: True),
}


@st.composite
def activity_filters(draw: Any, scene: Scene) -> Json:
    name = draw(st.sampled_from(BUSY_TYPES))
    form: Json = {"kind": "activity", "did": draw(st.booleans()), "type": name}
    found = draw(st.lists(constraints(scene, {**ACTIVITY_FIELDS[name], **oracle.COMMON}), max_size=2))
    if found:
        form["constraints"] = found
    if draw(st.booleans()):
        form["count"] = draw(counts())
    if draw(st.integers(0, 2)) == 0:
        form["aggregate"] = draw(aggregates(scene, ACTIVITY_FIELDS[name]))
    return form | draw(bots(name))


@st.composite
def object_filters(draw: Any, scene: Scene) -> Json:
    name = draw(st.sampled_from(BUSY_OBJECTS))
    form: Json = {"kind": "object", "has": draw(st.booleans()), "type": name}
    shape = OBJECT_FIELDS[name]
    found = draw(st.lists(constraints(scene, {**shape, **oracle.OF_RECORDS}), max_size=2))
    if found:
        form["constraints"] = found
    if draw(st.integers(0, 2)) == 0:
        form["changed"] = draw(changes(scene, shape))
    if draw(st.booleans()):
        form["count"] = draw(counts())
    if draw(st.integers(0, 2)) == 0:
        form["aggregate"] = draw(aggregates(scene, shape, FUNCTIONS[:4]))
    return form


@st.composite
def changes(draw: Any, scene: Scene, shape: Mapping[str, str]) -> Json:
    """A change of any field or of one, perhaps from and to some values, perhaps in a period."""
    form: Json = {}
    if draw(st.booleans()):
        name = form["field"] = draw(st.sampled_from(list(shape)))
        pool = scene.pools[shape[name]]
        if shape[name] == "datetime":
            pool = (*pool, *scene.pools["date"])
        for word in ("from", "to"):
            if draw(st.booleans()):
                most = 1 if shape[name] == "boolean" else 6
                values = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=most))
                form[word] = [canonical(value) for value in values]
    if draw(st.booleans()):
        form |= draw(_comparison(scene, "datetime").filter(lambda found: found["operator"] in CHANGE_PERIODS))
    return form


CHANGE_PERIODS = ("between", *SINGLE_MOMENT, *RELATIVE, "in time frame")


@st.composite
def bots(draw: Any, activity_type: str) -> Json:
    """The choice of bots of a filter or a step; empty where the type does not mark them."""
    word = draw(st.sampled_from((None, "exclude", "only"))) if "is_bot" in ACTIVITY_FIELDS[activity_type] else None
    return {"bots": word} if word else {}


@st.composite
def sequences(draw: Any, scene: Scene) -> Json:
    length = draw(st.sampled_from((2, 2, 3, 4)))
    types = ("depositCheck", "depositCheck", "depositCheck", "rateFilm", "rateFilm", *VERSIONS)
    steps = []
    for position in range(length):
        name = draw(st.sampled_from(types))
        found = (
            [draw(constraints(scene, {**ACTIVITY_FIELDS[name], **oracle.COMMON}))]
            if draw(st.integers(0, 3)) == 0
            else []
        )
        steps.append(draw(_step(name, position, position == length - 1, (1, 1, 2, 7, 30), found)))
    return {"kind": "sequence", "steps": steps}


@st.composite
def plain_sequences(draw: Any) -> Json:
    """Of the types and windows of `Scene.grid`, without constraints."""
    length = draw(st.sampled_from((2, 2, 3)))
    names = [draw(st.sampled_from(("depositCheck", "rateFilm"))) for _step in range(length)]
    steps = [draw(_step(name, position, position == length - 1, (1, 2, 3), [])) for position, name in enumerate(names)]
    return {"kind": "sequence", "steps": steps}


@st.composite
def _step(draw: Any, name: str, position: int, is_last: bool, windows: Sequence[int], found: Sequence[Json]) -> Json:
    step: Json = {"type": name, **({"constraints": found} if found else {})}
    is_not = is_last and draw(st.booleans())
    if position and (is_not or draw(st.booleans())):
        step["within_days"] = draw(st.sampled_from(windows))
    if is_not:
        step["not"] = True
    return step | draw(bots(name))


@st.composite
def consents(draw: Any, scene: Scene) -> Json:
    state = draw(st.sampled_from(("given", "withdrawn", "unknown")))
    form = {"kind": "consent", "purpose": draw(st.sampled_from(PURPOSES)), "state": state}
    return form | ({"on": canonical(draw(st.sampled_from(scene.pools["date"])))} if draw(st.booleans()) else {})


def filters(scene: Scene, static_lists: Sequence[int], smart_lists: Sequence[int]) -> st.SearchStrategy[Json]:
    kinds = [
        person_filters(scene),
        activity_filters(scene),
        activity_filters(scene),
        sequences(scene),
        consents(scene),
        object_filters(scene),
    ]
    for kind, numbers in (("static_list", static_lists), ("smart_list", smart_lists)):
        if numbers:
            kinds.append(
                st.fixed_dictionaries(
                    {"kind": st.just(kind), "list": st.sampled_from(numbers), "member": st.booleans()}
                )
            )
    return st.one_of(kinds)


@st.composite
def rules(draw: Any, scene: Scene, static_lists: Sequence[int] = (), smart_lists: Sequence[int] = ()) -> Json:
    """The JSON form of a whole list."""
    possible = filters(scene, static_lists, smart_lists)
    found = [draw(possible) for _filter in range(draw(st.sampled_from((1, 1, 2, 2, 3, 4, 0))))]
    match = draw(st.sampled_from(("all", "any", "advanced") if found else ("all", "any")))
    form: Json = {"version": 1, "match": match, "filters": found}
    if match == "advanced":
        form["logic"] = draw(_logic(list(range(1, len(found) + 1))))
    return form


@st.composite
def _logic(draw: Any, numbers: Sequence[int]) -> str:
    """An expression that uses all of `numbers`, each perhaps more than once."""
    negation = draw(st.sampled_from(("", "", "not ")))
    if len(numbers) == 1:
        text = str(numbers[0])
        if draw(st.integers(0, 4)) == 0:
            text = f"({text} {draw(st.sampled_from(('and', 'OR')))} not {text})"
        return negation + text
    cut = draw(st.integers(1, len(numbers) - 1))
    word = draw(st.sampled_from((" and ", " or ")))
    parts = [f"({draw(_logic(numbers[:cut]))})", f"({draw(_logic(numbers[cut:]))})"]
    return f"{negation}({word.join(parts)})"
