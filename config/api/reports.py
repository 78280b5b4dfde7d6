"""Reports in the native API: the saved ones, and the figures of a saved one or of any other."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from activities.log import intervals
from activities.log import reports as log_reports
from activities.log.journeys import cohorts, waits
from activities.models import ActivityType, ApprovedField
from activities.rights import VIEW_ACTIVITY
from config.pages import chart_marks, trend
from config.pages.report_form import LATER, NEVER
from config.pages.report_tables import Table
from config.pages.reports import REPORTS, STEPS, Replies, ReportForm, answer_report, charted_trend, saved_parameters
from people.core import installation
from people.core.codes import Code
from people.core.errors import BadQueryError, NotAllowedError, Problem, RejectedError, bad_value
from people.datatypes.parsing import MAX_LINK
from people.rest.filters import NUMBER_KEY, FilterColumn, SearchFilter, StrictFilterSet
from people.rest.viewsets import ListMixin, RetrieveMixin, StrictSerializer, UTCDateTimeField, note_people_in_reply
from smartlists.lists import saved_reports
from smartlists.models import SavedReport

VIEW = VIEW_ACTIVITY  # the others of a report are required by its verbs
RETRY_SECONDS = 2

_TEXT = {"type": "string", "minLength": 1, "maxLength": 100}
_DAY = {"type": "string", "format": "date"}
_FLAG = {"type": "string", "enum": ["true", "false"]}
_TYPE = "API name of an activity type."
# parameters of `reports/figures`: schema and description; those of the reports page, with API names for ids
PARAMETERS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "report": ({"type": "string", "enum": list(REPORTS)}, "The kind of report; trend by default."),
    "type": (_TEXT, f"{_TYPE} For all reports but the funnel."),
    **dict.fromkeys(trend.MORE_TYPES, (_TEXT, f"{_TYPE} A further series of a trend.")),
    **dict.fromkeys(STEPS, (_TEXT, f"{_TYPE} A step of a funnel.")),
    "then": (_TEXT, f"{_TYPE} What people did later (retention, wait); by default the same as `type`."),
    "field": (_TEXT, "The API name of the field by which a breakdown groups."),
    "total": (_TEXT, "The API name of a number field that a breakdown sums."),
    "split": (
        _TEXT,
        "The API name of a field: its values are the series of a trend; of the first step, it splits a funnel. For "
        "reached, the people of the group of `value` or `others` are listed.",
    ),
    "person_field": (_TEXT, "The API name of the person field by which a funnel is split; for reached as `split`."),
    "since": (_DAY, "The first day, in the time zone of the installation; by default 89 days before today."),
    "until": (_DAY, "The last day; today by default."),
    "where": (
        _TEXT,
        "The API name of a field of `type`: only activities that have `value` in it count (people, retention, wait).",
    ),
    "value": (
        {"type": "string", "maxLength": MAX_LINK},
        "The value of the field given in `where`, or of the group of a split funnel; if empty, those without a value.",
    ),
    "interval": (
        {"type": "string", "enum": list(intervals.INTERVALS)},
        "The interval of a trend or of cohorts; chosen by the length of the period by default.",
    ),
    "periods": (
        {"type": "integer", "minimum": 0, "maximum": cohorts.MOST_LATER},
        f"How many later periods a retention report follows people; {LATER} by default.",
    ),
    "period": (
        {"type": "integer", "minimum": 0, "maximum": cohorts.MOST_LATER},
        "The period in which people came back (returned); everybody of the cohorts by default.",
    ),
    "wait": (
        {"type": "string", "enum": [*map(str, waits.BUCKETS), NEVER]},
        "The shortest time to the next activity, in seconds, of the people to list (waited); never: who has not yet.",
    ),
    "people": (_TEXT, "smart:7 or static:7 for the members of a list; all people by default."),
    "bots": (
        {"type": "string", "enum": ["exclude", trend.WITH_BOTS]},
        "Whether activities of bots count, for types that mark them; exclude by default.",
    ),
    "others": (_FLAG, "Whether to list the people of all values but the most frequent (reached, with a split)."),
    "compare": (_FLAG, "Whether a trend is compared with the period before."),
    "cumulative": (_FLAG, "Whether a trend is cumulative."),
}
FIELDS = ("field", "total", "split", "where")
TYPES = ("type", "then", *trend.MORE_TYPES, *STEPS)


class SavedReportSerializer(StrictSerializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    owner = serializers.CharField(source="owner.username")
    is_shared = serializers.BooleanField(help_text="Whether the report is shared with everybody who may see reports.")
    parameters = serializers.DictField(
        child=serializers.CharField(), help_text="The parameters of the reports page. With days, the period ends today."
    )
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()


@extend_schema_field({"type": "array", "items": {"type": ["string", "number", "null"]}})
class FiguresRowField(serializers.ListField):
    """One row of figures."""


@extend_schema_field({"type": "object", "additionalProperties": {"type": ["string", "number"]}})
class FiguresTotalField(serializers.DictField):
    """One figure above a chart."""


class MarkSerializer(StrictSerializer):
    day = serializers.DateField()
    text = serializers.CharField(help_text="In the language requested by Accept-Language.")


class FiguresSerializer(StrictSerializer):
    """The figures of a report, as shown on its page and in its CSV file."""

    report = serializers.ChoiceField(choices=list(REPORTS))
    columns = serializers.ListField(
        child=serializers.CharField(), help_text="In the language requested by Accept-Language."
    )
    rows = serializers.ListField(
        child=FiguresRowField(), allow_null=True, help_text="Null until the first figures are available."
    )
    complete = serializers.ListField(
        child=serializers.BooleanField(),
        help_text="For a trend, one a row: false while its interval is not over, and if the period cuts it.",
    )
    totals = serializers.ListField(
        child=FiguresTotalField(), help_text="The figures above the chart: a label in the language, and plain numbers."
    )
    marks = MarkSerializer(
        many=True,
        help_text="The marks of a trend: approved types, finished imports, activated campaigns, visible notes.",
    )
    people = serializers.ListField(
        child=serializers.IntegerField(), help_text="For reports on individual people, the person of each row."
    )
    bots = serializers.ChoiceField(
        ["exclude", trend.WITH_BOTS], allow_null=True, help_text="Whether they count; null: no type marks them."
    )
    time_zone = serializers.CharField()
    as_of = UTCDateTimeField(allow_null=True)
    people_as_of = UTCDateTimeField(
        allow_null=True, help_text="The time at which the smart list was evaluated, if the report uses one."
    )
    is_running = serializers.BooleanField(help_text="Whether newer figures are being computed.")
    problem = serializers.CharField(help_text="The error of the last computation; empty if it succeeded.")


class SavedReportFilterSet(StrictFilterSet):
    class Meta:
        model = SavedReport
        fields = ()

    search = SearchFilter("name")
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": FilterColumn("string", is_nullable=False),
        "owner": FilterColumn("string", "owner__username", is_nullable=False, operators=("", "in")),
        "is_shared": FilterColumn("boolean", is_nullable=False),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "updated_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {"parameters": "a whole, not something to look a report up by"}


class ReportViewSet(ListMixin, RetrieveMixin):
    """Saved reports, and the figures of reports."""

    queryset = SavedReport.objects.select_related("owner")
    serializer_class = SavedReportSerializer
    filterset_class = SavedReportFilterSet
    orderings = ("id", "-id")
    rights = {"list": VIEW, "retrieve": VIEW, "figures": VIEW, "saved_figures": VIEW}
    parameters: ClassVar = {"figures": frozenset(PARAMETERS)}

    def get_queryset(self) -> Any:
        return saved_reports.visible_rows(SavedReport, self.request.user)

    @extend_schema(responses={200: FiguresSerializer, 202: FiguresSerializer}, operation_id="reports_saved_figures")
    @action(["GET"], detail=True, url_path="figures", url_name="saved-figures")
    def saved_figures(self, request: Any, pk: int) -> Response:
        """Get the figures of a saved report, as pages and files show them. 202 while the first figures are computed."""
        form = ReportForm(saved_parameters(self.get_object()), request.user)
        return self._figures(form, is_kept=True)

    @extend_schema(
        responses={200: FiguresSerializer, 202: FiguresSerializer},
        parameters=[
            OpenApiParameter(name, dict(schema), OpenApiParameter.QUERY, description=description)
            for name, (schema, description) in PARAMETERS.items()
        ],
        filters=False,
    )
    @action(["GET"], detail=False, pagination_class=None)
    def figures(self, request: Any) -> Response:
        """Get the figures of a report without saving it. 202 while the first figures are computed."""
        saved_reports.require_report_rights(request.user)
        return self._figures(ReportForm(_form_parameters(request.query_params), request.user), is_kept=False)

    def _figures(self, form: ReportForm, is_kept: bool) -> Response:
        if not form.is_valid():
            problems = (
                Problem(Code.INVALID, str(message), () if name == "__all__" else (name,))
                for name, messages in form.errors.items()
                for message in messages
            )
            raise BadQueryError(*problems)
        try:
            reply = answer_report(form, self.request.user, is_kept=is_kept)
        except NotAllowedError:
            raise
        except RejectedError as refusal:
            raise BadQueryError(*refusal.problems) from None
        if reply is None:
            raise BadQueryError(
                Problem(Code.MISSING_VALUE, _("Say which activity type."), (form.report_kind.type_input,))
            )
        table = form.table(reply.answers, reply.counted_on) if reply.answers else None
        marks = chart_marks.marks_of_trend(charted_trend(form, table), self.request.user)["marks"]
        body = _representation(form, reply, table) | {"marks": [{"day": mark.day, "text": mark.text} for mark in marks]}
        if body["people"]:
            note_people_in_reply(self.request, body["people"])
        if table is None:
            return Response(FiguresSerializer(body).data, 202, headers={"Retry-After": str(RETRY_SECONDS)})
        return Response(FiguresSerializer(body).data)


def _representation(form: ReportForm, reply: Replies, table: Table | None) -> dict[str, Any]:
    answer = reply.answer
    return {
        "report": form.name,
        "columns": table.file_headings() if table else [],
        "rows": [[None if cell.raw == "" else cell.raw for cell in row] for row in table.rows] if table else None,
        "totals": [{"label": total.label, **total.raw} for total in table.totals] if table else (),
        "complete": table.complete if table else (),
        "people": table.people if table else (),
        "bots": ("exclude" if form.without_bots else trend.WITH_BOTS) if form.marks_bots else None,
        "time_zone": installation.current_installation().time_zone,
        "as_of": answer.as_of if answer else None,
        "people_as_of": answer.people_as_of if answer else None,
        "is_running": reply.asked_at is not None,
        "problem": reply.problem,
    }


def _form_parameters(query: Any) -> QueryDict:
    """The parameters of the reports page for those of the API. Raises `BadQueryError` naming the first bad one."""
    parameters = QueryDict(mutable=True)
    for name, text in query.items():
        if name not in PARAMETERS:
            raise BadQueryError(bad_value(Code.UNKNOWN_FILTER, ", ".join(PARAMETERS), name, name))
        choices = PARAMETERS[name][0].get("enum")
        if choices and text not in choices:
            raise BadQueryError(bad_value(Code.INVALID, ", ".join(choices), text, name))
        if name == "bots":
            parameters[name] = text if text == trend.WITH_BOTS else ""
        elif name not in FIELDS:
            parameters[name] = _type_id(name, text) if name in TYPES else text
    of_report = REPORTS[parameters.get("report", "trend")]
    for name in FIELDS:
        if name in query:
            parameters[name] = _field_id(name, query[name], parameters.get(of_report.type_input, "0"))
    return parameters


def _type_id(name: str, api_name: str) -> str:
    activity_type = ActivityType.objects.approved().filter(api_name=api_name).first() if "\0" not in api_name else None
    if activity_type is None:
        raise BadQueryError(bad_value(Code.UNKNOWN_TYPE, _("the API name of an approved type"), api_name, name))
    return str(activity_type.pk)


def _field_id(name: str, api_name: str, type_id: str) -> str:
    fields: list[ApprovedField] = []
    if activity_type := ActivityType.objects.filter(pk=int(type_id)).first():
        fields = log_reports.breakdown_fields(activity_type)
    field = next((field for field in fields if field.api_name == api_name), None)
    if field is None:
        expected = ", ".join(field.api_name for field in fields)
        raise BadQueryError(bad_value(Code.UNKNOWN_FIELD, expected, api_name, name))
    return str(field.pk)
