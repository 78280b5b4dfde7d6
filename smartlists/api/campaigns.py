"""Smart campaigns over the native API: read, make, activate, pause, run, results."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from people.core.codes import Code
from people.core.errors import NotFoundError, Problem, UnprocessableError, bad_value
from people.datatypes.keys import MAX_BIG_ID
from people.rest.filters import NUMBER_KEY, Column, Filters, SearchFilter
from people.rest.viewsets import Listed, Retrieved
from smartlists.api import campaign_serializers as shown
from smartlists.api.serializers import HealthShown, health_shown
from smartlists.campaigns import definition as campaign_definition
from smartlists.campaigns import diagnostics as campaign_diagnostics
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import results as campaign_results
from smartlists.campaigns import runs as campaign_runs
from smartlists.campaigns import scheduling as campaign_scheduling
from smartlists.catalog import Catalogue
from smartlists.models import CampaignEntry, CampaignRun, SmartCampaign, SmartList


class SmartCampaignFilters(Filters):
    class Meta:
        model = SmartCampaign
        fields = ()

    search = SearchFilter("name", "description")
    typed = {
        "id": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": Column("string", is_nullable=False),
        "description": Column("text", is_nullable=False, operators=("contains",)),
        "state": Column("string", is_nullable=False, operators=("", "in")),
        "activated_at": Column("datetime"),
        "created_at": Column("datetime", is_nullable=False),
        "updated_at": Column("datetime", is_nullable=False),
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


class CampaignEntryFilters(Filters):
    class Meta:
        model = CampaignEntry
        fields = ()

    typed = {
        "id": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "person": Column("integer", "person_id", is_nullable=False, operators=("", "in")),
        "activity": Column("integer", "activity_id", operators=("", "in", "isempty")),
        "state": Column("string", is_nullable=False, operators=("", "in")),
        "reason": Column("string", is_nullable=False, operators=("", "in")),
        "entered_at": Column("datetime", is_nullable=False),
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
        "depth": "not shown",
        "has_failed": "follows from the state",
        "dispatched_at": "not shown",
        "first_step_at": "not shown",
        "original_person_id": "not shown",
    }


class CampaignRunFilters(Filters):
    class Meta:
        model = CampaignRun
        fields = ()

    typed = {
        "id": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "state": Column("string", is_nullable=False, operators=("", "in")),
        "requested_at": Column("datetime", is_nullable=False),
        "due_at": Column("datetime", is_nullable=False),
    }
    unfiltered = {
        "campaign": "stands in the address",
        "version": "not shown",
        "smart_list": "a campaign has few runs",
        "count": "a campaign has few runs",
        "entered": "a campaign has few runs",
        "members": "not shown",
        "requested_by": "not shown",
        "problem": "a sentence, not something to look a run up by",
        "tries": "a campaign has few runs",
    }


class SmartCampaigns(Listed, Retrieved):
    """What happens when somebody does something: triggers, an audience, steps."""

    queryset = SmartCampaign.objects.all()
    serializer_class = shown.CampaignShown
    filterset_class = SmartCampaignFilters
    orderings = ("id", "-id")
    rights = {
        "list": campaign_lifecycle.VIEW,
        "retrieve": campaign_lifecycle.VIEW,
        "create": "smartlists.add_smartcampaign",
        "partial_update": campaign_lifecycle.CHANGE,
        "destroy": "smartlists.delete_smartcampaign",
        "activate": campaign_lifecycle.ACTIVATE,
        "pause": campaign_lifecycle.ACTIVATE,
        "archive": campaign_lifecycle.CHANGE,
        "unarchive": campaign_lifecycle.CHANGE,
        "summary": campaign_lifecycle.VIEW,
        "health": campaign_lifecycle.VIEW,
        "run": campaign_lifecycle.ACTIVATE,
    }

    def revision(self, found: SmartCampaign) -> str:
        return f"{found.pk}-{found.revision}"

    @extend_schema(request=shown.CampaignGiven, responses={201: shown.CampaignShown})
    def create(self, request: Any) -> Response:
        """Make a draft."""
        given = self.given(shown.CampaignGiven)
        made = campaign_lifecycle.create(
            given["name"], request.user, value=given.get("definition"), description=given.get("description", "")
        )
        return self._now(made.pk, 201, Location=f"{request.build_absolute_uri()}/{made.pk}")

    @extend_schema(request=shown.CampaignGiven, responses=shown.CampaignShown)
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change a campaign; people under way finish on the version they entered."""
        found = self.get_object()
        self.require_match(found)
        given = self.given(shown.CampaignGiven, partial=True)
        with self.expecting(found.revision) as expected:
            campaign_lifecycle.change(
                found,
                request.user,
                expected_revision=expected,
                name=given.get("name"),
                value=given.get("definition"),
                description=given.get("description"),
            )
        return self._now(found.pk)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Any, pk: int) -> Response:
        """Delete a draft or an archived campaign with its results."""
        found = self.get_object()
        self.require_match(found)
        campaign_lifecycle.delete(found, request.user)
        return Response(status=204)

    @extend_schema(request=None, responses=shown.CampaignShown)
    @action(["POST"], detail=True)
    def activate(self, request: Any, pk: int) -> Response:
        """Listen from this moment on."""
        return self._now(campaign_lifecycle.activate(self.get_object(), request.user).pk)

    @extend_schema(request=None, responses=shown.CampaignShown)
    @action(["POST"], detail=True)
    def pause(self, request: Any, pk: int) -> Response:
        """Stop listening, and hold everybody under way."""
        return self._now(campaign_lifecycle.pause(self.get_object(), request.user).pk)

    @extend_schema(request=None, responses=shown.CampaignShown)
    @action(["POST"], detail=True)
    def archive(self, request: Any, pk: int) -> Response:
        """Put a draft or a paused campaign away."""
        return self._now(campaign_lifecycle.archive(self.get_object(), request.user).pk)

    @extend_schema(request=None, responses=shown.CampaignShown)
    @action(["POST"], detail=True)
    def unarchive(self, request: Any, pk: int) -> Response:
        """Bring an archived campaign back."""
        return self._now(campaign_lifecycle.unarchive(self.get_object(), request.user).pk)

    @extend_schema(responses=shown.SummaryShown)
    @action(["GET"], detail=True)
    def summary(self, request: Any, pk: int) -> Response:
        """The campaign in numbers."""
        return Response(shown.SummaryShown(shown.summary(campaign_results.summary(self.get_object()))).data)

    @extend_schema(responses=HealthShown)
    @action(["GET"], detail=True)
    def health(self, request: Any, pk: int) -> Response:
        """What is wrong with the rules of its audience and of its choices."""
        found = campaign_definition.load(self.get_object().definition)
        return Response(health_shown(campaign_diagnostics.of_campaign(found, Catalogue())))

    @extend_schema(request=shown.RunGiven, responses={201: shown.RunShown})
    @action(["POST"], detail=True)
    def run(self, request: Any, pk: int) -> Response:
        """Enter everybody on a smart list who is in the audience and qualifies."""
        given = self.given(shown.RunGiven)
        smart_list = SmartList.objects.filter(pk=min(given["smart_list"], MAX_BIG_ID)).first()
        if smart_list is None:
            raise UnprocessableError(
                bad_value(Code.UNKNOWN_LIST, _("the id of a smart list"), given["smart_list"], "smart_list")
            )
        made = campaign_runs.run_once(self.get_object(), smart_list, request.user, cap=given["cap"])
        return Response(shown.RunShown({"id": made.pk, "count": made.count}).data, 201)

    def _now(self, pk: int, status: int = 200, **headers: str) -> Response:
        return self.shown(self.get_queryset().get(pk=pk), status, **headers)


class SmartCampaignEntries(Listed):
    """What became of people in a campaign, with the outcome of each step."""

    queryset = CampaignEntry.objects.prefetch_related("outcomes")
    serializer_class = shown.EntryShown
    filterset_class = CampaignEntryFilters
    orderings = ("-id", "id")
    rights = {"list": campaign_lifecycle.VIEW}

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(campaign_id=min(self.kwargs.get("smart_campaign", 0), MAX_BIG_ID))

    def list(self, request: Any, smart_campaign: int) -> Response:
        """Who entered and who was skipped, the latest first."""
        if not SmartCampaign.objects.filter(pk=min(smart_campaign, MAX_BIG_ID)).exists():
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such smart campaign.")))
        return super().list(request)


class SmartCampaignRuns(Listed):
    """Runs of a campaign that do not come from the log: on a smart list, requested, or scheduled."""

    queryset = CampaignRun.objects.defer("members")
    serializer_class = shown.RunOfCampaign
    filterset_class = CampaignRunFilters
    orderings = ("-id", "id")
    rights = {"list": campaign_lifecycle.VIEW, "cancel": campaign_lifecycle.ACTIVATE}

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(campaign_id=min(self.kwargs.get("smart_campaign", 0), MAX_BIG_ID))

    def list(self, request: Any, smart_campaign: int) -> Response:
        """The runs, the latest first, with how far each is and why it failed."""
        if not SmartCampaign.objects.filter(pk=min(smart_campaign, MAX_BIG_ID)).exists():
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such smart campaign.")))
        return super().list(request)

    @extend_schema(request=None)
    @action(["POST"], detail=True)
    def cancel(self, request: Any, smart_campaign: int, pk: int) -> Response:
        """Have a scheduled run not begin, or one under way take in nobody else."""
        run = self.get_object()
        campaign_scheduling.cancel(run, request.user)
        return self.shown(run)
