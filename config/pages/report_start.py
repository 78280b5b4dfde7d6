"""The beginning of a report: the choice of a saved one or of a kind, then of a type; and what another type changes."""

from collections.abc import Iterable

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _

from activities.log import reports as log_reports
from activities.models import ActivityType
from config.pages.report_kinds import FIELDS_OF_THE_TYPE, REPORTS
from people.core.admin.base import parse_number, require_rights
from smartlists.lists import reports as list_reports
from smartlists.lists import saved_reports
from smartlists.models import SavedReport

SHOWN_SAVED = 6  # on the first page
SUGGESTED = 8  # types, before one is chosen


def start_page(request: HttpRequest) -> HttpResponse:
    """Page before a report is chosen: the saved ones, and the kinds with a sentence each."""
    require_rights(request, *list_reports.RIGHTS)
    rows = list(saved_reports.visible_rows(SavedReport, request.user).order_by("-updated_at")[: SHOWN_SAVED + 1])
    kinds = ((report, str(report.parameters.get("report", ""))) for report in rows[:SHOWN_SAVED])
    context = {
        "title": _("Reports"),
        "saved_ones": [(report, kind, REPORTS[kind].label) for report, kind in kinds if kind in REPORTS],
        "has_more": len(rows) > SHOWN_SAVED,
        "kinds": [(name, kind) for name, kind in REPORTS.items() if kind.is_tab],
    }
    return render(request, "config/reports_start.html", {**admin.site.each_context(request), **context})


def suggested_types() -> Iterable[ActivityType]:
    """Return types of the team to report on, by name."""
    return ActivityType.objects.custom().approved().select_related("live").order_by("live__name")[:SUGGESTED]


def without_foreign_fields(query: QueryDict) -> QueryDict:
    """Return the query without fields of the type that was chosen before, and without the value of such a field."""
    kind = REPORTS.get(query.get("report", ""), REPORTS["trend"])
    chosen = ActivityType.objects.filter(pk=parse_number(query.get(kind.type_input, ""))).first()
    own = {str(field.pk) for field in log_reports.breakdown_fields(chosen)} if chosen else set()
    foreign = {name for name in FIELDS_OF_THE_TYPE if query.get(name) and query[name] not in own}
    kept = query.copy()
    for name in foreign | ({"value"} if "where" in foreign else set()):
        del kept[name]
    return kept
