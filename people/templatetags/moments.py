"""Display of moments on pages: relative under a week, else exact; the exact time is always the title."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy

register = template.Library()

DAY, WEEK = timedelta(days=1), timedelta(days=7)
_AGES = (
    (86_400, ngettext_lazy("%(n)s day ago", "%(n)s days ago", "n")),
    (3_600, ngettext_lazy("%(n)s hour ago", "%(n)s hours ago", "n")),
    (60, ngettext_lazy("%(n)s minute ago", "%(n)s minutes ago", "n")),
)
_LENGTHS = (
    (86_400, ngettext_lazy("for %(n)s day", "for %(n)s days", "n")),
    (3_600, ngettext_lazy("for %(n)s hour", "for %(n)s hours", "n")),
    (60, ngettext_lazy("for %(n)s minute", "for %(n)s minutes", "n")),
)


@register.filter
def moment(when: datetime | None) -> SafeString | str:
    """A time element: “3 hours ago”, with the exact time in the user's zone as its title; a dash for None."""
    if not when:
        return "—"
    local = timezone.localtime(when)
    exact = date_format(local, "DATETIME_FORMAT")
    text = relative_age(timezone.now() - when) or exact
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), exact, text)


@register.filter
def exact_moment(when: datetime) -> SafeString:
    """A time element with the exact time in the user's zone, for a sentence in which “2 hours ago” makes no sense."""
    local = timezone.localtime(when)
    exact = date_format(local, "DATETIME_FORMAT")
    return format_html('<time datetime="{}">{}</time>', local.isoformat(timespec="seconds"), exact)


@register.filter
def moment_since(when: datetime) -> SafeString:
    """The time since a moment: “for 2 hours” under a week, else “since 29 Nov 2026, 14:05”."""
    local, seconds = timezone.localtime(when), int((timezone.now() - when).total_seconds())
    exact = date_format(local, "DATETIME_FORMAT")
    text = _length_in_words(seconds) or _("since %(when)s") % {"when": exact}
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), exact, text)


def _length_in_words(seconds: int) -> str:
    """A length of time under a week in its largest unit; empty for a longer one, and one that has not begun."""
    return "" if seconds < 0 or seconds >= WEEK.total_seconds() else _in_largest_unit(max(60, seconds), _LENGTHS)


@register.filter
def moment_of_day(when: datetime) -> SafeString:
    """As `moment`, below a heading that names the day: relative within a day, else the time alone."""
    local, age = timezone.localtime(when), timezone.now() - when
    text = (relative_age(age) if age < DAY else "") or date_format(local, "TIME_FORMAT")
    exact = date_format(local, "DATETIME_FORMAT")
    return format_html(
        '<time class="ca-push ca-muted ca-small" datetime="{}" title="{}">{}<span class="ca-print"> {}</span></time>',
        local.isoformat(timespec="seconds"),
        exact,
        text,
        date_format(local, "TIME_FORMAT"),
    )


@register.filter
def day_heading(day: date) -> SafeString | str:
    """The day as a heading; “Today” and “Yesterday” of the active zone stand before their date."""
    shown, age = date_format(day, "DATE_FORMAT"), (timezone.localdate() - day).days
    name = {0: _("Today"), 1: _("Yesterday")}.get(age)
    return format_html('{} <span class="ca-muted">{}</span>', name, shown) if name else shown


def relative_age(age: timedelta) -> str:
    """An age under a week in its largest unit; empty for older and for future moments."""
    seconds = int(age.total_seconds())
    if seconds < 0 or age >= WEEK:
        return ""
    return _("just now") if seconds < 60 else _in_largest_unit(seconds, _AGES)


def _in_largest_unit(seconds: int, forms: Sequence[tuple[int, Any]]) -> str:
    """The text of the first of `forms`, (seconds of a unit, text), whose unit fits; the units descend."""
    unit, text = next(form for form in forms if seconds >= form[0])
    return str(text % {"n": seconds // unit})
