"""Labels of the parts of rules on the builder's cards, in the language of the page."""

from collections.abc import Mapping, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

Choice = tuple[str, str | Promise]

COUNT_OPERATORS: Sequence[Choice] = (
    ("", gettext_lazy("at least once")),
    ("at least", gettext_lazy("at least … times")),
    ("at most", gettext_lazy("at most … times")),
    ("exactly", gettext_lazy("exactly … times")),
    ("between", gettext_lazy("between … and … times")),
)
RECORD_COUNTS: Sequence[Choice] = (
    ("", gettext_lazy("at least one")),
    ("at least", gettext_lazy("at least …")),
    ("at most", gettext_lazy("at most …")),
    ("exactly", gettext_lazy("exactly …")),
    ("between", gettext_lazy("between … and …")),
)
CONSENTS: Sequence[Choice] = (
    ("given", gettext_lazy("has given consent")),
    ("withdrawn", gettext_lazy("has withdrawn consent")),
    ("unknown", gettext_lazy("has said nothing")),
)
BOTS: Sequence[Choice] = (
    ("exclude", gettext_lazy("without bots")),
    ("include", gettext_lazy("with bots")),
    ("only", gettext_lazy("bots only")),
)
FUNCTIONS: Sequence[Choice] = (
    ("", gettext_lazy("— none —")),
    ("sum", gettext_lazy("the sum of")),
    ("average", gettext_lazy("the average of")),
    ("minimum", gettext_lazy("the smallest")),
    ("maximum", gettext_lazy("the greatest")),
    ("first", gettext_lazy("the first")),
    ("last", gettext_lazy("the last")),
)
RECORD_FUNCTIONS: Sequence[Choice] = FUNCTIONS[:5]  # records have no first and last
# when something changed: as the operators of moments
CHANGE_PERIODS: Sequence[Choice] = (
    ("", gettext_lazy("at any time")),
    ("in past", gettext_lazy("in the past")),
    ("in past before", gettext_lazy("longer ago than")),
    ("in time frame", gettext_lazy("in the time frame")),
    ("between", gettext_lazy("between")),
    ("on or after", gettext_lazy("on or after")),
    ("on or before", gettext_lazy("on or before")),
    ("after", gettext_lazy("after")),
    ("before", gettext_lazy("before")),
)
INVERSIONS: Mapping[str | None, str | Promise] = {
    "did": gettext_lazy("Change to “did”"),
    "did not": gettext_lazy("Change to “did not”"),
    "has": gettext_lazy("Change to “has”"),
    "has not": gettext_lazy("Change to “has no”"),
    "followed": gettext_lazy("Change to “followed by”"),
    "not followed": gettext_lazy("Change to “not followed by”"),
    "in": gettext_lazy("Change to “is in”"),
    "not in": gettext_lazy("Change to “is not in”"),
    "opposite": gettext_lazy("Change to the opposite"),
}
EMPTY: Sequence[Choice] = (
    ("", gettext_lazy("treat empty values as usual")),
    ("include", gettext_lazy("include people without a value")),
    ("exclude", gettext_lazy("exclude people without a value")),
)
OPERATORS: Mapping[str, str | Promise] = {
    "is": gettext_lazy("is"),
    "is not": gettext_lazy("is not"),
    "starts with": gettext_lazy("starts with"),
    "not starts with": gettext_lazy("does not start with"),
    "ends with": gettext_lazy("ends with"),
    "not ends with": gettext_lazy("does not end with"),
    "contains": gettext_lazy("contains"),
    "not contains": gettext_lazy("does not contain"),
    "is empty": gettext_lazy("is empty"),
    "is not empty": gettext_lazy("is not empty"),
    "between": gettext_lazy("is between"),
    "greater than": gettext_lazy("is greater than"),
    "less than": gettext_lazy("is less than"),
    "at least": gettext_lazy("is at least"),
    "at most": gettext_lazy("is at most"),
    "before": gettext_lazy("is before"),
    "after": gettext_lazy("is after"),
    "on or before": gettext_lazy("is on or before"),
    "on or after": gettext_lazy("is on or after"),
    "in past": gettext_lazy("in the past"),
    "in past before": gettext_lazy("longer ago than"),
    "in future": gettext_lazy("in the next"),
    "in future after": gettext_lazy("later than in"),
    "in time frame": gettext_lazy("in the time frame"),
}
UNITS: Sequence[Choice] = (
    ("hours", gettext_lazy("hours")),
    ("days", gettext_lazy("days")),
    ("weeks", gettext_lazy("weeks")),
    ("months", gettext_lazy("months")),
    ("years", gettext_lazy("years")),
)
FRAMES: Sequence[Choice] = (
    ("today", gettext_lazy("today")),
    ("yesterday", gettext_lazy("yesterday")),
    ("tomorrow", gettext_lazy("tomorrow")),
    ("this week", gettext_lazy("this week")),
    ("last week", gettext_lazy("last week")),
    ("next week", gettext_lazy("next week")),
    ("this month", gettext_lazy("this month")),
    ("last month", gettext_lazy("last month")),
    ("next month", gettext_lazy("next month")),
    ("this quarter", gettext_lazy("this quarter")),
    ("last quarter", gettext_lazy("last quarter")),
    ("next quarter", gettext_lazy("next quarter")),
    ("this year", gettext_lazy("this year")),
    ("last year", gettext_lazy("last year")),
    ("next year", gettext_lazy("next year")),
)
