"""Forms of the import pages: they carry the choices; `people.files.imports` validates them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people import lookup as people_lookup
from people.core import installation
from people.core.errors import RejectedError, quoted_value
from people.datatypes.file_formats import EXCEL_PIVOT, LATE_PIVOT, DateOrder
from people.fields.catalog import field_catalogue
from people.files import tabular
from people.files.encodings import ENCODING_NAMES
from people.files.imports.guessing import PlanGuess, open_questions
from people.files.imports.plan import ExternalId, ImportPlan, Mappable
from people.files.imports.presets import left_out_sentences
from people.files.imports.targets import TARGETS
from people.files.tabular import FileLine, FileShape
from people.models import StaticList

COLUMN = "column_"
SAMPLES = 3
DATE_ORDERS = {
    DateOrder.YMD: gettext_lazy("Year, month, day: 2026-04-03"),
    DateOrder.DMY: gettext_lazy("Day, month, year: 3/4/2026 is 3 April"),
    DateOrder.MDY: gettext_lazy("Month, day, year: 4/3/2026 is 3 April"),
}
DECIMALS = {".": gettext_lazy("Point: 1250.50"), ",": gettext_lazy("Comma: 1250,50")}
EXTERNAL_IDS = {
    ExternalId.HASH: gettext_lazy("The row itself: a file imported twice adds nothing"),
    ExternalId.COLUMN: gettext_lazy("The column mapped to “External id”"),
    ExternalId.NONE: gettext_lazy("Nothing: importing the file again records everything twice"),
}
ACTIONS = {
    "upsert": gettext_lazy("Update existing people and create the others"),
    "update": gettext_lazy("Only update existing people"),
    "create": gettext_lazy("Only create new people"),
}
CAMPAIGNS = {
    "yes": gettext_lazy("Yes: as if each had just happened"),
    "no": gettext_lazy("No: nobody enters a campaign because of this file"),
}
MOMENTS = {
    "yes": gettext_lazy("Just now: campaigns start"),
    "no": gettext_lazy("History: nobody enters a campaign because of this file"),
}
PIVOTS = {
    EXCEL_PIVOT: gettext_lazy("30 to 99 are 1930 to 1999, as in Excel"),
    LATE_PIVOT: gettext_lazy("30 to 69 are 2030 to 2069, 70 to 99 are 1970 to 1999"),
}
# the questions raised by columns that are mapped after the page was rendered
ASKED = frozenset({"date_order", "decimal", "pivot"})
RARE = ASKED | {"zone", "external_id", "keep_apostrophes", "leave_out", "lookup_field"}  # folded once answered
PLAN_NAMES = (
    *("person", "lookup_field", "create_people", "external_id", "action", "zone", "date_order", "decimal"),
    *("static_list", "keep_apostrophes"),
)
FIXED, FIXED_VALUE, MAX_FIXED = "fixed_field_", "fixed_value_", 3
DELIMITER_NAMES = {
    ",": gettext_lazy("Comma"),
    ";": gettext_lazy("Semicolon"),
    "\t": gettext_lazy("Tab"),
    "|": gettext_lazy("Vertical bar |"),
}


def _unanswered() -> tuple[str, Any]:
    return "", _("— choose —")


def select(label: Any, choices: Any, help_text: Any = "", required: bool = True) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        choices=choices,
        help_text=help_text,
        required=required,
        widget=forms.Select(attrs={"class": "ca-input"}),
    )


class UploadForm(forms.Form):
    """A file, and the kind of its contents."""

    def __init__(self, *args: Any, contents: Sequence[tuple[str, Any]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["contents"] = select(_("What is in the file?"), contents)
        self.fields["file"] = forms.FileField(
            label=_("File"),
            allow_empty_file=True,
            help_text=_("CSV with any delimiter, XLSX or NDJSON, also as .gz. The first line names the columns."),
            widget=forms.FileInput(attrs={"class": "ca-input", "accept": ".csv,.tsv,.txt,.xlsx,.ndjson,.jsonl,.gz"}),
        )


class ShapeForm(forms.Form):
    """The shape of the file: delimiter, encoding and row of the header."""

    def __init__(self, *args: Any, shape: FileShape, **options: Any) -> None:
        options["initial"] = {"delimiter": shape.delimiter, "encoding": shape.encoding, "header_row": shape.header_row}
        super().__init__(*args, **options)
        self.fields["delimiter"] = select(_("Delimiter"), list(DELIMITER_NAMES.items()))
        self.fields["encoding"] = select(
            _("Encoding"), [(name, ENCODING_NAMES.get(name, name)) for name in tabular.ENCODINGS]
        )
        if shape.format != "csv":
            del self.fields["delimiter"], self.fields["encoding"]
        self.fields["header_row"] = forms.IntegerField(
            label=_("Row of the header"),
            min_value=1,
            max_value=tabular.MAX_HEADER_ROW,
            required=False,
            widget=forms.NumberInput(attrs={"class": "ca-input"}),
        )


class PlanForm(forms.Form):
    """The meanings of the columns, and the notations of the file."""

    def __init__(
        self,
        data: QueryDict | None,
        *,
        kind: str,
        shape: FileShape,
        items: Sequence[Mappable],
        guess: PlanGuess,
        lines: Sequence[FileLine],
        encodings: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(data)
        self.kind, self.shape, self.items, self.guess, self.lines = kind, shape, items, guess, lines
        plan = guess.plan
        by_column = {column: name for name, column in plan.columns.items()}
        choices = [("", _("— ignore —")), *((item.name, _labelled(item)) for item in items)]
        for place, column in enumerate(shape.header):
            field = select(column, choices, required=False)
            field.initial = by_column.get(column, "")
            self.fields[f"{COLUMN}{place}"] = field
        if encodings:
            self.add("encoding", select(_("Which of these is correct?"), [_unanswered(), *encodings]), "")
        PLAN_PARTS[kind](self, plan)
        self._add_conventions(plan, guess)
        self._add_constants(plan)
        is_settled = guess.is_remembered or guess.is_chosen
        questions = ASKED if is_settled else ASKED & guess.questions
        posted_questions = None if data is None else data.get("asked")
        self.shown_questions = (
            questions if posted_questions is None else ASKED.intersection(str(posted_questions).split())
        )

    def add(self, name: str, field: forms.Field, initial: Any) -> None:
        field.initial = initial
        self.fields[name] = field

    def add_lookup(self, plan: ImportPlan) -> None:
        """Add what people are found by; unanswered where the file leaves it open."""
        lookups = [
            ("id", _("Person id")),
            *((name, field_catalogue()[name].shown_label) for name in people_lookup.lookup_fields()),
        ]
        is_open = "lookup_field" in self.guess.questions
        choices = [_unanswered(), *lookups] if is_open else lookups
        self.add("lookup_field", select(_("Find people by"), choices), "" if is_open else plan.lookup_field)

    def add_activities(self, plan: ImportPlan) -> None:
        self.add_lookup(plan)
        example = _("A column in braces, like {email}, or a text with columns in it: customer{number}@example.com")
        person = forms.CharField(
            label=_("Person (column or template)"),
            help_text=example,
            required=False,
            widget=forms.TextInput(attrs={"class": "ca-input", "list": "person-columns"}),
        )
        self.add("person", person, plan.person)
        tick = forms.CheckboxInput(attrs={"class": "ca-input"})
        create = forms.BooleanField(label=_("Create people who don't exist yet"), required=False, widget=tick)
        self.add("create_people", create, plan.create_people)
        external = select(_("Avoid duplicates by"), list(EXTERNAL_IDS.items()))
        self.add("external_id", external, plan.external_id)
        self.add_starts_campaigns(plan, _("Did this happen just now, or is it history?"), MOMENTS)

    def add_people(self, plan: ImportPlan) -> None:
        self.add_lookup(plan)
        self.add("action", select(_("What to do"), list(ACTIONS.items())), plan.action)
        lists = StaticList.objects.filter(is_archived=False).order_by("name").values_list("pk", "name")
        into = forms.TypedChoiceField(
            label=_("Add these people to a static list"),
            choices=[("", _("— no list —")), *lists],
            required=False,
            coerce=int,
            empty_value=None,
            widget=forms.Select(attrs={"class": "ca-input"}),
            help_text=_("Everyone in the file whose row is valid, new or existing."),
        )
        self.add("static_list", into, plan.static_list)
        self.add_starts_campaigns(plan, _("Should these changes start smart campaigns?"), CAMPAIGNS)

    def add_starts_campaigns(self, plan: ImportPlan, question: str, answers: Mapping[str, Any]) -> None:
        """Add the question whether the rows are back-fill: unanswered unless a like file was imported before."""
        unanswered = [] if self.guess.is_remembered else [("", _("— choose —"))]
        help_text = _("It shows in the timeline and counts in smart lists in any case.")
        starts = select(question, [*unanswered, *answers.items()], help_text)
        remembered = ("yes" if plan.starts_campaigns else "no") if self.guess.is_remembered else ""
        self.add("starts_campaigns", starts, remembered)

    def _add_conventions(self, plan: ImportPlan, guess: PlanGuess) -> None:
        questions = frozenset() if guess.is_remembered else guess.questions
        for name, label, choices in (
            ("date_order", _("Dates are written"), DATE_ORDERS),
            ("decimal", _("Decimal mark"), DECIMALS),
            ("pivot", _("Two-digit years"), PIVOTS),
        ):
            blank = [_unanswered()] if name in questions else []
            is_needed = name != "pivot" or name in questions
            field = select(label, [*blank, *choices.items()], required=is_needed)
            self.add(name, field, "" if name in questions else getattr(plan, name))
        zones = [(name, name) for name in installation.all_zones()]
        self.add("zone", select(_("Times without a time zone are in"), zones), plan.zone)

    def _add_constants(self, plan: ImportPlan) -> None:
        """Add fields with one value for every row: a value above the table, or not in the file at all."""
        choices = [("", _("— none —")), *((item.name, item.label) for item in self.items)]
        fixed = [*plan.constants.items(), *[("", "")] * MAX_FIXED][:MAX_FIXED]
        for place, (name, value) in enumerate(fixed):
            self.add(f"{FIXED}{place}", select(_("The same in every row: field"), choices, required=False), name)
            text = forms.CharField(
                label=_("The same in every row: value"),
                required=False,
                max_length=1_000,
                widget=forms.TextInput(attrs={"class": "ca-input"}),
            )
            self.add(f"{FIXED_VALUE}{place}", text, value)
        keep = forms.BooleanField(
            label=_("Keep an apostrophe before =, +, - and @"),
            required=False,
            help_text=_("Our exports add it so that spreadsheets treat the text as text."),
            widget=forms.CheckboxInput(attrs={"class": "ca-input"}),
        )
        if plan.only_rows or plan.ends_at:
            tick = forms.CheckboxInput(attrs={"class": "ca-input"})
            leave_out = forms.BooleanField(
                label=_("Leave out rows that don't belong to the list"),
                required=False,
                help_text=" ".join(left_out_sentences(plan)),
                widget=tick,
            )
            self.add("leave_out", leave_out, True)
        if self.shape.format != "ndjson":
            self.add("keep_apostrophes", keep, plan.keep_apostrophes)

    def _constants(self) -> dict[str, str]:
        values = self.cleaned_data
        pairs = [(values.get(f"{FIXED}{place}"), values.get(f"{FIXED_VALUE}{place}")) for place in range(MAX_FIXED)]
        return {name: value for name, value in pairs if name and value}

    def columns(self) -> Iterable[dict[str, Any]]:
        """Each column of the file with its first values and the form field of its meaning."""
        for place, column in enumerate(self.shape.header):
            values = [line.cells[place] for line in self.lines[:SAMPLES] if not line.problem]
            yield {
                "name": column,
                "samples": ["" if value is None else quoted_value(value) for value in values],
                "field": self[f"{COLUMN}{place}"],
            }

    def fields_mapped(self) -> int:
        return sum(bool(name) for name, _column in self._choices())

    def _choices(self) -> Iterable[tuple[Any, str]]:
        """(name of what it is mapped to, or nothing; column) of each column, as the page shows them."""
        return ((self[f"{COLUMN}{place}"].value(), column) for place, column in enumerate(self.shape.header))

    def open_columns(self) -> Iterable[dict[str, Any]]:
        """The items that several columns can be, for a user to choose: label, and (column, sample value) pairs."""
        labels = {item.name: item.label for item in self.items} | {"person": _("Person (column or template)")}
        for name, pairs in self.guess.candidates.items():
            yield {"label": labels[name], "columns": pairs, "is_person": name == "person"}

    def settings(self) -> list[forms.BoundField]:
        """The fields besides the columns that have to be looked at: all but those in `rare`."""
        others = [field for field in self if not field.name.startswith((COLUMN, FIXED, FIXED_VALUE))]
        return [field for field in others if not self._is_rare(field)]

    def rare(self) -> list[forms.BoundField]:
        return [field for field in self if self._is_rare(field)]

    def _is_rare(self, field: forms.BoundField) -> bool:
        """True for a field that few people change: it has an answer, and no error."""
        has_answer = bool(field.value()) or isinstance(field.field, forms.BooleanField) or field.name == "pivot"
        return field.name in RARE and has_answer and not field.errors and field.name not in self.guess.questions

    def rare_choices(self) -> list[tuple[Any, Any]]:
        """(label, answer) of the folded choices, for their summary."""
        chosen = [(field, str(field.value())) for field in self.rare() if hasattr(field.field, "choices")]
        return [(field.label, dict(_texts(field.field.choices)).get(value, value)) for field, value in chosen]  # type: ignore[attr-defined]

    def has_rare_errors(self) -> bool:
        """True if a folded pair of the same in every row has an error."""
        return any(name.errors or value.errors for name, value in self.fixed_pairs())

    def fixed_pairs(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """The field and the value of each “the same in every row”."""
        return [(self[f"{FIXED}{place}"], self[f"{FIXED_VALUE}{place}"]) for place in range(MAX_FIXED)]

    @property
    def chosen_columns(self) -> dict[str, str]:
        """The columns by name of what they are mapped to, as the page shows them."""
        return {str(name): column for name, column in self._choices() if name}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first: dict[str, str] = {}
        for place, column in enumerate(self.shape.header):
            name = cleaned.get(f"{COLUMN}{place}")
            if name and name in first:
                message = _("“%(first)s” is already mapped to this.") % {"first": first[name]}
                self.add_error(f"{COLUMN}{place}", message)
            elif name:
                first[name] = column
        self._add_questions(cleaned)
        return cleaned

    def _add_questions(self, cleaned: dict[str, Any]) -> None:
        """Add the questions of columns that were mapped after the page was rendered, as unanswered fields."""
        columns = {
            cleaned[f"{COLUMN}{place}"]: column
            for place, column in enumerate(self.shape.header)
            if cleaned.get(f"{COLUMN}{place}")
        }
        plan = replace(self.guess.plan, columns=columns)
        questions = ASKED & open_questions(plan, TARGETS[self.kind], self.shape, self.lines)
        assert isinstance(self.data, QueryDict)
        data = self.data.copy()
        for name in sorted(questions - self.shown_questions):
            data[name] = ""
            choices = list(self.fields[name].choices)  # type: ignore[attr-defined]
            self.fields[name].choices = [_unanswered(), *(pair for pair in choices if pair[0] != "")]  # type: ignore[attr-defined]
            cleaned.pop(name, None)
            self.add_error(name, _("The file leaves this open. Choose one."))
        self.data = data
        self.shown_questions |= questions

    def plan(self, subject: str) -> ImportPlan:
        """The chosen plan; the form must be valid."""
        values = self.cleaned_data
        columns = {
            values[f"{COLUMN}{place}"]: column
            for place, column in enumerate(self.shape.header)
            if values.get(f"{COLUMN}{place}")
        }
        chosen = {name: values[name] for name in PLAN_NAMES if name in values}
        if "starts_campaigns" in values:
            chosen["starts_campaigns"] = values["starts_campaigns"] == "yes"
        if values.get("leave_out"):
            chosen |= {"only_rows": self.guess.plan.only_rows, "ends_at": self.guess.plan.ends_at}
        chosen |= {"pivot": int(values.get("pivot") or self.guess.plan.pivot), "constants": self._constants()}
        return ImportPlan(columns=columns, subject=subject, null_text=self.guess.plan.null_text, **chosen)

    def show(self, refusal: RejectedError) -> None:
        """Add each problem to its field."""
        for problem in refusal.problems:
            place = self._place(problem.path)
            message = str(problem.message)
            self.add_error(place, message[:1].upper() + message[1:] + ("" if message.endswith(".") else "."))

    def _place(self, path: Sequence[Any]) -> str | None:
        if path[:1] == ("columns",):
            names = [f"{COLUMN}{place}" for place in range(len(self.shape.header))]
            return next((name for name in names if self.cleaned_data.get(name) == path[1]), None)
        return path[0] if path and path[0] in self.fields else None


# the parts of the form besides the columns, by kind of row
PLAN_PARTS: dict[str, Callable[[PlanForm, ImportPlan], None]] = {
    "people": PlanForm.add_people,
    "activities": PlanForm.add_activities,
}


def _texts(choices: Iterable[tuple[Any, Any]]) -> Iterable[tuple[str, Any]]:
    return ((str(value), label) for value, label in choices)


def _labelled(item: Mappable) -> str:
    return _("%(field)s (required)") % {"field": item.label} if item.is_required else str(item.label)


def import_contents(user: Any) -> list[tuple[str, Any]]:
    """The imports that `user` may make: (kind and subject, label) pairs."""
    pairs: list[tuple[str, Any]] = []
    for target in TARGETS.values():
        if all(user.has_perm(right) for right in target.rights):
            pairs += [(f"{target.kind}:{subject}", label) for subject, label in target.subjects()]
    return pairs
