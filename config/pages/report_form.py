"""The form of the reports page: the choice of a report and its parameters, its questions, and their table."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from django import forms
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from activities.log import intervals
from activities.log import reports as log_reports
from activities.log.bots import bot_fields, marks_bots
from activities.log.journeys import cohorts, funnels, waits
from activities.models import ActivityType, ApprovedField
from config.pages import trend
from config.pages.journey_tables import bucket_label, cohort_interval
from config.pages.report_kinds import FIELDS_OF_THE_TYPE, REPORTS, STEPS, Report
from config.pages.report_tables import Table, field_name
from people.admin.days import DayField
from people.core import installation
from people.core.numerals import whole_number
from people.datatypes.parsing import MAX_LINK
from people.datatypes.registry import BY_NAME
from people.fields.catalog import field_catalogue
from people.models import StaticList
from people.rights import VIEW_STATICLIST
from smartlists.lists.report_questions import NARROWED, SPLIT_REACHED, ReportQuestion
from smartlists.models import SmartList
from smartlists.rights import VIEW_SMARTLIST

DAYS = 90
LATER = 8  # periods of a retention report
SPLIT_BY_VALUE = ("funnel", "reached")
NEVER = "never"  # of the parameter `wait`
CHOOSE = gettext_lazy("— choose —")
NONE = gettext_lazy("— none —")
NO_SUM = pgettext_lazy("no sum", "— none —")
ANYTHING = gettext_lazy("— anything —")
BOTS = (("", gettext_lazy("without bots")), (trend.WITH_BOTS, gettext_lazy("with bots")))


class ReportForm(forms.Form):
    """Choice of report, activity type, period and audience."""

    report = forms.ChoiceField(choices=(), required=False)
    type = forms.ModelChoiceField(
        ActivityType.objects.none(), required=False, label=gettext_lazy("Activity type"), empty_label=CHOOSE
    )
    field = forms.ModelChoiceField(ApprovedField.objects.none(), required=False, label=gettext_lazy("Broken down by"))
    total = forms.ModelChoiceField(
        ApprovedField.objects.none(), required=False, label=gettext_lazy("Sum of"), empty_label=NO_SUM
    )
    since = DayField(label=gettext_lazy("From"))
    until = DayField(label=gettext_lazy("To"))
    interval = forms.ChoiceField(choices=trend.CHOICES, required=False, label=gettext_lazy("By"))
    split = forms.ModelChoiceField(
        ApprovedField.objects.none(),
        required=False,
        label=gettext_lazy("Split by"),
        empty_label=gettext_lazy("— all together —"),
    )
    person_field = forms.ChoiceField(required=False, label=gettext_lazy("or by a field of the person"), choices=())
    where = forms.ModelChoiceField(
        ApprovedField.objects.none(), required=False, label=gettext_lazy("Where"), empty_label=ANYTHING
    )
    value = forms.CharField(
        required=False,
        max_length=MAX_LINK,
        strip=False,
        label=pgettext_lazy("the value of a field", "is"),
        widget=forms.TextInput({"placeholder": gettext_lazy("(no value)")}),
    )
    others = forms.BooleanField(required=False, label=gettext_lazy("All other values"))
    then = forms.ModelChoiceField(
        ActivityType.objects.none(),
        required=False,
        label=pgettext_lazy("activity type", "Then"),
        empty_label=gettext_lazy("— the same again —"),
    )
    periods = forms.IntegerField(
        required=False, min_value=0, max_value=cohorts.MOST_LATER, label=gettext_lazy("Later periods")
    )
    period = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=cohorts.MOST_LATER,
        label=gettext_lazy("Came back in period"),
        widget=forms.NumberInput({"placeholder": gettext_lazy("(everybody)")}),
    )
    wait = forms.ChoiceField(required=False, label=gettext_lazy("Took"), choices=())
    compare = forms.BooleanField(required=False, label=gettext_lazy("Compare with the period before"))
    cumulative = forms.BooleanField(required=False, label=gettext_lazy("Cumulative"))
    stacked = forms.BooleanField(required=False, label=gettext_lazy("As stacked bars"))
    people = forms.ChoiceField(required=False, label=gettext_lazy("People"))
    bots = forms.ChoiceField(required=False, label=gettext_lazy("Bots"), choices=BOTS)

    def __init__(self, parameters: Any, user: Any) -> None:
        today = timezone.now().astimezone(installation.installation_zone()).date()
        length = whole_number(parameters.get("days", ""), DAYS, most_digits=5)
        days = {"since": today - timedelta(days=max(length, 1) - 1), "until": today}
        data: dict[str, Any] = {name: day.isoformat() for name, day in days.items()} | parameters.dict()
        super().__init__(data)
        types = ActivityType.objects.approved().select_related("live").order_by("is_standard", "live__name")
        for name in ("type", "then"):
            self.fields[name].queryset = types  # type: ignore[attr-defined]
        if "person_field" in self.report_kind.inputs:
            self.fields["person_field"].choices = _person_fields()  # type: ignore[attr-defined]
        self.fields["wait"].choices = wait_choices()  # type: ignore[attr-defined]
        chosen = self.chosen_type(types)
        fields = self.type_fields = log_reports.breakdown_fields(chosen) if chosen else []
        if fields and "field" in self.report_kind.inputs and not data.get("field"):
            data["field"] = fields[0].pk
        self.fields["field"].empty_label = None  # type: ignore[attr-defined]
        numbers = [field.pk for field in fields if BY_NAME[field.data_type].is_number]
        of_type = (
            ApprovedField.objects.filter(pk__in=[field.pk for field in fields])
            .order_by("-is_primary", "pk")
            .select_related("activity_type__live")
            .prefetch_related("activity_type__live__fields")
        )
        for name in ("field", "split", "where"):
            self.fields[name].queryset = of_type  # type: ignore[attr-defined]
        self.fields["total"].queryset = of_type.filter(pk__in=numbers)  # type: ignore[attr-defined]
        for name in FIELDS_OF_THE_TYPE:
            self.fields[name].label_from_instance = field_name  # type: ignore[attr-defined]
        self.fields["report"].choices = [(name, report.label) for name, report in REPORTS.items()]  # type: ignore[attr-defined]
        self.fields["people"].choices = _audiences(user)  # type: ignore[attr-defined]
        self._add_type_fields(types)
        self._prepare_widgets()

    def _add_type_fields(self, types: Any) -> None:
        """Add the choices of further types: the steps of a funnel, the lines of a trend."""
        for step in range(1, log_reports.MOST_STEPS + 1):
            label = _("Step %(number)s") % {"number": step}
            empty = CHOOSE if step <= 2 else NONE
            self.fields[f"step_{step}"] = forms.ModelChoiceField(types, required=False, label=label, empty_label=empty)
        for name, title in zip(trend.MORE_TYPES, trend.MORE_LABELS, strict=True):
            self.fields[name] = forms.ModelChoiceField(types, required=False, label=title, empty_label=NONE)

    def _prepare_widgets(self) -> None:
        gone = _("It no longer exists, or you may not see it.")
        for bound in self.fields.values():
            if isinstance(bound, forms.ModelChoiceField) or bound is self.fields["people"]:
                bound.error_messages["invalid_choice"] = f"{bound.label}: {gone}"
            if isinstance(bound.widget, forms.CheckboxInput):
                continue
            bound.widget.attrs["class"] = "ca-input"
        for name in ("since", "until"):
            self.fields[name].widget = forms.DateInput(attrs={"type": "date", "class": "ca-input"}, format="%Y-%m-%d")

    def chosen_type(self, types: Any) -> ActivityType | None:
        text = self.data.get(self.report_kind.type_input, "")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        return types.filter(pk=number).first()

    @cached_property
    def marks_bots(self) -> bool:
        """True if one of the chosen types marks activities that bots caused; otherwise there is nothing to choose."""
        others = [self.cleaned_data.get(name) for name in ("then", *trend.MORE_TYPES, *STEPS)]
        types = [activity_type.pk for activity_type in others if activity_type]
        return any(map(marks_bots, self.type_fields)) or bool(types and bot_fields(types))

    @property
    def without_bots(self) -> bool:
        return self.marks_bots and self.cleaned_data.get("bots") != trend.WITH_BOTS

    @property
    def name(self) -> str:
        report = self.data.get("report", "")
        return report if report in REPORTS else "trend"

    @property
    def report_kind(self) -> Report:
        return REPORTS[self.name]

    def clean(self) -> None:
        chosen = self.cleaned_data
        if self.name in SPLIT_BY_VALUE and chosen.get("split") and chosen.get("person_field"):
            self.add_error("person_field", _("Choose a field of the first step or of the person, not both."))
        if self.name == "trend" and chosen.get("stacked") and chosen.get("compare"):
            self.add_error("stacked", _("Stacked bars are not compared with the period before."))
        if self.name == "trend" and chosen.get("split"):
            if any(chosen.get(name) for name in trend.MORE_TYPES):
                self.add_error("split", _("Choose a single activity type to split it by the values of a field."))
            if chosen.get("compare"):
                self.add_error("split", _("A trend split by values is not compared with the period before."))
        if self.name != "trend" or not (chosen.get("since") and chosen.get("until") and chosen.get("interval")):
            return
        if intervals.count_intervals(chosen["since"], chosen["until"], chosen["interval"]) > trend.MOST_POINTS:
            self.add_error("interval", _("Too many points. Choose a longer interval or a shorter period."))

    def parameters(self, follows_today: bool) -> dict[str, str]:
        """The parameters of a valid form, to be saved; with `follows_today` its period ends on the day of reading."""
        chosen: dict[str, Any] = {name: self.cleaned_data.get(name) for name in self.report_kind.inputs}
        texts = {
            name: _parameter(value) for name, value in chosen.items() if value or (value == 0 and value is not False)
        }
        if follows_today:
            texts["days"] = str((chosen["until"] - chosen["since"]).days + 1)
            del texts["since"], texts["until"]
        return {"report": self.name} | texts

    def questions(self) -> list[ReportQuestion]:
        """Return the questions of a valid form, one a series; none while no type is chosen."""
        if self.name == "trend":
            query = self.trend_query()
            return query.questions() if query else []
        question = self._question()
        return [question] if question else []

    def trend_query(self) -> trend.TrendQuery | None:
        """Return the trend of a valid form; None while no type is chosen."""
        return trend.TrendQuery.of(self.cleaned_data, without_bots=self.without_bots)

    def table(self, answers: Sequence[Sequence[Any]], counted_on: date) -> Table:
        """Return the answers to the `questions`, of the day `counted_on`, as one table."""
        query = self.trend_query()
        if self.report_kind.table is None and query:
            return trend.trend_table(query, answers, counted_on)
        assert self.report_kind.table is not None
        return self.report_kind.table(self.cleaned_data, answers[0])

    def _question(self) -> ReportQuestion | None:
        chosen, report = self.cleaned_data, self.report_kind
        types = [chosen[name] for name in ("type", *STEPS) if name in report.inputs and chosen[name]]
        if not types:
            return None
        if "then" in report.inputs:
            types.append(chosen["then"] or types[0])
        field = chosen["where"] if "where" in report.inputs else None
        if "field" in report.inputs:
            field = chosen["field"] or next(iter(log_reports.breakdown_fields(types[0])), None)
        is_funnel = self.name in SPLIT_BY_VALUE
        if is_funnel:
            field = chosen["split"]
        is_narrowed = (field and self.name in NARROWED) or (self.name == "reached" and self._is_split)
        total = chosen["total"] if "total" in report.inputs else None
        return ReportQuestion(
            self._stored_name(),
            tuple(activity_type.pk for activity_type in types),
            chosen["since"],
            chosen["until"],
            field.pk if field else None,
            total.pk if total else None,
            chosen["people"],
            (chosen["value"] or None) if is_narrowed and not (is_funnel and chosen["others"]) else None,
            self.without_bots,
            cohort_interval(chosen) if "interval" in report.inputs else "",
            chosen["person_field"] if is_funnel else "",
            self._number(),
            self.name == "reached" and self._is_split and chosen["others"],
        )

    def _stored_name(self) -> str:
        """Return the name of the answer: that of the report, but for funnels and their people, which have two."""
        if self.name == "reached" and self._is_split:
            return SPLIT_REACHED
        if self.name != "funnel":
            return self.name
        return "split_funnel" if self._is_split else "timed_funnel"

    @property
    def _is_split(self) -> bool:
        return bool(self.cleaned_data["split"] or self.cleaned_data["person_field"])

    def _number(self) -> int | None:
        """Return the periods of cohorts, the one that is chosen, or the bucket of a time."""
        chosen = self.cleaned_data
        if self.name == "retention":
            return LATER if chosen["periods"] is None else int(chosen["periods"])
        if self.name == "waited":
            return waits.NEVER if chosen["wait"] == NEVER else int(chosen["wait"] or 0)
        return chosen["period"] if self.name == "returned" else None


def _person_fields() -> list[tuple[str, Any]]:
    fields = funnels.person_split_fields(list(field_catalogue().values()))
    return [("", NONE), *sorted(((row.api_name, row.shown_label) for row in fields), key=lambda choice: choice[1])]


def wait_choices() -> list[tuple[str, str]]:
    """Return the times to the next activity that people can be listed by."""
    bounds = map(waits.bucket_bounds, waits.BUCKETS)
    return [*((str(least), bucket_label(least, end)) for least, end in bounds), (NEVER, _("Not yet"))]


def _parameter(value: Any) -> str:
    """Return the text of a chosen value in a query string."""
    if isinstance(value, Model):
        return str(value.pk)
    if isinstance(value, date):
        return value.isoformat()
    return "on" if value is True else str(value)


def _audiences(user: Any) -> list[tuple[str, Any]]:
    lists: list[tuple[str, Any]] = [("", _("All people"))]
    if user.has_perm(VIEW_SMARTLIST):
        smart = SmartList.objects.filter(is_archived=False).order_by("name")
        lists += [(f"smart:{row.pk}", _("Smart list: %(name)s") % {"name": row}) for row in smart]
    if user.has_perm(VIEW_STATICLIST):
        static = StaticList.objects.filter(is_archived=False).order_by("name")
        lists += [(f"static:{row.pk}", _("Static list: %(name)s") % {"name": row}) for row in static]
    return lists
