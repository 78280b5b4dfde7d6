"""Tracked links, their clicks and people's own links in the native API."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from activities.links import editing, figures, sharing
from activities.links.addresses import MAX_ADDRESS, UTM, short_address, target_address
from activities.links.tokens import MAX_DAYS
from activities.models import EventSource, LinkClick, TrackedLink
from people.core.codes import Code
from people.core.errors import RejectedError, bad_value
from people.core.messages import sentence as _
from people.core.permissions import find_owner
from people.datatypes.keys import MAX_BIG_ID, MAX_ID
from people.rest.filters import NUMBER_KEY, FilterColumn, SearchFilter, StrictFilterSet
from people.rest.object_actions import RevisedMixin, delete_action, verb_action
from people.rest.viewsets import (
    ListMixin,
    OwnerField,
    ProblemSerializer,
    RetrieveMixin,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    UTCDateTimeField,
    note_people_in_reply,
)
from people.rights import VIEW_PERSON

_SETTINGS = ("destination", "fallback", "email_name", "is_identifying", "revision", "created_by", *UTM)
_TAG = {"max_length": 100, "required": False, "allow_blank": True}


class TrackedLinkFilterSet(StrictFilterSet):
    class Meta:
        model = TrackedLink
        fields = ()

    search = SearchFilter("name", "code")
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": FilterColumn("string", is_nullable=False),
        "code": FilterColumn("string", is_nullable=False),
        "channel": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "activity": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "is_on": FilterColumn("boolean", is_nullable=False),
        "website": FilterColumn("integer", "website_id", operators=("", "in", "isempty")),
        "owner": FilterColumn("integer", "owner_id", operators=("", "in", "isempty")),
        "expires_at": FilterColumn("datetime"),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "updated_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = dict.fromkeys(_SETTINGS, "a text or a setting, not something to look a link up by")


class LinkInputSerializer(StrictSerializer):
    """The members that can be changed."""

    name = StrictCharField(max_length=255)
    destination = StrictCharField(max_length=MAX_ADDRESS, help_text="A whole address with http or https.")
    fallback = StrictCharField(
        max_length=MAX_ADDRESS, required=False, allow_blank=True, help_text="The destination after `expires_at`."
    )
    expires_at = UTCDateTimeField(required=False, allow_null=True)
    channel = serializers.ChoiceField(TrackedLink.LinkChannel.choices, required=False)
    utm_source = StrictCharField(**_TAG)
    utm_medium = StrictCharField(**_TAG)
    utm_campaign = StrictCharField(**_TAG)
    utm_term = StrictCharField(**_TAG)
    utm_content = StrictCharField(**_TAG)
    activity = serializers.ChoiceField(TrackedLink.LinkActivity.choices, required=False)
    email_name = StrictCharField(
        max_length=255, required=False, allow_blank=True, help_text="The name of the email, for Click Email."
    )
    website = StrictIntegerField(
        min_value=1,
        max_value=MAX_ID,
        required=False,
        allow_null=True,
        help_text="The web site that visitors without a personal link belong to.",
    )
    is_identifying = StrictBooleanField(
        required=False, help_text="If true, a click on a personal link associates the browser with the person."
    )
    owner = OwnerField()


class NewLinkSerializer(LinkInputSerializer):
    code = StrictCharField(
        max_length=50,
        required=False,
        allow_blank=True,
        help_text="The last part of the short URL; cannot be changed later.",
    )


class TrackedLinkSerializer(serializers.ModelSerializer):
    url = serializers.SerializerMethodField(help_text="The short address.")
    target = serializers.SerializerMethodField(help_text="The destination with its UTM parameters.")
    website = serializers.IntegerField(source="website_id", allow_null=True)
    owner = serializers.IntegerField(source="owner_id", allow_null=True)
    expires_at = UTCDateTimeField(allow_null=True)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    class Meta:
        model = TrackedLink
        fields = (
            *("id", "name", "code", "url", "destination", "target", "fallback", "expires_at", "is_on", "channel", *UTM),
            *("activity", "email_name", "website", "is_identifying", "owner", "created_at", "updated_at"),
        )

    def get_url(self, link: TrackedLink) -> str:
        return short_address(link)

    def get_target(self, link: TrackedLink) -> str:
        return target_address(link)


class LinkDaySerializer(StrictSerializer):
    day = serializers.DateField(help_text="In UTC.")
    clicks = serializers.IntegerField(help_text="Clicks by people.")
    machines = serializers.IntegerField()


class LinkCountsSerializer(StrictSerializer):
    clicks = serializers.IntegerField(help_text="Clicks by people since the link was created.")
    people = serializers.IntegerField(help_text="The number of known people, in clicks that are still stored.")
    machines = serializers.IntegerField(help_text="Clicks by machines.")
    days = LinkDaySerializer(many=True, help_text="The past 30 days.")


class PeopleLinksInputSerializer(StrictSerializer):
    people = serializers.ListField(
        child=StrictIntegerField(min_value=1, max_value=MAX_ID), max_length=sharing.MAX_PEOPLE, help_text="Ids."
    )
    days = StrictIntegerField(
        min_value=1, max_value=MAX_DAYS, required=False, help_text="Days for which the tokens are valid."
    )
    for_all_links = StrictBooleanField(default=False, help_text="If true, the tokens are valid for every link.")


class PersonLinkSerializer(StrictSerializer):
    person = serializers.IntegerField(help_text="The id from the request.")
    url = serializers.CharField(help_text="Empty for an unknown person.")
    token = serializers.CharField()
    problem = ProblemSerializer(allow_null=True)


class TrackedLinkViewSet(RevisedMixin, ListMixin, RetrieveMixin):
    """Short addresses that lead on, and keep who clicked them."""

    queryset = TrackedLink.objects.all()
    serializer_class = TrackedLinkSerializer
    filterset_class = TrackedLinkFilterSet
    orderings = ("id", "-id")
    rights = {
        "list": editing.VIEW,
        "retrieve": editing.VIEW,
        "create": editing.ADD,
        "partial_update": editing.CHANGE,
        "destroy": editing.DELETE,
        "turn_on": editing.CHANGE,
        "turn_off": editing.CHANGE,
        "counts": editing.VIEW,
        "people_links": editing.CHANGE,
    }

    @extend_schema(request=NewLinkSerializer, responses={201: TrackedLinkSerializer})
    def create(self, request: Any) -> Response:
        """Create a tracked link. Its code is never reused."""
        body = _values(self.validated_body(NewLinkSerializer))
        link = editing.create_link(body.pop("name"), body.pop("destination"), request.user, **body)
        return self.response_for(link, 201, Location=f"{request.build_absolute_uri()}/{link.pk}")

    @extend_schema(request=LinkInputSerializer, responses=TrackedLinkSerializer)
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change a link. A new destination takes effect within seconds. The code cannot be changed."""
        return self.change_from_body(LinkInputSerializer, editing.change_link, lambda _link, body: _values(body))

    destroy = delete_action(editing.delete_link, "Delete a link that nobody has clicked.")

    turn_on = verb_action("turn_on", editing.turn_on, "Turn a link on again.")
    turn_off = verb_action(
        "turn_off", editing.turn_off, "Turn a link off. Its short URL then answers with a page instead of a redirect."
    )

    @extend_schema(responses=LinkCountsSerializer)
    @action(["GET"], detail=True)
    def counts(self, request: Any, pk: int) -> Response:
        """Get the clicks on a link: of people and of machines, in all and by day."""
        link = self.get_object()
        numbers = figures.exact_figures([link.pk])[link.pk]
        days = figures.clicks_by_day([link.pk])[link.pk]
        rows = [{"day": day, "clicks": clicks, "machines": machines} for day, clicks, machines in days]
        shown = {"clicks": numbers.clicks, "people": numbers.people, "machines": numbers.machines, "days": rows}
        return Response(LinkCountsSerializer(shown).data)

    @extend_schema(
        request=PeopleLinksInputSerializer,
        responses=inline_serializer("PeopleLinksReply", {"people_links": PersonLinkSerializer(many=True)}),
    )
    @action(["POST"], detail=True, url_path="people-links")
    def people_links(self, request: Any, pk: int) -> Response:
        """Create personal links, in order, for at most 1,000 people. A click on one is attributed to its person."""
        self.require(VIEW_PERSON)
        body = self.validated_body(PeopleLinksInputSerializer)
        options = {"days": body.get("days"), "for_all_links": body["for_all_links"]}
        links = sharing.make_person_links(self.get_object(), body["people"], request.user, **options)
        note_people_in_reply(request, [link.person_id for link in links])
        return Response({"people_links": [_person_link(link) for link in links]}, headers={"Cache-Control": "no-store"})


def _values(body: dict[str, Any]) -> dict[str, Any]:
    """The body as the verbs take it."""
    values = dict(body)
    if values.get("website") is not None:
        website = EventSource.objects.filter(pk=values["website"]).first()
        if website is None:
            raise RejectedError(bad_value(Code.UNKNOWN_SOURCE, _("the id of a web site"), values["website"], "website"))
        values["website"] = website
    if "owner" in values:
        values["owner"] = find_owner(values["owner"])
    return values


def _person_link(link: sharing.PersonLink) -> dict[str, Any]:
    problem = None
    if link.problem is not None:
        problem = {"code": str(link.problem.code), "message": str(link.problem.message)}
    return {"person": link.person_id, "url": link.url, "token": link.token, "problem": problem}


# --- Clicks ---------------------------------------------------------------------------------------------------


class LinkClickFilterSet(StrictFilterSet):
    class Meta:
        model = LinkClick
        fields = ()

    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "person_id": FilterColumn("integer", operators=("", "in", "isempty")),
        "is_machine": FilterColumn("boolean", is_nullable=False),
        "is_signed": FilterColumn("boolean", is_nullable=False),
        "state": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "received_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = dict.fromkeys(
        ("link", "message_id", "reason", "problem", "visitor_id", "association_id", "activity_id", "values"),
        "not something to look a click up by",
    )


class LinkClickSerializer(serializers.ModelSerializer):
    received_at = UTCDateTimeField()
    values = serializers.DictField(
        child=serializers.JSONField(), help_text="The browser and the page, by API name of the activity's fields."
    )

    class Meta:
        model = LinkClick
        fields = (
            *("id", "received_at", "person_id", "visitor_id", "activity_id", "is_signed", "is_machine", "reason"),
            *("state", "problem", "values"),
        )


class LinkClickViewSet(ListMixin):
    """The clicks on a link that are still kept, of people and of machines."""

    queryset = LinkClick.objects.all()
    serializer_class = LinkClickSerializer
    filterset_class = LinkClickFilterSet
    orderings = ("id", "-id")
    rights = {"list": editing.VIEW}

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset()
        self.require(VIEW_PERSON)
        link = get_object_or_404(TrackedLink, pk=min(self.kwargs["link"], MAX_BIG_ID))
        return super().get_queryset().filter(link=link)
