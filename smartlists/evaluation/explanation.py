"""Explanation of one person's membership of a list: each filter's verdict, its evidence, and the nearest miss.

The verdicts come from the evaluation itself, limited to one person; the evidence is read in its snapshot.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyroaring import BitMap

from people.core.kinds import Facet
from people.datatypes import keys as datatype_keys
from people.datatypes.canonical import canonical_text
from people.fields import catalog
from people.models import Person, StaticListMember
from smartlists import models
from smartlists.catalog import Catalogue
from smartlists.evaluation import near_misses
from smartlists.evaluation.evaluator import EvaluationRun
from smartlists.evaluation.evidence import Evidence, EvidenceReader
from smartlists.evaluation.near_misses import NearMiss
from smartlists.evaluation.postgres.snapshot import open_snapshot
from smartlists.evaluation.record_evidence import RecordEvidence, RecordReader
from smartlists.rules import logic
from smartlists.rules import model as rules
from smartlists.rules.model import FILTERS
from smartlists.rules.names import Naming
from smartlists.rules.periods import Clock

MAX_DEPTH = 5  # levels of nested lists that are explained; deeper ones have a verdict only


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one filter for the person.

    `value`: the person's value of a field (canonical text), or an aggregate's. `times`: how many activities or
    records satisfy the constraints. `activities`: the evidence, at most ten, the newest first; for a sequence one for
    each step, in order. `records`: the object records, at most ten. `miss`: only where the filter does not hold.
    """

    number: int
    filter: rules.Filter
    holds: bool
    value: str | None = None
    times: int | None = None
    since: datetime | None = None  # date of joining the static list
    activities: tuple[Evidence, ...] = ()
    records: tuple[RecordEvidence, ...] = ()
    miss: NearMiss | None = None
    nested: "Explanation | None" = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The reasons why the person is a member or not. `is_live` is false for an unknown id or a deleted person."""

    person_id: int
    is_live: bool
    is_member: bool
    verdicts: tuple[Verdict, ...]
    as_of: datetime
    deciding: tuple[int, ...] = ()  # numbers of the filters whose verdict alone would change the answer


def explain_membership(
    parsed: rules.Rules, person_id: int, now: datetime | None = None, names: Catalogue | None = None
) -> Explanation:
    """Explain the result of `parsed` for one person as of `now` (default: this moment).

    Raises `RejectedError` (`timeout`, `cycle`) as an evaluation does.
    """
    clock = Clock.current(now)
    names = names or Catalogue()
    with open_snapshot() as view:
        run = EvaluationRun(view, clock, BitMap([person_id] if datatype_keys.is_id(person_id) else []), names)
        run.evaluate(parsed)
        person = Person.objects.filter(pk=person_id).first()
        return _Explainer(run, EvidenceReader(view, names, clock, person_id), person, person_id).of_list(parsed, 0)


class _Explainer:
    def __init__(self, run: EvaluationRun, reading: EvidenceReader, person: Person | None, person_id: int) -> None:
        self.run = run
        self.reading = reading
        self.person = person
        self.person_id = person_id
        self.naming = Naming(reading.names)

    def of_list(self, parsed: rules.Rules, depth: int) -> Explanation:
        is_live = self.person is not None and self.person.is_live
        verdicts = tuple(self._verdict(number, item, depth) for number, item in enumerate(parsed.filters, 1))
        answers = [verdict.holds for verdict in verdicts]
        return Explanation(
            self.person_id,
            is_live,
            is_live and _combined(parsed, answers),
            verdicts,
            self.reading.clock.now,
            _deciding_of(parsed, answers) if is_live else (),
        )

    def _verdict(self, number: int, item: rules.Filter, depth: int) -> Verdict:
        holds = datatype_keys.is_id(self.person_id) and self.person_id in self.run.answer(item)
        if self.person is None or not self.person.is_live:
            return Verdict(number, item, holds)
        return Verdict(number, item, holds, **VERDICT_DETAILS.of(item)(self, item, holds, depth))

    def person_field(self, item: rules.PersonField, holds: bool, _depth: int) -> Mapping[str, Any]:
        assert self.person is not None
        field = self.reading.names.person_fields[item.field]
        value = catalog.person_value(self.person, field)
        details: dict[str, Any] = {"value": None if value is None else canonical_text(value)}
        if not holds:
            details["miss"] = near_misses.value_miss(
                field.shown_label, field.data_type, item.operator, item.values, value, self.reading.clock
            )
        return details

    def activity(self, item: rules.Activity, holds: bool, _depth: int) -> Mapping[str, Any]:
        summary = self.reading.summary(item)
        details: dict[str, Any] = {
            "times": summary.times,
            "activities": summary.activities,
            "value": None if summary.result is None else canonical_text(summary.result),
        }
        if not holds:
            details["miss"] = self.reading.miss(item, summary)
        return details

    def sequence(self, item: rules.Sequence, holds: bool, _depth: int) -> Mapping[str, Any]:
        chain, miss = self.reading.chain(item, self.naming)
        return {"activities": chain, "miss": None if holds else miss}

    def static_list(self, item: rules.StaticList, _holds: bool, _depth: int) -> Mapping[str, Any]:
        row = StaticListMember.objects.filter(static_list=item.list, person=self.person_id).first()
        return {"since": row.added_at if row else None}

    def smart_list(self, item: rules.SmartList, _holds: bool, depth: int) -> Mapping[str, Any]:
        if depth >= MAX_DEPTH:
            return {}
        nested = models.SmartList.objects.get(pk=item.list)
        return {"nested": self.of_list(nested.parsed, depth + 1)}

    def consent(self, item: rules.Consent, holds: bool, _depth: int) -> Mapping[str, Any]:
        latest = self.reading.latest_consent(item)
        miss = None if holds else near_misses.consent_miss(latest[1] if latest else None)
        return {"activities": (latest[0],) if latest else (), "miss": miss}

    def object(self, item: rules.Object, holds: bool, _depth: int) -> Mapping[str, Any]:
        reading = RecordReader(self.reading.view, self.reading.names, self.reading.clock, self.person_id)
        summary = reading.summary(item)
        return {
            "times": summary.times,
            "records": summary.records,
            "value": None if summary.result is None else canonical_text(summary.result),
            "miss": None if holds else reading.miss(item, summary),
        }


def _combined(parsed: rules.Rules, answers: list[bool]) -> bool:
    expression = parsed.expression
    if expression is None:
        return parsed.match != rules.ANY
    return logic.fold_expression(
        expression,
        lambda number: answers[number - 1],
        lambda part: not part,
        lambda word, parts: all(parts) if word == "and" else any(parts),
    )


def _deciding_of(parsed: rules.Rules, answers: list[bool]) -> tuple[int, ...]:
    verdict = _combined(parsed, answers)
    return tuple(
        position + 1
        for position, answer in enumerate(answers)
        if _combined(parsed, [*answers[:position], not answer, *answers[position + 1 :]]) != verdict
    )


VERDICT_DETAILS: Facet[Callable[[_Explainer, Any, bool, int], Mapping[str, Any]]] = FILTERS.facet(
    "explanation of a verdict",
    {
        "person_field": _Explainer.person_field,
        "activity": _Explainer.activity,
        "sequence": _Explainer.sequence,
        "static_list": _Explainer.static_list,
        "smart_list": _Explainer.smart_list,
        "consent": _Explainer.consent,
        "object": _Explainer.object,
    },
)
