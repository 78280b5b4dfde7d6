"""Sentences that describe rules in the active language, for cards, e-mails and readers."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from people.core import installation
from people.core.kinds import Facet
from people.datatypes.registry import BY_NAME, DataType
from smartlists.rules import model as rules
from smartlists.rules import operators
from smartlists.rules.model import FILTERS
from smartlists.rules.names import Naming, fields_of_owner, shown_field_label
from smartlists.rules.sentence_values import join_in_words, spoken_period, spoken_value
from smartlists.rules.vocabulary import BACKFILL, FieldOwner, Vocabulary


def filter_sentence(item: rules.Filter, names: Vocabulary) -> str:
    """The sentences of one filter, including the treatment of missing values or activities and the zone of its days."""
    return _SentenceWriter(Naming(names)).card(item)


def constraint_sentence(item: rules.Constraint, activity_type: str, names: Vocabulary) -> str:
    """The sentence of one constraint of an activity filter or of a step, without a full stop."""
    return _SentenceWriter(Naming(names)).constraint(item, names.types.get(activity_type))


def record_constraint_sentence(item: rules.Constraint, object_type: str, names: Vocabulary) -> str:
    """The sentence of one constraint on a record, without a full stop."""
    return _SentenceWriter(Naming(names)).constraint(item, names.objects.get(object_type))


def change_sentence(item: rules.Change, object_type: str, names: Vocabulary) -> str:
    """The sentence of a change of a record, without a full stop."""
    return _SentenceWriter(Naming(names)).change(item, names.objects.get(object_type))


def list_sentence(parsed: rules.Rules, names: Vocabulary) -> str:
    """The sentences of a list: the combination of its filters, then each filter on a numbered line."""
    if not parsed.filters:
        return _("Nobody.") if parsed.match == rules.ANY else _("All people.")
    writer = _SentenceWriter(Naming(names))
    lines = [f"{number}. {writer.card(item)}" for number, item in enumerate(parsed.filters, start=1)]
    return "\n".join([_heading(parsed), *lines]) if len(lines) > 1 or parsed.match == rules.ADVANCED else lines[0][3:]


def _heading(parsed: rules.Rules) -> str:
    if parsed.match == rules.ADVANCED:
        spoken_logic = re.sub("and|or|not", lambda word: str(LOGIC[word[0]]()), parsed.logic)
        return _("People who match this: %(logic)s.") % {"logic": spoken_logic}
    if parsed.match == rules.ANY:
        return _("People who match at least one of these:")
    return _("People who match all of these:")


LOGIC: Mapping[str, Callable[[], str]] = {
    "and": lambda: pgettext("logic", "and"),
    "or": lambda: pgettext("logic", "or"),
    "not": lambda: pgettext("logic", "not"),
}


@dataclass
class _SentenceWriter:
    """Writes sentences of filters; `zone_matters` is true if the present filter depends on the zone."""

    naming: Naming
    zone_matters: bool = field(default=False, init=False)

    def card(self, item: rules.Filter) -> str:
        self.zone_matters = False
        sentences = [part for part in FILTER_SENTENCES.of(item)(self, item) if part]
        if self.zone_matters:
            sentences.append(
                _("Days and times are in %(zone)s.") % {"zone": installation.current_installation().time_zone}
            )
        return " ".join(sentences)

    def person_field(self, item: rules.PersonField) -> list[str]:
        field_info = self.naming.catalogue.person_fields.get(item.field)
        label = self.naming.shown_person_label(item.field)
        condition = self._predicate(label, field_info.data_type if field_info else BY_NAME["string"], item)
        return [_with_full_stop(condition), self._without_value(label, item)]

    def _without_value(self, label: str, item: rules.PersonField) -> str:
        if operators.OPERATORS[item.operator].shape is operators.OperandShape.NOTHING:
            return ""
        if operators.passes_without_value(item.operator, item.empty):
            return _("People without a value for %(field)s are included.") % {"field": label}
        return _("People without a value for %(field)s are not included.") % {"field": label}

    def activity(self, item: rules.Activity) -> list[str]:
        is_plain = item.count is None and item.aggregate is None
        owner = self.naming.catalogue.types.get(item.type)
        parameters = {"activity": self.naming.shown_type_label(item.type)}
        text = (
            _("Has no activity “%(activity)s”") % parameters
            if is_plain and not item.did
            else _count_text(COUNTS, item.count, parameters)
        )
        text = self._where(with_bots_spoken(text, item.bots), self._constraints(item, owner))
        if item.aggregate:
            text = _("%(card)s; over these activities %(aggregate)s") % {
                "card": text,
                "aggregate": self._aggregate_text(item.aggregate, owner),
            }
        if not item.did and not is_plain:
            text = _("Everyone except people who match this: %(card)s") % {"card": text}
        if is_plain or (passes := _passes_without_rows(item, item.did)) is None:
            return [_with_full_stop(text)]
        without = (
            _("People without any such activity are included.")
            if passes
            else _("People without any such activity are not included.")
        )
        return [_with_full_stop(text), without]

    def object(self, item: rules.Object) -> list[str]:
        is_plain = item.count is None and item.aggregate is None
        owner = self.naming.catalogue.objects.get(item.type)
        parameters = {"object": self.naming.shown_object_label(item.type)}
        text = (
            _("Has no record of “%(object)s”") % parameters
            if is_plain and not item.has
            else _count_text(RECORD_COUNTS, item.count, parameters)
        )
        conditions = self._constraints(item, owner)
        text = self._where(text, [*conditions, self.change(item.changed, owner)] if item.changed else conditions)
        if item.aggregate:
            text = _("%(card)s; over these records %(aggregate)s") % {
                "card": text,
                "aggregate": self._aggregate_text(item.aggregate, owner),
            }
        if not item.has and not is_plain:
            text = _("Everyone except people who match this: %(card)s") % {"card": text}
        if is_plain or (passes := _passes_without_rows(item, item.has)) is None:
            return [_with_full_stop(text)]
        without = (
            _("People without any such record are included.")
            if passes
            else _("People without any such record are not included.")
        )
        return [_with_full_stop(text), without]

    def change(self, item: rules.Change, owner: FieldOwner | None) -> str:
        data_type = self._data_type(item.field, owner)
        before, after = (
            join_in_words([spoken_value(data_type, value) for value in values], "or")
            for values in (item.before, item.after)
        )
        label = self._label(item.field, owner) if item.field else _("any field")
        text = str(CHANGES[bool(before), bool(after)]) % {"field": label, "before": before, "after": after}
        if not item.operator:
            return text
        period = self._predicate(_("the date of the change"), operators.MOMENT, item)
        return _("%(change)s, and %(period)s") % {"change": text, "period": period}

    def _aggregate_text(self, item: rules.Aggregate, owner: FieldOwner | None) -> str:
        label = AGGREGATES[item.function] % {"field": self._label(item.field, owner)}
        # not the type of the aggregate, which is a plain number: a sum of money is shown as money
        return self._predicate(label, self._data_type(item.field, owner), item)

    def _constraints(self, item: Any, owner: FieldOwner | None) -> list[str]:
        return [self.constraint(constraint, owner) for constraint in item.constraints]

    def _where(self, text: str, conditions: Sequence[str]) -> str:
        if not conditions:
            return text
        return _("%(card)s where %(constraints)s") % {"card": text, "constraints": join_in_words(conditions, "and")}

    def constraint(self, item: rules.Constraint, owner: FieldOwner | None) -> str:
        condition = self._predicate(self._label(item.field, owner), self._data_type(item.field, owner), item)
        if operators.OPERATORS[item.operator].shape is operators.OperandShape.NOTHING or item.field in COMMON_LABELS:
            return condition
        if operators.passes_without_value(item.operator, item.empty):
            return _("%(condition)s (or has no value)") % {"condition": condition}
        if operators.OPERATORS[item.operator].negates:
            return _("%(condition)s (and has a value)") % {"condition": condition}
        return condition

    def sequence(self, item: rules.Sequence) -> list[str]:
        parts = []
        for position, step in enumerate(item.steps):
            template = _("Has an activity “%(activity)s”") if position == 0 else _following(step)
            text = template % {
                "activity": self.naming.shown_type_label(step.type),
                "period": spoken_period(step.within_days or 1, "day"),
            }
            owner = self.naming.catalogue.types.get(step.type)
            parts.append(self._where(with_bots_spoken(text, step.bots), self._constraints(step, owner)))
        has_days = any(step.within_days for step in item.steps)
        return [_with_full_stop("; ".join(parts)), _("A day is 24 hours here.") if has_days else ""]

    def static_list(self, item: rules.StaticList) -> list[str]:
        name = self.naming.catalogue.static_lists.get(item.list, str(item.list))
        template = _("Is on the static list “%(name)s”") if item.member else _("Is not on the static list “%(name)s”")
        return [_with_full_stop(template % {"name": name})]

    def smart_list(self, item: rules.SmartList) -> list[str]:
        name = self.naming.catalogue.smart_lists.get(item.list, str(item.list))
        template = _("Is on the smart list “%(name)s”") if item.member else _("Is not on the smart list “%(name)s”")
        return [_with_full_stop(template % {"name": name})]

    def consent(self, item: rules.Consent) -> list[str]:
        text = CONSENT_SENTENCES[item.state] % {"purpose": item.purpose}
        if item.on:
            self.zone_matters = True
            day = spoken_value(BY_NAME["date"], item.on)
            text = _("At the end of %(day)s: %(sentence)s") % {"day": day, "sentence": text}
        return [_with_full_stop(text)]

    def _predicate(self, label: str, data_type: DataType, item: Any) -> str:
        """The sentence of an operator on `label`, with its values."""
        shape = operators.operator_shape(data_type, item.operator)
        is_day = data_type.name == "date"
        if shape in (operators.OperandShape.PERIOD, operators.OperandShape.FRAME):
            self.zone_matters |= is_day or not item.values[0].endswith(("hour", "hours"))
        elif data_type.name == "datetime" and item.values:
            self.zone_matters = True
        template = (DAY_PREDICATES if is_day else {}).get(item.operator, PREDICATES[item.operator])
        texts = [spoken_value(data_type, value, shape) for value in item.values]
        word = "nor" if operators.OPERATORS[item.operator].negates else "or"
        parameters = {"field": label, "values": join_in_words(texts, word)}
        if shape is operators.OperandShape.TWO:
            parameters |= {"first": texts[0], "last": texts[1]}
        return str(template) % parameters

    def _label(self, name: str, owner: FieldOwner | None) -> str:
        return str(COMMON_LABELS.get(name) or shown_field_label(owner, name))

    def _data_type(self, name: str, owner: FieldOwner | None) -> DataType:
        field = fields_of_owner(owner).get(name)
        return field.data_type if field else BY_NAME["string"]


def _count_text(counts: "Counts", count: rules.Count | None, parameters: Mapping[str, str]) -> str:
    operator, values = (count.operator, count.values) if count else ("at least", ("1",))
    template = counts[operator](int(values[-1]))
    return template % {**parameters, "number": values[-1], "first": values[0]}


def _passes_without_rows(item: rules.Activity | rules.Object, is_positive: bool) -> bool | None:
    """True if people without any such row pass a filter, False if not; None where it is obvious that they do not."""
    fewest, _most = item.count.bounds if item.count else (1, None)
    none_passes = fewest == 0 and (
        item.aggregate is None or operators.passes_without_value(item.aggregate.operator, None)
    )
    if none_passes == is_positive:
        return True
    return None if fewest and is_positive else False


def with_bots_spoken(text: str, bots: str) -> str:
    """The sentence of an activity with its choice on bots."""
    return BOTS_SENTENCES[bots] % {"activity": text}


BOTS_SENTENCES: Mapping[str, str | Promise] = {
    rules.INCLUDE_BOTS: "%(activity)s",
    rules.EXCLUDE_BOTS: gettext_lazy("%(activity)s (without bots)"),
    rules.ONLY_BOTS: gettext_lazy("%(activity)s (bots only)"),
}


def _following(step: rules.Step) -> str:
    if step.is_not:
        return _("and after that for %(period)s, which must be over, no activity “%(activity)s”")
    if step.within_days:
        return _("after that, within %(period)s, an activity “%(activity)s”")
    return _("after that an activity “%(activity)s”")


def _with_full_stop(text: str) -> str:
    return _("%(sentence)s.") % {"sentence": text}


FILTER_SENTENCES: Facet[Callable[[_SentenceWriter, Any], list[str]]] = FILTERS.facet(
    "sentence",
    {
        "person_field": _SentenceWriter.person_field,
        "activity": _SentenceWriter.activity,
        "sequence": _SentenceWriter.sequence,
        "static_list": _SentenceWriter.static_list,
        "smart_list": _SentenceWriter.smart_list,
        "consent": _SentenceWriter.consent,
        "object": _SentenceWriter.object,
    },
)

CONSENT_SENTENCES = {
    rules.GIVEN: gettext_lazy("Has given consent for “%(purpose)s”"),
    rules.WITHDRAWN: gettext_lazy("Has withdrawn consent for “%(purpose)s”"),
    rules.UNKNOWN: gettext_lazy("Has neither given nor withdrawn consent for “%(purpose)s”"),
}

COMMON_LABELS = {
    "@occurred_at": gettext_lazy("the date of the activity"),
    "@recorded_at": gettext_lazy("the date of recording"),
    BACKFILL: gettext_lazy("“recorded as history”"),
    "@created_at": gettext_lazy("the date when it was added"),
    "@updated_at": gettext_lazy("the date of its last change"),
}

# by whether there are values before, and values after
CHANGES: Mapping[tuple[bool, bool], Promise] = {
    (False, False): gettext_lazy("%(field)s changed"),
    (True, False): gettext_lazy("%(field)s changed from %(before)s"),
    (False, True): gettext_lazy("%(field)s changed to %(after)s"),
    (True, True): gettext_lazy("%(field)s changed from %(before)s to %(after)s"),
}

Counts = Mapping[str, Callable[[int], str]]
RECORD_COUNTS: Counts = {
    "at least": lambda number: ngettext(
        "Has at least %(number)s record of “%(object)s”", "Has at least %(number)s records of “%(object)s”", number
    ),
    "at most": lambda number: ngettext(
        "Has at most %(number)s record of “%(object)s”", "Has at most %(number)s records of “%(object)s”", number
    ),
    "exactly": lambda number: ngettext(
        "Has exactly %(number)s record of “%(object)s”", "Has exactly %(number)s records of “%(object)s”", number
    ),
    "between": lambda number: ngettext(
        "Has %(first)s to %(number)s record of “%(object)s”",
        "Has %(first)s to %(number)s records of “%(object)s”",
        number,
    ),
}
COUNTS: Counts = {
    "at least": lambda number: ngettext(
        "Has at least %(number)s activity “%(activity)s”", "Has at least %(number)s activities “%(activity)s”", number
    ),
    "at most": lambda number: ngettext(
        "Has at most %(number)s activity “%(activity)s”", "Has at most %(number)s activities “%(activity)s”", number
    ),
    "exactly": lambda number: ngettext(
        "Has exactly %(number)s activity “%(activity)s”", "Has exactly %(number)s activities “%(activity)s”", number
    ),
    "between": lambda number: ngettext(
        "Has %(first)s to %(number)s activity “%(activity)s”",
        "Has %(first)s to %(number)s activities “%(activity)s”",
        number,
    ),
}

AGGREGATES = {
    "sum": gettext_lazy("the sum of %(field)s"),
    "average": gettext_lazy("the average of %(field)s"),
    "minimum": gettext_lazy("the smallest value of %(field)s"),
    "maximum": gettext_lazy("the largest value of %(field)s"),
    "first": gettext_lazy("the first value of %(field)s"),
    "last": gettext_lazy("the last value of %(field)s"),
}


PREDICATES: Mapping[str, Promise] = {
    "is": gettext_lazy("%(field)s is %(values)s"),
    "is not": gettext_lazy("%(field)s is not %(values)s"),
    "starts with": gettext_lazy("%(field)s starts with %(values)s"),
    "not starts with": gettext_lazy("%(field)s does not start with %(values)s"),
    "ends with": gettext_lazy("%(field)s ends with %(values)s"),
    "not ends with": gettext_lazy("%(field)s does not end with %(values)s"),
    "contains": gettext_lazy("%(field)s contains %(values)s"),
    "not contains": gettext_lazy("%(field)s does not contain %(values)s"),
    "is empty": gettext_lazy("%(field)s has no value"),
    "is not empty": gettext_lazy("%(field)s has a value"),
    "between": gettext_lazy("%(field)s is between %(first)s and %(last)s, both included"),
    "greater than": gettext_lazy("%(field)s is greater than %(values)s"),
    "less than": gettext_lazy("%(field)s is less than %(values)s"),
    "at least": gettext_lazy("%(field)s is at least %(values)s"),
    "at most": gettext_lazy("%(field)s is at most %(values)s"),
    "before": gettext_lazy("%(field)s is before %(values)s"),
    "after": gettext_lazy("%(field)s is after %(values)s"),
    "on or before": gettext_lazy("%(field)s is on or before %(values)s"),
    "on or after": gettext_lazy("%(field)s is on or after %(values)s"),
    "in past": gettext_lazy("%(field)s is in the past %(values)s, up to now"),
    "in past before": gettext_lazy("%(field)s is more than %(values)s ago"),
    "in future": gettext_lazy("%(field)s is in the next %(values)s, from now on"),
    "in future after": gettext_lazy("%(field)s is more than %(values)s ahead"),
    "in time frame": gettext_lazy("%(field)s is %(values)s"),
}
# for dates, whose periods end with today
DAY_PREDICATES: Mapping[str, Promise] = {
    "in past": gettext_lazy("%(field)s is in the past %(values)s, up to today"),
    "in future": gettext_lazy("%(field)s is in the next %(values)s, from today on"),
}
