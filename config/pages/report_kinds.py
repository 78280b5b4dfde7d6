"""The kinds of reports: the inputs of each form, and the function that makes a table of its rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy, pgettext_lazy

from activities.log import reports as log_reports
from config.pages import trend
from config.pages.funnel_tables import funnel_table
from config.pages.journey_tables import retention_table, returned_table, wait_table, waited_table
from config.pages.report_tables import Table, breakdown_table, reached_table, top_people_table

STEPS = tuple(f"step_{number}" for number in range(1, log_reports.MOST_STEPS + 1))


@dataclass(frozen=True, slots=True)
class Report:
    """A kind of report: its label, description, inputs, and the function that makes a table of its rows."""

    label: Any
    description: Any
    inputs: tuple[str, ...]
    table: Callable[[dict[str, Any], Sequence[Any]], Table] | None = None  # takes the rows of one answer
    names_people: bool = False
    is_tab: bool = True  # else only figures of other reports lead there
    more: tuple[str, ...] = ()  # of `inputs`, what the form has under "More options"

    @property
    def type_input(self) -> str:
        """The input of the type whose fields the form offers."""
        return "type" if "type" in self.inputs else STEPS[0]


JOURNEY = ("type", "then")
PERIOD = ("since", "until", "people", "bots")
GROUP = ("split", "person_field", "value", "others")  # of the people of a split funnel
FIELDS_OF_THE_TYPE = (
    "field",
    "total",
    "split",
    "where",
)  # loaded again when another type is chosen; what else was entered stays
REPORTS: dict[str, Report] = {
    "trend": Report(
        gettext_lazy("Trend"),
        gettext_lazy("How often it happened, by day, week or month."),
        (
            "type",
            "since",
            "until",
            "interval",
            "people",
            "bots",
            *trend.MORE_TYPES,
            "split",
            "compare",
            "cumulative",
            "stacked",
        ),
        more=(*trend.MORE_TYPES, "split", "compare", "cumulative", "stacked"),
    ),
    "breakdown": Report(
        gettext_lazy("Breakdown"),
        gettext_lazy("Which values a field had, most frequent first."),
        ("type", "field", "total", *PERIOD),
        breakdown_table,
    ),
    "people": Report(
        gettext_lazy("Top people"),
        gettext_lazy("Who did it most often."),
        ("type", *PERIOD, "where", "value"),
        top_people_table,
        True,
        more=("where", "value"),
    ),
    "funnel": Report(
        gettext_lazy("Funnel"),
        gettext_lazy("How many people did one thing, then another, up to five; and how long it took them."),
        (*STEPS, *PERIOD, "split", "person_field"),
        funnel_table,
        more=("split", "person_field"),
    ),
    "retention": Report(
        pgettext_lazy("report", "Retention"),
        gettext_lazy(
            "People by when they first did it, and how many of them did it, or something else, again in later periods."
        ),
        (*JOURNEY, "since", "until", "interval", "periods", "people", "bots", "where", "value"),
        retention_table,
        more=("periods", "where", "value"),
    ),
    "wait": Report(
        gettext_lazy("Time to next"),
        gettext_lazy("How long people took from doing one thing to doing another, or the same again."),
        (*JOURNEY, *PERIOD, "where", "value"),
        wait_table,
        more=("where", "value"),
    ),
    "returned": Report(
        gettext_lazy("People who came back"),
        gettext_lazy("Who first did it in this time, and came back in the chosen period after; the latest first."),
        (*JOURNEY, "since", "until", "interval", "period", "people", "bots", "where", "value"),
        returned_table,
        True,
        is_tab=False,
        more=("where", "value"),
    ),
    "waited": Report(
        gettext_lazy("People by time to next"),
        gettext_lazy("Who took this long from one thing to the other; the latest first."),
        (*JOURNEY, "wait", *PERIOD, "where", "value"),
        waited_table,
        True,
        is_tab=False,
        more=("where", "value"),
    ),
    "reached": Report(
        gettext_lazy("People at a step"),
        gettext_lazy("Who got as far as the last of these steps, the latest first."),
        (*STEPS, *PERIOD, *GROUP),
        reached_table,
        True,
        is_tab=False,
        more=GROUP,
    ),
}
