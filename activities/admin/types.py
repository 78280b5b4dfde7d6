"""The activity types in the admin: their list, their form, and the addresses of their other pages."""

from datetime import date, timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.db.models import Case, DateTimeField, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from activities.admin import (
    consents,
    organize,
    record,
    timeline,
    transitions,
    type_detail,
    type_fields,
    type_wizard,
    visitors,
    withdraw,
)
from activities.admin.base import find_type, show_type_page
from activities.admin.forms import TypeForms
from activities.log import rollup
from activities.models import Activity, ActivityType, DailyCount
from activities.rights import ADD_ACTIVITYTYPE, CHANGE_ACTIVITYTYPE, DELETE_ACTIVITYTYPE
from activities.templatetags.activity_tags import picture
from activities.types import standard as standard_types
from people.core import installation
from people.core.admin.base import OwnPages, PagesAdmin, state_badge
from people.core.admin.object_actions import MenuAction
from people.core.db import citus
from people.core.errors import RejectedError
from people.definitions import drafts
from people.rights import VIEW_STATICLIST
from people.templatetags.change_lists import sparkline
from people.templatetags.moments import moment

SHOWN_DAYS = 30


class ActivityTypeStateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"
    states = {
        "draft": Q(is_standard=False, live=None),
        "approved": Q(is_standard=False, live__isnull=False, draft=None, retired_at=None),
        "approved_with_draft": Q(live__isnull=False, draft__isnull=False, retired_at=None),
        "retired": Q(retired_at__isnull=False),
        "standard": Q(is_standard=True),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        labels = dict(ActivityType.State.choices) | {"standard": _("Standard")}
        return [(state, labels[state]) for state in self.states]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        condition = self.states.get(self.value() or "")
        if condition is not None:
            return queryset.filter(condition)
        return queryset if request.GET.get("q") else queryset.filter(is_standard=False)


_LAST_SEEN = Subquery(
    Activity.objects.filter(activity_type_id=OuterRef("pk")).order_by("-occurred_at").values("occurred_at")[:1]
)


def _shown_days() -> tuple[date, date]:
    """The first and the last day of the period that the list counts."""
    today = timezone.now().astimezone(installation.installation_zone()).date()
    return today - timedelta(days=SHOWN_DAYS - 1), today


def _last_seen_on_cluster() -> Case:
    """The moments as values: a statement on the coordinator cannot query the workers for each type."""
    moments = rollup.last_occurrences(list(ActivityType.objects.existing().values_list("pk", flat=True)))
    whens = [When(pk=pk, then=Value(moment)) for pk, moment in moments.items()]
    return Case(*whens, default=None, output_field=DateTimeField())


@admin.register(ActivityType)
class ActivityTypeAdmin(PagesAdmin):
    list_display = ("shown_name", "state_badge", "last_seen", "folder", "owner")
    list_display_links = ("shown_name",)
    list_filter = (ActivityTypeStateFilter, "folder", ("owner", admin.RelatedOnlyFieldListFilter))
    list_filter_submit = False
    search_fields = ("api_name", "live__name", "draft__name", "live__filter_name", "live__trigger_name")
    search_help_text = gettext_lazy("Name, API name, filter or trigger")
    list_select_related = ("live", "draft", "folder", "owner")
    list_before_template = "activities/_list_actions.html"
    nothing_yet = gettext_lazy("An activity type says what can happen: a cheque deposited, a webinar attended.")
    empty_icon = "category"

    def get_queryset(self, request: HttpRequest) -> Any:
        counts = DailyCount.objects.filter(activity_type_id=OuterRef("pk"), day__gte=_shown_days()[0])
        summed = counts.order_by().values("activity_type_id").annotate(sum=Sum("count")).values("sum")
        return (
            super()
            .get_queryset(request)
            .existing()
            .annotate(
                last_occurred_at=_last_seen_on_cluster() if citus.is_distributed() else _LAST_SEEN,
                recent=Coalesce(Subquery(summed), 0),
            )
        )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Custom types; standard types have their own tab, and are in searches and in the state filter."""
        context = {"is_standard_tab": request.GET.get("state") == "standard"}
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def list_actions(self, request: HttpRequest) -> list[MenuAction]:
        may = request.user.has_perm
        actions = (
            (may(VIEW_STATICLIST), _("Folders"), "people_staticlist_folders"),
            (may(DELETE_ACTIVITYTYPE), _("Deleted types"), "activities_activitytype_deleted"),
            (True, _("Export schemas"), "activities_activitytype_export"),
            (may(ADD_ACTIVITYTYPE) and may(CHANGE_ACTIVITYTYPE), _("Import schemas"), "activities_activitytype_import"),
        )
        return [MenuAction(label, reverse(f"admin:{page}")) for allowed, label, page in actions if allowed]

    def get_ordering(self, request: HttpRequest) -> Any:
        return ("is_standard", F("retired_at").asc(nulls_first=True), "-pk")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search results; standard types match by the names shown on pages, too."""
        results, has_duplicates = super().get_search_results(request, queryset, search_term)
        standard_ids = standard_types.find_standard_types(search_term)
        return results | queryset.filter(pk__in=standard_ids) if standard_ids else results, has_duplicates

    @admin.display(description=gettext_lazy("Name"))
    def shown_name(self, activity_type: ActivityType) -> str:
        return format_html(
            '<span class="ca-name">{}<span>{}<span class="ca-name__more">{}</span></span></span>',
            picture(activity_type),
            activity_type,
            activity_type.api_name,
        )

    @admin.display(description=gettext_lazy("State"))
    def state_badge(self, activity_type: ActivityType) -> str:
        state = "standard" if activity_type.is_standard else activity_type.state
        label = _("Standard") if activity_type.is_standard else activity_type.state.label
        return state_badge(label, state)

    def get_list_display(self, request: HttpRequest) -> Any:
        by_type = dict[int, list[int]]()  # per request, as threads share the admin; read when the first row is shown

        @admin.display(description=_("Past 30 days"), ordering="recent")
        def in_past_days(activity_type: Any) -> Any:
            if not activity_type.recent:
                return None
            if not by_type:
                by_type.update(rollup.daily_counts_by_type(*_shown_days()))
            return format_html(
                '<span class="ca-figure"><span class="ca-figure__number">{}</span>{}</span>',
                intcomma(activity_type.recent),
                sparkline(by_type.get(activity_type.pk, [])),
            )

        name, state, *others = super().get_list_display(request)
        return [name, state, in_past_days, *others]

    @admin.display(description=gettext_lazy("Last seen"), ordering="last_occurred_at")
    def last_seen(self, activity_type: Any) -> Any:
        return moment(activity_type.last_occurred_at) if activity_type.last_occurred_at else None

    def own_pages(self) -> OwnPages:
        return (
            ("add/", type_wizard.add_type, "add"),
            ("check/", type_wizard.check_type_names, "check"),
            ("names/", type_wizard.propose_type_names, "names"),
            ("deleted/", organize.list_deleted_types, "deleted"),
            ("export/", organize.export_schemas, "export"),
            ("import/", organize.import_schemas, "import"),
            ("<int:pk>/change/", type_detail.show_overview, "change"),
            ("<int:pk>/fields/", type_fields.show_fields, "fields"),
            ("<int:pk>/fields/add/", type_fields.edit_field, "new_field"),
            ("<int:pk>/fields/<str:api_name>/", type_fields.edit_field, "field"),
            ("<int:pk>/people/", type_detail.show_people, "people"),
            ("<int:pk>/versions/", type_detail.show_versions, "versions"),
            ("<int:pk>/used-by/", type_detail.show_uses, "used_by"),
            ("<int:pk>/quality/", require_safe(type_detail.show_quality), "quality"),
            ("<int:pk>/developers/", type_detail.show_api_examples, "developers"),
            ("<int:pk>/place/", organize.place_type, "place"),
            ("<int:pk>/picture/", organize.choose_picture, "picture"),
            ("<int:pk>/edit/", edit_type, "edit"),
            ("<int:pk>/step/<str:step>/", transitions.make_transition, "step"),
        )

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("timeline/<int:person_id>/", wrap(timeline.show_timeline), name="activities_timeline"),
            path("timeline/<int:person_id>/export/", wrap(timeline.export_timeline), name="activities_timeline_export"),
            path(
                "timeline/<int:person_id>/numbers/", wrap(timeline.show_type_counts), name="activities_timeline_numbers"
            ),
            path("timeline/<int:person_id>/devices/", wrap(visitors.show_devices), name="activities_timeline_devices"),
            path("consents/<int:person_id>/", wrap(consents.show_consents), name="activities_consents"),
            path("record/<int:person_id>/", wrap(record.record_by_hand), name="activities_record"),
            path(
                "withdraw/<int:person_id>/<int:activity_id>/",
                wrap(withdraw.withdraw_by_hand),
                name="activities_withdraw",
            ),
            *super().get_urls(),
        ]


def edit_type(request: HttpRequest, pk: int) -> HttpResponse:
    """Names and fields of the draft in one form."""
    activity_type = find_type(request, pk, CHANGE_ACTIVITYTYPE)
    if activity_type.is_standard:
        raise PermissionDenied
    revision = activity_type.draft.revision if activity_type.draft else 0
    forms = TypeForms(request.POST or None, activity_type.draft or activity_type.live, revision)
    if request.method == "POST" and forms.is_valid():
        try:
            names = forms.names
            drafts.rewrite_draft(activity_type, names.names, forms.specs, request.user, names.cleaned_data["revision"])
        except RejectedError as refusal:
            forms.show(refusal)
        else:
            messages.success(request, _("Saved in the draft."))
            return redirect("admin:activities_activitytype_change", pk)
    title = _("Change %(name)s") % {"name": activity_type}
    return show_type_page(request, "form", title, forms=forms, activity_type=activity_type)
