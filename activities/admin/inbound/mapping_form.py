"""The form of a mapping: for each value of the activity a place in the calls that came, or a constant.

Places are written in words, as the sample beside the form shows them; the form accepts those of the sample and
those that the mapping has already.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from activities.inbound.mapping import IN_HUNDREDTHS, MAX_CONSTANT
from activities.inbound.paths import Leaf, path_label
from activities.models import ActivityType
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value, refuse_if

PERSON, OCCURRED_AT, PRIMARY, WHEN = "person", "occurred_at", "primary", "when"


@dataclass(frozen=True, slots=True)
class FormRow:
    """One value of the activity: its label, and its place or constant in the form."""

    name: str
    label: str
    place: str = ""
    constant: str = ""
    is_hundredths: bool = False
    takes_hundredths: bool = False
    takes_constant: bool = True
    is_needed: bool = False
    hint: str = ""


def rows_of(definition: Mapping[str, Any], activity_type: ActivityType | None) -> list[FormRow]:
    """The rows of the form for a definition: person, moment, and the fields of the approved type."""
    rows = [
        _row(PERSON, _("Person"), definition.get("person"), is_needed=True, takes_constant=False),
        _row(
            OCCURRED_AT,
            _("Moment"),
            definition.get("occurred_at"),
            takes_constant=False,
            hint=_("Empty: when the call came."),
        ),
    ]
    live = activity_type.live if activity_type is not None else None
    attributes = definition.get("attributes") or {}
    fields = sorted(live.fields.all(), key=lambda field: not field.is_primary) if live is not None else []
    labels = Counter(info.name for info in fields)
    for info in fields:
        origin = definition.get("primary") if info.is_primary else attributes.get(info.api_name)
        rows.append(
            _row(
                PRIMARY if info.is_primary else f"field.{info.api_name}",
                info.name if labels[info.name] == 1 else f"{info.name} ({info.api_name})",
                origin,
                is_needed=info.is_primary,
                takes_hundredths=info.data_type in IN_HUNDREDTHS,
            )
        )
    return rows


def _row(name: str, label: str, origin: Any, **options: Any) -> FormRow:
    origin = origin if isinstance(origin, dict) else {}
    place = path_label(origin["path"]) if origin.get("path") else ""
    return FormRow(name, label, place, origin.get("constant") or "", origin.get("hundredths") is True, **options)


def known_places(leaves: Sequence[Leaf], definition: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """Paths by their words: of the samples, and of the definition."""
    places: dict[str, Sequence[Any]] = {}
    for leaf in leaves:
        places.setdefault(leaf.label, leaf.path)
    origins = [definition.get(name) for name in (PERSON, OCCURRED_AT, PRIMARY, WHEN)]
    for origin in [*origins, *(definition.get("attributes") or {}).values()]:
        if isinstance(origin, dict) and origin.get("path"):
            places.setdefault(path_label(origin["path"]), origin["path"])
    return places


def read_definition(
    data: Mapping[str, str], places: Mapping[str, Sequence[Any]], names: Sequence[str]
) -> dict[str, Any]:
    """The definition in a posted form. `names`: of its rows. Raises `RejectedError` with every unknown place."""
    problems: list[Problem] = []
    origins = {name: _read_origin(data, name, places, problems) for name in names}
    when = _read_when(data, places, problems)
    refuse_if(problems)
    person = {"field": data.get("person_field") or "email", "create": data.get("create") == "on"}
    return {
        "when": when,
        "person": {**person, **(origins.get(PERSON) or {})},
        "occurred_at": origins.get(OCCURRED_AT),
        "primary": origins.get(PRIMARY),
        "attributes": {
            name.removeprefix("field."): origin
            for name, origin in origins.items()
            if name.startswith("field.") and origin is not None
        },
    }


def _read_origin(
    data: Mapping[str, str], name: str, places: Mapping[str, Sequence[Any]], problems: list[Problem]
) -> dict[str, Any] | None:
    place, constant = data.get(f"place.{name}", "").strip(), data.get(f"constant.{name}", "").strip()[:MAX_CONSTANT]
    more = {"hundredths": True} if data.get(f"hundredths.{name}") == "on" else {}
    if place and constant:
        message = _("Choose a place in the call or write a value, not both.")
        problems.append(Problem(Code.GIVEN_TWICE, message, (name,)))
        return None
    if place:
        path = _find(place, places, name, problems)
        return {"path": list(path), **more} if path else None
    return {"constant": constant, **more} if constant else None


def _find(place: str, places: Mapping[str, Sequence[Any]], name: str, problems: list[Problem]) -> Sequence[Any] | None:
    if place not in places:
        problems.append(bad_value(Code.UNKNOWN_NAME, _("a place of the calls that came"), place, name))
    return places.get(place)


def _read_when(
    data: Mapping[str, str], places: Mapping[str, Sequence[Any]], problems: list[Problem]
) -> dict[str, Any] | None:
    place = data.get("place.when", "").strip()
    words = list(dict.fromkeys(line.strip() for line in data.get("words", "").splitlines() if line.strip()))
    if not place and not words:
        return None
    if not place or not words:
        message = _("Name both: the place, and the values that it may have.")
        problems.append(Problem(Code.MISSING_VALUE, message, (WHEN,)))
        return None
    path = _find(place, places, WHEN, problems)
    return {"path": list(path), "values": words} if path else None


def errors_by_row(refusal: RejectedError) -> tuple[dict[str, list[str]], list[str]]:
    """The sentences of a refusal by the row that they are about, and the others."""
    rows: dict[str, list[str]] = {}
    others = []
    for problem in refusal.problems:
        text = problem.message[:1].upper() + problem.message[1:]
        if not problem.path:
            others.append(text)
            continue
        name = str(problem.path[0])
        if name == "attributes" and len(problem.path) > 1:
            name = f"field.{problem.path[1]}"
        rows.setdefault(name, []).append(text)
    return rows, others
