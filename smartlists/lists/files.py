"""Smart lists as files: the text form (one list a file, fit for version control) or JSON; in and out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.datatypes import exact_json
from people.datatypes.parsing import is_blank
from smartlists.catalog import Catalogue
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList
from smartlists.rules import model as rules
from smartlists.rules.parsing import parse_rules
from smartlists.rules.text import language
from smartlists.rules.text.language import Document
from smartlists.rules.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one file: "created", "changed" or "unchanged"."""

    name: str
    what: str


def read(content: bytes, names: Vocabulary) -> Document:
    """The list that a file holds: JSON where it begins with a brace, else the text form.

    JSON is {"name", "description", "rules"}, or the rules alone. Raises `RejectedError`.
    """
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        try:
            return language.read(content.decode(), names)
        except UnicodeDecodeError:
            raise RejectedError(Problem(Code.WRONG_TYPE, _("expected text in UTF-8"))) from None
    try:
        form = exact_json.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except exact_json.InvalidJSONError as error:
        raise RejectedError(Problem(Code.WRONG_TYPE, _("this is not JSON: %(error)s") % {"error": error})) from None
    if "rules" not in form:
        return Document(parse_rules(form, names))
    parsed = parse_rules(form["rules"], names)
    return Document(parsed, form.get("name") or "", form.get("description") or "")


def write(smart_list: SmartList) -> str:
    """The list in its text form; `read` gives back what went in."""
    return language.render(smart_list.parsed, Catalogue(), smart_list.name, smart_list.description)


@transaction.atomic
def import_lists(files: Mapping[str, bytes], by: Any, *, dry_run: bool = False) -> Sequence[Imported]:
    """Create the lists that files describe, or change those that have their names; all of them or none.

    `files`: content by a name to tell them apart by, which begins the path of every problem. A list may name
    another one of the files, whatever their order. Raises `RejectedError`, `NotAllowedError`.
    """
    waiting, done = dict(files), []
    while waiting:
        refusals: dict[str, RejectedError] = {}
        for name, content in waiting.items():
            try:
                done.append(_import_one(content, by))
            except RejectedError as refused:
                refusals[name] = refused
        # what names a list of a later file succeeds in the next round
        if len(refusals) == len(waiting):
            raise RejectedError(*(problem.under(name) for name, one in refusals.items() for problem in one.problems))
        waiting = {name: waiting[name] for name in refusals}
    if dry_run:
        transaction.set_rollback(True)
    return done


@transaction.atomic
def _import_one(content: bytes, by: Any) -> Imported:
    document = read(content, Catalogue())
    if is_blank(document.name):
        raise RejectedError(Problem(Code.MISSING_VALUE, _("The file does not name its list."), ("name",)))
    known = SmartList.objects.filter(name__iexact=document.name.strip()).first()
    if known is None:
        made = list_editing.create(document.name, document.rules, by, description=document.description)
        return Imported(made.name, "created")
    if known.rules == rules.dump(document.rules) and known.description == document.description:
        return Imported(known.name, "unchanged")
    list_editing.change(known, by, value=document.rules, description=document.description)
    return Imported(known.name, "changed")
