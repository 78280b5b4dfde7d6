"""Webhooks in the native API: reading, editing, secrets and deliveries."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from people.core.codes import Code
from people.core.errors import NotFoundError, Problem
from people.core.permissions import refuse_unconfirmed_session
from people.datatypes.keys import MAX_BIG_ID
from people.rest.filters import NUMBER_KEY, FilterColumn, StrictFilterSet
from people.rest.object_actions import RevisedMixin, delete_action
from people.rest.viewsets import ListMixin, RetrieveMixin
from people.rights import VIEW_PERSON
from smartlists.api.webhook_serializers import (
    DeliverySerializer,
    ResendInputSerializer,
    ResentSerializer,
    SecretSerializer,
    WebhookInputSerializer,
    WebhookMadeSerializer,
    WebhookSerializer,
)
from smartlists.models import Webhook, WebhookDelivery
from smartlists.rights import ADD_WEBHOOK, DELETE_WEBHOOK, VIEW_WEBHOOK, VIEW_WEBHOOKDELIVERY
from smartlists.webhooks import editing as webhook_editing

VIEW, VIEW_CALLS = VIEW_WEBHOOK, (VIEW_WEBHOOKDELIVERY, VIEW_PERSON)


class WebhookFilterSet(StrictFilterSet):
    class Meta:
        model = Webhook
        fields = ()

    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": FilterColumn("string", is_nullable=False),
        "url": FilterColumn("text", is_nullable=False, operators=("contains",)),
        "method": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "format": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "failures": FilterColumn("integer", is_nullable=False),
        "open_until": FilterColumn("datetime"),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "updated_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {
        "sealed_headers": "a secret",
        "headers_key_name": "the key that seals the headers",
        "headers": "not a single value to compare",
        "body": "a template, not a value",
        "payload_version": "the form of calls without a body, not a property",
        "secret": "never shown",
        "secret_key_name": "never shown",
        "per_minute": "a limit, not a property",
        "timeout_seconds": "a limit, not a property",
        "revision": "stands in the ETag",
        "is_archived": "not shown",
        "created_by": "not shown",
    }


class WebhookDeliveryFilterSet(StrictFilterSet):
    class Meta:
        model = WebhookDelivery
        fields = ()

    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "person": FilterColumn("integer", "person_id", is_nullable=False, operators=("", "in")),
        "state": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "status": FilterColumn("integer", operators=("", "in", "isempty")),
        "attempts": FilterColumn("integer", is_nullable=False),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "finished_at": FilterColumn("datetime"),
    }
    unfiltered = {
        "sealed_headers": "a secret",
        "headers_key_name": "the key that seals the headers",
        "key": "an id by which the receiver detects repeats",
        "entry": "the campaign's results name it",
        "path": "the place in one version of a campaign",
        "lane": "the dispatcher's own",
        "method": "as the webhook's",
        "url": "made of a template",
        "headers": "made of templates",
        "body": "made of a template",
        "due_at": "changes with every attempt",
        "give_up_at": "follows from the creation",
        "problem": "a sentence",
        "response": "another's text",
        "webhook": "is in the address",
        "original_person_id": "not shown",
    }


class WebhookViewSet(RevisedMixin, ListMixin, RetrieveMixin):
    """External URLs that campaigns call."""

    queryset = Webhook.objects.all()
    serializer_class = WebhookSerializer
    filterset_class = WebhookFilterSet
    orderings = ("id", "-id")
    rights = {
        "list": VIEW,
        "retrieve": VIEW,
        "create": ADD_WEBHOOK,
        "partial_update": webhook_editing.CHANGE,
        "destroy": DELETE_WEBHOOK,
        "new_secret": webhook_editing.CHANGE,
        "resend": webhook_editing.CHANGE,
    }

    @extend_schema(request=WebhookInputSerializer, responses={201: WebhookMadeSerializer})
    def create(self, request: Any) -> Response:
        """Create a webhook. Only this response contains the secret that signs its calls."""
        body = self.validated_body(WebhookInputSerializer)
        refuse_unconfirmed_session(request._request)
        webhook, secret = webhook_editing.create_webhook(body.pop("name"), request.user, **body)
        reply = self.response_for(webhook, 201, Location=f"{request.build_absolute_uri()}/{webhook.pk}")
        reply.data = {**reply.data, "secret": secret}
        return reply

    @extend_schema(request=WebhookInputSerializer, responses=WebhookSerializer)
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change a webhook; calls already queued are sent as they are."""
        return self.change_from_body(
            WebhookInputSerializer,
            webhook_editing.change_webhook,
            needs_confirmation=webhook_editing.needs_confirmation,
        )

    destroy = delete_action(
        webhook_editing.delete_webhook, "Delete a webhook that no campaign calls, with its deliveries."
    )

    @extend_schema(request=None, responses=SecretSerializer)
    @action(["POST"], detail=True, url_path="new-secret")
    def new_secret(self, request: Any, pk: int) -> Response:
        """Replace the secret. Only this response contains the new one; the old one becomes invalid."""
        refuse_unconfirmed_session(request._request)
        return Response({"secret": webhook_editing.renew_webhook_secret(self.get_object(), request.user)})

    @extend_schema(request=ResendInputSerializer, responses=ResentSerializer)
    @action(["POST"], detail=True)
    def resend(self, request: Any, pk: int) -> Response:
        """Queue failed deliveries again with the same ids: the given ones, or all."""
        body = self.validated_body(ResendInputSerializer)
        return Response(
            {"count": webhook_editing.resend_deliveries(self.get_object(), request.user, body.get("deliveries"))}
        )


class WebhookDeliveryViewSet(ListMixin):
    """The deliveries of a webhook."""

    queryset = WebhookDelivery.objects.select_related("entry")
    serializer_class = DeliverySerializer
    filterset_class = WebhookDeliveryFilterSet
    orderings = ("-id", "id")
    rights = {"list": VIEW_CALLS}

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(webhook_id=min(self.kwargs.get("webhook", 0), MAX_BIG_ID))

    def list(self, request: Any, webhook: int) -> Response:
        """List the deliveries, latest first."""
        if not Webhook.objects.filter(pk=min(webhook, MAX_BIG_ID)).exists():
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such webhook.")))
        return super().list(request)
