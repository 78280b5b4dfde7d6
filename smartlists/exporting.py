"""The people on a smart list as a file: those that its page shows."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pyroaring import BitMap

from people import exporting, exporting_people
from people.exporting import Kind, Statement
from people.problems import Problem, Refused
from smartlists import evaluation
from smartlists.models import SmartList


def members(smart_list: SmartList) -> Iterable[int]:
    """Ids ascending: of the stored evaluation that page and API show, or found now where there is none yet."""
    stored = smart_list.current
    if stored is not None and stored.members is not None:
        return BitMap.deserialize(bytes(stored.members))
    return evaluation.members(smart_list.parsed)


def statement(parameters: Mapping[str, Any]) -> Statement:
    """`smart_list`: its id; `fields`: API names of person fields."""
    return exporting_people.of_people(list(members(_find(parameters))), parameters.get("fields"))


def check(parameters: Mapping[str, Any]) -> None:
    """Raise `Refused` for what cannot be, without finding the members."""
    _find(parameters)
    exporting_people.columns(parameters.get("fields"))


def choices() -> list[tuple[str, Any, Mapping[str, Any]]]:
    """Every smart list in use."""
    return [
        (str(one.pk), _("People on the smart list “%(list)s”") % {"list": one}, {"smart_list": one.pk})
        for one in SmartList.objects.filter(is_archived=False).order_by("name")
    ]


def _find(parameters: Mapping[str, Any]) -> SmartList:
    found = SmartList.objects.select_related("current").filter(pk=parameters.get("smart_list")).first()
    if found is None:
        message = _("There is no smart list %(id)s.") % {"id": parameters.get("smart_list")}
        raise Refused(Problem("unknown_list", message, ("smart_list",)))
    return found


exporting.register(
    Kind("smart_list", gettext_lazy("Smart list"), ("people.export_person",), statement, choices=choices, check=check)
)
