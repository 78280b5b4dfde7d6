"""Smart campaigns in the native API: reading, editing, activation, runs and results."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from people.core.codes import Code
from people.core.errors import NotFoundError, Problem, UnprocessableError, bad_value
from people.datatypes.keys import MAX_BIG_ID
from people.rest.filters import NUMBER_KEY, FilterColumn, SearchFilter, StrictFilterSet
from people.rest.object_actions import RevisedMixin, delete_action, verb_action
from people.rest.viewsets import ListMixin, RetrieveMixin
from smartlists.api.campaign_serializers import (
    ActivationSerializer,
    CampaignInputSerializer,
    CampaignRunSerializer,
    CampaignSerializer,
    EntrySerializer,
    RunInputSerializer,
    RunSerializer,
    SummarySerializer,
    summary_representation,
)
from smartlists.api.serializers import HealthSerializer, health_representation
from smartlists.campaigns import diagnostics as campaign_diagnostics
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import results as campaign_results
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.running import runs as campaign_runs
from smartlists.campaigns.running import scheduling as campaign_scheduling
from smartlists.campaigns.running import step_counts
from smartlists.catalog import Catalogue
from smartlists.models import CampaignEntry, CampaignRun, SmartCampaign, SmartList
from smartlists.rights import ADD_SMARTCAMPAIGN, DELETE_SMARTCAMPAIGN


class SmartCampaignFilterSet(StrictFilterSet):
    class Meta:
        model = SmartCampaign
        fields = ()

    search = SearchFilter("name", "description")
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": FilterColumn("string", is_nullable=False),
        "description": FilterColumn("text", is_nullable=False, operators=("contains",)),
        "state": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "activated_at": FilterColumn("datetime"),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "updated_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {
        "definition": "a whole, not something to look a campaign up by",
        "revision": "stands in the ETag",
        "periods": "the dispatcher's own",
        "version": "the dispatcher's own",
        "folder": "not shown",
        "created_by": "not shown",
        "updated_by": "not shown",
    }


class CampaignEntryFilterSet(StrictFilterSet):
    class Meta:
        model = CampaignEntry
        fields = ()

    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "person": FilterColumn("integer", "person_id", is_nullable=False, operators=("", "in")),
        "activity": FilterColumn("integer", "activity_id", operators=("", "in", "isempty")),
        "record": FilterColumn("integer", "record_id", operators=("", "in", "isempty")),
        "state": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "reason": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "entered_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {
        "trigger": "the position of a trigger in one version",
        "path": "the place in one version of the campaign",
        "due_at": "changes with every step",
        "finished_at": "follows from the state",
        "campaign": "is in the address",
        "version": "not shown",
        "run_id": "not shown",
        "evaluation_id": "not shown",
        "object_change_id": "not shown",
        "depth": "not shown",
        "has_failed": "follows from the state",
        "dispatched_at": "not shown",
        "first_step_at": "not shown",
        "original_person_id": "not shown",
    }


class CampaignRunFilterSet(StrictFilterSet):
    class Meta:
        model = CampaignRun
        fields = ()

    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "state": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "requested_at": FilterColumn("datetime", is_nullable=False),
        "due_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {
        "campaign": "is in the address",
        "version": "not shown",
        "smart_list": "a campaign has few runs",
        "count": "a campaign has few runs",
        "entered": "a campaign has few runs",
        "members": "not shown",
        "requested_by": "not shown",
        "problem": "a sentence, not something to look a run up by",
        "tries": "a campaign has few runs",
    }


class SmartCampaignViewSet(RevisedMixin, ListMixin, RetrieveMixin):
    """Automations: triggers, an audience and steps."""

    queryset = SmartCampaign.objects.all()
    serializer_class = CampaignSerializer
    filterset_class = SmartCampaignFilterSet
    orderings = ("id", "-id")
    rights = {
        "list": campaign_lifecycle.VIEW,
        "retrieve": campaign_lifecycle.VIEW,
        "create": ADD_SMARTCAMPAIGN,
        "partial_update": campaign_lifecycle.CHANGE,
        "destroy": DELETE_SMARTCAMPAIGN,
        "activate": campaign_lifecycle.ACTIVATE,
        "pause": campaign_lifecycle.ACTIVATE,
        "archive": campaign_lifecycle.CHANGE,
        "unarchive": campaign_lifecycle.CHANGE,
        "summary": campaign_lifecycle.VIEW,
        "health": campaign_lifecycle.VIEW,
        "activation": campaign_lifecycle.VIEW,
        "run": campaign_lifecycle.ACTIVATE,
    }

    @extend_schema(request=CampaignInputSerializer, responses={201: CampaignSerializer})
    def create(self, request: Any) -> Response:
        """Create a campaign as a draft."""
        body = self.validated_body(CampaignInputSerializer)
        campaign = campaign_lifecycle.create_campaign(
            body["name"], request.user, value=body.get("definition"), description=body.get("description", "")
        )
        return self._response_for_pk(campaign.pk, 201, Location=f"{request.build_absolute_uri()}/{campaign.pk}")

    @extend_schema(request=CampaignInputSerializer, responses=CampaignSerializer)
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change a campaign; people in progress finish with the version they entered."""
        campaign = self.get_object()
        self.require_match(campaign)
        body = self.validated_body(CampaignInputSerializer, partial=True)
        with self.expecting(campaign.revision) as expected:
            campaign_lifecycle.change_campaign(
                campaign,
                request.user,
                expected_revision=expected,
                name=body.get("name"),
                value=body.get("definition"),
                description=body.get("description"),
            )
        return self._response_for_pk(campaign.pk)

    destroy = delete_action(
        campaign_lifecycle.delete_campaign, "Delete a draft or an archived campaign with its results."
    )

    activate = verb_action(
        "activate", campaign_lifecycle.activate_campaign, "Activate a campaign: its triggers apply from this moment on."
    )
    pause = verb_action(
        "pause", campaign_lifecycle.pause_campaign, "Pause a campaign: nobody enters, and people in progress are held."
    )
    archive = verb_action("archive", campaign_lifecycle.archive_campaign, "Archive a draft or a paused campaign.")
    unarchive = verb_action("unarchive", campaign_lifecycle.unarchive_campaign, "Unarchive a campaign.")

    @extend_schema(responses=SummarySerializer)
    @action(["GET"], detail=True)
    def summary(self, request: Any, pk: int) -> Response:
        """Get the figures of a campaign."""
        campaign = self.get_object()
        summary = campaign_results.summarize_campaign(campaign)
        return Response(SummarySerializer(summary_representation(summary, step_counts.count_steps(campaign))).data)

    @extend_schema(responses=HealthSerializer)
    @action(["GET"], detail=True)
    def health(self, request: Any, pk: int) -> Response:
        """List problems of triggers and steps, and of the rules of audience and branches."""
        campaign = self.get_object()
        definition = campaign_definition.load_definition(campaign.definition)
        problems = campaign_diagnostics.campaign_problems(definition, Catalogue())
        return Response(health_representation([*campaign_diagnostics.failing_problems(campaign), *problems]))

    @extend_schema(responses=ActivationSerializer)
    @action(["GET"], detail=True)
    def activation(self, request: Any, pk: int) -> Response:
        """List all problems that prevent you from activating the campaign. Nothing is changed."""
        problems = campaign_diagnostics.activation_reasons(self.get_object(), request.user, Catalogue())
        return Response({"can_activate": not problems, **health_representation(problems)})

    @extend_schema(request=RunInputSerializer, responses={201: RunSerializer})
    @action(["POST"], detail=True)
    def run(self, request: Any, pk: int) -> Response:
        """Run a campaign once, for all members of a smart list who are in the audience and qualify."""
        body = self.validated_body(RunInputSerializer)
        smart_list = SmartList.objects.filter(pk=min(body["smart_list"], MAX_BIG_ID)).first()
        if smart_list is None:
            raise UnprocessableError(
                bad_value(Code.UNKNOWN_LIST, _("the id of a smart list"), body["smart_list"], "smart_list")
            )
        run = campaign_runs.run_on_list(self.get_object(), smart_list, request.user, cap=body["cap"])
        return Response(RunSerializer({"id": run.pk, "count": run.count}).data, 201)

    def _response_for_pk(self, pk: int, status: int = 200, **headers: str) -> Response:
        return self.response_for(self.get_queryset().get(pk=pk), status, **headers)


class SmartCampaignEntryViewSet(ListMixin):
    """The people in a campaign, with the outcome of each step."""

    queryset = CampaignEntry.objects.prefetch_related("outcomes")
    serializer_class = EntrySerializer
    filterset_class = CampaignEntryFilterSet
    orderings = ("-id", "id")
    rights = {"list": campaign_lifecycle.VIEW}

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(campaign_id=min(self.kwargs.get("smart_campaign", 0), MAX_BIG_ID))

    def list(self, request: Any, smart_campaign: int) -> Response:
        """List the people who entered or were skipped, latest first."""
        if not SmartCampaign.objects.filter(pk=min(smart_campaign, MAX_BIG_ID)).exists():
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such smart campaign.")))
        return super().list(request)


class SmartCampaignRunViewSet(ListMixin):
    """Runs of a campaign that do not come from the log: on a smart list, requested, or scheduled."""

    queryset = CampaignRun.objects.defer("members")
    serializer_class = CampaignRunSerializer
    filterset_class = CampaignRunFilterSet
    orderings = ("-id", "id")
    rights = {"list": campaign_lifecycle.VIEW, "cancel": campaign_lifecycle.ACTIVATE}

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(campaign_id=min(self.kwargs.get("smart_campaign", 0), MAX_BIG_ID))

    def list(self, request: Any, smart_campaign: int) -> Response:
        """List the runs of a campaign, latest first, with progress and errors."""
        if not SmartCampaign.objects.filter(pk=min(smart_campaign, MAX_BIG_ID)).exists():
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such smart campaign.")))
        return super().list(request)

    @extend_schema(request=None)
    @action(["POST"], detail=True)
    def cancel(self, request: Any, smart_campaign: int, pk: int) -> Response:
        """Cancel a scheduled run, or stop a run in progress from entering more people."""
        run = self.get_object()
        campaign_scheduling.cancel_run(run, request.user)
        return self.response_for(run)
