import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from people import lookup as people_lookup
from people.core.errors import RejectedError
from people.core.source import Channel, Source
from people.datatypes import keys as datatype_keys
from people.lists import static_lists
from people.models import StaticList
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator, explanation
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import copies as list_copies
from smartlists.lists import export_kind as list_export_kind
from smartlists.lists import files as list_files
from smartlists.models import ListCopy, SmartList
from smartlists.rules.sentences import filter_sentence

PERIODS = {"hour": 60, "day": 1_440, "week": 10_080}


class Command(BaseCommand):
    help = "Smart lists as files, who is on them, and why (“-” is standard input or output)."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        out = verbs.add_parser("export", help="write lists in their text form")
        out.add_argument("names", nargs="*", metavar="NAME", help="all lists when none is given")
        out.add_argument("--folder", help="write one file a list there, instead of to standard output")
        into = verbs.add_parser("import", help="create lists, or change those of the same name")
        into.add_argument("files", nargs="+", metavar="FILE")
        into.add_argument("--dry-run", action="store_true", help="show what would happen, change nothing")
        evaluate = verbs.add_parser("evaluate", help="count who is on a list now")
        _add_list(evaluate)
        evaluate.add_argument("--count", action="store_true", help="print the number alone")
        evaluate.add_argument("--members", metavar="FILE", help="write the members of a saved list as CSV")
        evaluate.add_argument("--fields", nargs="+", metavar="API_NAME", help="the columns of that file")
        explain = verbs.add_parser("explain", help="show why somebody is on a list, or is not")
        _add_list(explain)
        explain.add_argument("--person", required=True, help="id or e-mail address")
        copy = verbs.add_parser("copy", help="put the members of a list on a static list, now or on a schedule")
        copy.add_argument("name", metavar="NAME", help="of the smart list")
        copy.add_argument(
            "--to", required=True, metavar="STATIC", help="name of the static list; made if there is none"
        )
        copy.add_argument("--replace", action="store_true", help="take off whoever is no member")
        copy.add_argument("--every", choices=list(PERIODS), help="have a job do it now and once a …")
        copy.add_argument("--stop", action="store_true", help="end the schedule; the people stay")
        copy.add_argument("--dry-run", action="store_true", help="show how many people are meant, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['verb']}")(options)
        except RejectedError as refusal:
            raise CommandError("\n".join(_problem_line(problem) for problem in refusal.problems)) from None

    def _export(self, options: dict[str, Any]) -> None:
        lists = [_find_list(name) for name in options["names"]] or list(SmartList.objects.order_by("name"))
        if options["folder"] is None:
            self.stdout.write("\n".join(list_files.render_smart_list(smart_list) for smart_list in lists), ending="")
            return
        folder = Path(options["folder"])
        folder.mkdir(parents=True, exist_ok=True)
        for smart_list in lists:
            (folder / _file_name(smart_list)).write_text(list_files.render_smart_list(smart_list), encoding="utf-8")
        self.stdout.write(f"{len(lists)} lists written to {folder}.")

    def _import(self, options: dict[str, Any]) -> None:
        files = {name: _read(name) for name in options["files"]}
        results = list_files.import_smart_lists(files, None, dry_run=options["dry_run"])
        prefix = "Dry run, nothing was changed: " if options["dry_run"] else ""
        self.stdout.write(prefix + ", ".join(f"{result.name} {result.what}" for result in results) + ".")

    def _evaluate(self, options: dict[str, Any]) -> None:
        if options["file"]:
            if options["members"]:
                raise CommandError("--members needs the name of a saved list.")
            evaluation = evaluator.evaluate_rules(list_files.parse_list_file(_read(options["file"]), Catalogue()).rules)
            count, per_filter, seconds = (
                evaluation.count,
                [result.count for result in evaluation.per_filter],
                evaluation.seconds,
            )
        else:
            stored = stored_evaluations.evaluate_list(_list_of_options(options), None)
            count, per_filter, seconds = stored.count or 0, stored.per_filter, stored.seconds or 0
            if options["members"]:
                self._write_members(stored, options)
        if not options["count"]:
            for number, people in enumerate(per_filter, 1):
                self.stderr.write(f"filter {number}: {people} people by itself")
            self.stderr.write(f"evaluated in {seconds:.2f} s")
        self.stdout.write(str(count) if options["count"] else f"{count} people.")

    def _write_members(self, stored: Any, options: dict[str, Any]) -> None:
        if options["members"] == "-":
            list_export_kind.write_members(stored, sys.stdout.buffer, options["fields"])
            return
        try:
            with open(options["members"], "wb") as file:
                rows = list_export_kind.write_members(stored, file, options["fields"])
        except OSError as error:
            raise CommandError(f"{options['members']}: {error.strerror}") from None
        self.stderr.write(f"{rows} members written to {options['members']}")

    def _copy(self, options: dict[str, Any]) -> None:
        smart_list = _find_list(options["name"])
        static_list = StaticList.objects.filter(name__iexact=options["to"]).first()
        mode = list_copies.Mode.REPLACE if options["replace"] else list_copies.Mode.ADD
        if options["stop"]:
            planned = ListCopy.objects.filter(smart_list=smart_list, static_list=static_list).first()
            if planned is None:
                raise CommandError(f"“{options['to']}” is not filled from “{smart_list.name}”.")
            list_copies.end_copy(planned, None)
            self.stdout.write("Ended.")
            return
        if options["dry_run"]:
            self.stdout.write(
                f"{stored_evaluations.current_or_new_evaluation(smart_list, None).count} people are meant."
            )
            return
        static_list = static_list or static_lists.create_static_list(options["to"], None)
        if options["every"]:
            list_copies.plan_copy(smart_list, static_list, None, mode=mode, every_minutes=PERIODS[options["every"]])
            self.stdout.write(f"“{static_list.name}” is filled now and once a {options['every']}.")
            return
        copied = list_copies.copy_members_now(smart_list, static_list, Source(Channel.COMMAND), None, mode)
        self.stdout.write(f"{copied.joined} joined, {copied.left} left.")

    def _explain(self, options: dict[str, Any]) -> None:
        names = Catalogue()
        parsed = (
            list_files.parse_list_file(_read(options["file"]), names).rules
            if options["file"]
            else _list_of_options(options).parsed
        )
        explained = explanation.explain_membership(parsed, _find_person(options["person"]))
        self._write_verdicts(explained, names, "")
        self.stdout.write("On the list." if explained.is_member else "Not on the list.")

    def _write_verdicts(self, explained: explanation.Explanation, names: Catalogue, indent: str) -> None:
        for verdict in explained.verdicts:
            answer = "yes" if verdict.holds else "no"
            self.stdout.write(f"{indent}{verdict.number}. {answer}: {filter_sentence(verdict.filter, names)}")
            if verdict.miss:
                self.stdout.write(f"{indent}   {verdict.miss.text}")
            for evidence in verdict.activities:
                occurred_at = evidence.occurred_at.isoformat()
                self.stdout.write(f"{indent}   activity {evidence.activity_id} at {occurred_at}")
            for record in verdict.records:
                self.stdout.write(f"{indent}   object record {record.record_id}, {record.name}")
            if verdict.nested:
                self._write_verdicts(verdict.nested, names, indent + "   ")


def _add_list(parser: CommandParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="of a saved list")
    parser.add_argument("--file", help="rules in the text form or in JSON, instead of a saved list")


def _list_of_options(options: dict[str, Any]) -> SmartList:
    if not options["name"]:
        raise CommandError("Give the name of a list, or --file.")
    return _find_list(options["name"])


def _find_list(name: str) -> SmartList:
    smart_list = SmartList.objects.filter(name__iexact=name).first()
    if smart_list is None:
        raise CommandError(f"There is no smart list “{name}”.")
    return smart_list


def _find_person(reference: str) -> int:
    ids = (
        [int(reference)]
        if datatype_keys.is_id(reference)
        else people_lookup.person_ids_by_field("email", [reference])[datatype_keys.key_of(reference)]
    )
    if len(ids) != 1:
        raise CommandError(f"{len(ids)} people are called {reference}.")
    return ids[0]


def _file_name(smart_list: SmartList) -> str:
    plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in smart_list.name)
    return f"{plain[:80]}.{smart_list.pk}.smartlist"


def _problem_line(problem: Any) -> str:
    place = " ".join(str(part + 1 if isinstance(part, int) else part) for part in problem.path)
    return f"{place}: {problem.message}" if place else problem.message


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None
