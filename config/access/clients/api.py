"""API clients, tokens and the caller's own account in the native API."""

import base64
import binascii
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from config.access import throttling
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.access.clients.filters import ApiClientFilterSet
from config.access.models import ApiClient, ApiToken
from config.access.rights import ADD_APICLIENT, CHANGE_APICLIENT, VIEW_APICLIENT
from config.observability import logging as log_formats
from people.core.codes import Code
from people.core.errors import NotFoundError, Problem
from people.rest.viewsets import (
    ListMixin,
    ResourceViewSet,
    RetrieveMixin,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    UTCDateTimeField,
)


@csrf_exempt
def issue_token(request: HttpRequest) -> HttpResponse:
    """OAuth2 (RFC 6749 §4.4): client credentials for a bearer token; errors have the form of OAuth2."""
    if request.method != "POST":
        return _oauth_error(405, "invalid_request", "POST a form", {"Allow": "POST"})
    form = request.POST
    if form.get("grant_type") != "client_credentials":
        code = "unsupported_grant_type" if form.get("grant_type") else "invalid_request"
        return _oauth_error(400, code, "grant_type must be client_credentials")
    client_id, secret = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
    if seconds := throttling.seconds_until_next_attempt(request):
        return _oauth_error(429, "slow_down", "too many wrong credentials", {"Retry-After": str(seconds)})
    try:
        client = client_editing.authenticate_client(client_id, secret)
    except throttling.HashingBusyError:
        retry = {"Retry-After": str(throttling.RETRY_SECONDS)}
        return _oauth_error(503, "temporarily_unavailable", "try again in some seconds", retry)
    if client is None:
        throttling.count_failed_attempt(request)
        return _oauth_error(401, "invalid_client", "unknown client or secret", {"WWW-Authenticate": "Basic"})
    try:
        scopes = form["scope"].split() if form.get("scope", "").strip() else None
        issued = tokens.issue_token(client, scopes)
    except tokens.RejectedError as refusal:
        return _oauth_error(400, "invalid_scope", str(refusal))
    client_editing.note_client_use(client)
    log_formats.add_log_ids(user=client.api_user_id, client=client.pk)
    scope = issued.token.scopes or () if scopes is not None else client_editing.client_rights(client)
    body = {
        "access_token": issued.text,
        "token_type": "Bearer",
        "expires_in": tokens.token_seconds_left(issued.token),
        "scope": " ".join(scope),
    }
    return JsonResponse(body, headers={"Cache-Control": "no-store"})


def _basic(request: HttpRequest) -> tuple[str, str] | None:
    scheme, _blank, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, colon, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return (client_id, secret) if colon else ("", "")


def _oauth_error(status: int, error: str, description: str, headers: dict[str, str] | None = None) -> HttpResponse:
    body = {"error": error, "error_description": description}
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store", **(headers or {})})


class ApiClientSerializer(StrictSerializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    client_id = serializers.CharField()
    owner = serializers.CharField(
        source="user.username", help_text="The owner, whose permissions the client can never exceed."
    )
    rights = serializers.SerializerMethodField()
    created_at = UTCDateTimeField(source="created")
    last_used_at = UTCDateTimeField(allow_null=True)
    is_revoked = serializers.BooleanField()

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_rights(self, client: ApiClient) -> list[str]:
        rows = client.api_user.user_permissions.all()
        return sorted(f"{row.content_type.app_label}.{row.codename}" for row in rows)


class ApiClientWithSecretSerializer(ApiClientSerializer):
    client_secret = serializers.CharField(help_text="Not shown again.")


class NewApiClientSerializer(StrictSerializer):
    name = StrictCharField(max_length=150)
    rights = serializers.ListField(
        child=StrictCharField(max_length=150),
        required=False,
        help_text="By default the usual permissions that the caller has.",
    )


class RotationSerializer(StrictSerializer):
    overlap_hours = StrictIntegerField(
        min_value=0,
        max_value=168,
        default=24,
        help_text="The time for which the old secret stays valid; 0 revokes it at once.",
    )


class ApiClientViewSet(ListMixin, RetrieveMixin):
    """Programs that may request tokens."""

    queryset = ApiClient.objects.select_related("user", "api_user").prefetch_related(
        "api_user__user_permissions__content_type"
    )
    serializer_class = ApiClientSerializer
    filterset_class = ApiClientFilterSet
    orderings = ("id", "-id")
    rights = {
        "list": VIEW_APICLIENT,
        "retrieve": VIEW_APICLIENT,
        "create": ADD_APICLIENT,
        "partial_update": CHANGE_APICLIENT,
        "rotate_secret": CHANGE_APICLIENT,
        "revoke": CHANGE_APICLIENT,
    }

    def revision(self, client: ApiClient) -> str:
        rights = sorted(row.pk for row in client.api_user.user_permissions.all())
        return tokens.short_digest(f"{client.pk}:{client.updated}:{client.is_revoked}:{rights}")

    @extend_schema(request=NewApiClientSerializer, responses={201: ApiClientWithSecretSerializer})
    def create(self, request: Any) -> Response:
        """Create an API client. Only this response contains its secret."""
        body = self.validated_body(NewApiClientSerializer)
        tokens.refuse_unconfirmed_session(request._request)
        owner = request.user.owner or request.user
        credentials = client_editing.create_client(body["name"], owner, request.user, body.get("rights"))
        return self._with_secret(credentials, 201)

    @extend_schema(request=NewApiClientSerializer, responses=ApiClientSerializer)
    def partial_update(self, request: Any, pk: int) -> Response:
        """Rename an API client or change its permissions; takes effect at once."""
        client = self.get_object()
        body = self.validated_body(NewApiClientSerializer, partial=True)
        self.require_match(client)
        if not client_editing.client_has_rights(client, body.get("rights", ())):
            tokens.refuse_unconfirmed_session(request._request)
        client_editing.change_client(client, request.user, **body)
        return self.response_for(self.get_object())

    @extend_schema(request=RotationSerializer, responses=ApiClientWithSecretSerializer)
    @action(["POST"], detail=True, url_path="rotate-secret")
    def rotate_secret(self, request: Any, pk: int) -> Response:
        """Issue a new secret. Only this response contains it; the old one stays valid for a while."""
        client = self.get_object()
        overlap = timedelta(hours=self.validated_body(RotationSerializer)["overlap_hours"])
        tokens.refuse_unconfirmed_session(request._request)
        return self._with_secret(client_editing.rotate_client_secret(client, request.user, overlap), 200)

    @extend_schema(request=None, responses=ApiClientSerializer)
    @action(["POST"], detail=True)
    def revoke(self, request: Any, pk: int) -> Response:
        """Revoke an API client; its tokens become invalid at once."""
        client_editing.revoke_client(self.get_object(), request.user)
        return self.response_for(self.get_object())

    def _with_secret(self, credentials: client_editing.Credentials, status: int) -> Response:
        client = self.get_queryset().get(pk=credentials.client.pk)
        representation = self.get_serializer(client).data
        return Response(
            {**representation, "client_secret": credentials.client_secret}, status, headers=self._headers(client)
        )


class TokenSerializer(StrictSerializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField(), allow_null=True)
    created_at = UTCDateTimeField()
    expires_at = UTCDateTimeField()
    last_used_at = UTCDateTimeField(allow_null=True)


class TokenWithTextSerializer(TokenSerializer):
    token = serializers.CharField(help_text="Not shown again.")


class NewTokenSerializer(StrictSerializer):
    name = StrictCharField(max_length=150)
    days = StrictIntegerField(min_value=1, max_value=tokens.MAX_PERSONAL_DAYS, default=90)
    scopes = serializers.ListField(
        child=StrictCharField(max_length=150), required=False, help_text="By default all permissions of the caller."
    )


class MeSerializer(StrictSerializer):
    id = serializers.IntegerField()
    username = serializers.CharField()
    is_api_only = serializers.BooleanField()
    api_client = serializers.SerializerMethodField()
    rights = serializers.SerializerMethodField(
        help_text="The permissions of this request, restricted by the scopes of its token."
    )

    @extend_schema_field({"type": ["integer", "null"]})
    def get_api_client(self, user: Any) -> int | None:
        holder = self.context["request"].auth
        return holder.client.pk if holder is not None and holder.client is not None else None

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_rights(self, user: Any) -> list[str]:
        return [right for right in client_editing.grantable_rights() if user.has_perm(right)]


class MeViewSet(ResourceViewSet):
    """The caller's own account and personal tokens."""

    queryset = ApiToken.objects.none()
    serializer_class = MeSerializer
    rights = {"whoami": None, "tokens": None, "token": None}
    pagination_class = None
    filter_backends = ()

    @extend_schema(responses=MeSerializer, operation_id="me")
    def whoami(self, request: Any) -> Response:
        """Get the authenticated user and their permissions."""
        return Response(self.show(request.user))

    @extend_schema(methods=["GET"], responses=TokenSerializer(many=True), operation_id="me_tokens")
    @extend_schema(
        methods=["POST"],
        request=NewTokenSerializer,
        responses={201: TokenWithTextSerializer},
        operation_id="me_tokens_create",
    )
    @action(["GET", "POST"], detail=False)
    def tokens(self, request: Any) -> Response:
        """The caller's personal tokens, for scripts that act as them. Creating one requires a signed-in session."""
        if request.method == "GET":
            return Response(TokenSerializer(self._tokens(), many=True).data)
        body = self.validated_body(NewTokenSerializer)
        tokens.require_confirmed_session(request._request)
        issued = tokens.create_personal_token(request.user, body["name"], body["days"], body.get("scopes"))
        issued.token.refresh_from_db()
        return Response({**TokenSerializer(issued.token).data, "token": issued.text}, 201)

    @extend_schema(request=None, responses={204: None}, operation_id="me_tokens_revoke")
    @action(["DELETE"], detail=False, url_path="tokens/<int:token_id>")
    def token(self, request: Any, token_id: int) -> Response:
        """Revoke one of the caller's tokens at once."""
        api_token = self._tokens().filter(pk=token_id).first()
        if api_token is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is nothing at this address.")))
        tokens.revoke_personal_token(api_token, request.user)
        return Response(status=204)

    def _tokens(self) -> Any:
        return ApiToken.objects.filter(user=self.request.user.pk, client=None).order_by("pk")
