"""Import and export of smart lists as files: the text form (one list per file, for version control) or JSON."""

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
from smartlists.rules.text.language import ListDocument
from smartlists.rules.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of one file: "created", "changed" or "unchanged"."""

    name: str
    what: str


def parse_list_file(content: bytes, names: Vocabulary) -> ListDocument:
    """Parse a file: JSON if it begins with a brace, else the text form.

    JSON is {"name", "description", "rules"}, or the rules alone. Raises `RejectedError`.
    """
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        try:
            return language.parse_document(content.decode(), names)
        except UnicodeDecodeError:
            raise RejectedError(Problem(Code.WRONG_TYPE, _("expected text in UTF-8"))) from None
    try:
        form = exact_json.load_exact_json(content.removeprefix(b"\xef\xbb\xbf"))
    except exact_json.InvalidJSONError as error:
        raise RejectedError(Problem(Code.WRONG_TYPE, _("this is not JSON: %(error)s") % {"error": error})) from None
    if "rules" not in form:
        return ListDocument(parse_rules(form, names))
    parsed = parse_rules(form["rules"], names)
    return ListDocument(parsed, form.get("name") or "", form.get("description") or "")


def render_smart_list(smart_list: SmartList) -> str:
    """The text form of the list; `parse_list_file` returns an equal list."""
    return language.render_rules_text(smart_list.parsed, Catalogue(), smart_list.name, smart_list.description)


@transaction.atomic
def import_smart_lists(files: Mapping[str, bytes], by: Any, *, dry_run: bool = False) -> Sequence[ImportResult]:
    """Create the lists in the files, or change existing lists of the same name; all of them or none.

    `files`: content by file name, which begins the path of every problem. A list may use another list of the files,
    in any order. Raises `RejectedError`, `NotAllowedError`.
    """
    waiting, results = dict(files), []
    while waiting:
        refusals: dict[str, RejectedError] = {}
        for name, content in waiting.items():
            try:
                results.append(_import_list(content, by))
            except RejectedError as refusal:
                refusals[name] = refusal
        # a file that uses a list of a later file succeeds in the next round
        if len(refusals) == len(waiting):
            raise RejectedError(
                *(problem.under(name) for name, refusal in refusals.items() for problem in refusal.problems)
            )
        waiting = {name: waiting[name] for name in refusals}
    if dry_run:
        transaction.set_rollback(True)
    return results


@transaction.atomic
def _import_list(content: bytes, by: Any) -> ImportResult:
    document = parse_list_file(content, Catalogue())
    if is_blank(document.name):
        raise RejectedError(Problem(Code.MISSING_VALUE, _("The file does not name its list."), ("name",)))
    existing = SmartList.objects.filter(name__iexact=document.name.strip()).first()
    if existing is None:
        created = list_editing.create_smart_list(document.name, document.rules, by, description=document.description)
        return ImportResult(created.name, "created")
    if existing.rules == rules.dump_rules(document.rules) and existing.description == document.description:
        return ImportResult(existing.name, "unchanged")
    list_editing.change_smart_list(existing, by, value=document.rules, description=document.description)
    return ImportResult(existing.name, "changed")
