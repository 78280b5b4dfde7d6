"""Access tokens (§1)."""

import base64
import binascii
from typing import Any
from urllib.parse import unquote_plus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from config.access import throttling
from config.access.clients import editing as client_editing
from config.access.models import ApiClient
from config.marketo.wire.parameters import Parameters
from config.marketo.wire.responses import CONTENT_TYPE, MarketoError
from config.observability import logging as log_formats
from people.core.errors import quoted_value


@csrf_exempt
def token_endpoint(request: HttpRequest) -> HttpResponse:
    """Return a client's token: GET or POST, parameters in the query or a form body, credentials also as Basic."""
    if request.method not in {"GET", "POST"}:
        return _error(405, "invalid_request", f"Request method '{request.method}' not supported")
    try:
        form = Parameters(request, request.body).form
    except MarketoError as failure:
        return _error(400, "invalid_request", failure.message)
    # [I] §1: statuses and texts for a wrong or missing grant type
    if "grant_type" not in form:
        return _error(400, "invalid_request", "Missing grant type")
    if form["grant_type"] != "client_credentials":
        return _error(400, "unsupported_grant_type", f"Unsupported grant type: {quoted_value(form['grant_type'])}")
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if not client_id:
        client_id, secret = _basic_credentials(request)
    if seconds := throttling.seconds_until_next_attempt(request):
        return _error(429, "slow_down", "Too many wrong credentials from this address", seconds)
    if not ApiClient.objects.filter(client_id=client_id).exists():
        throttling.count_failed_attempt(request)
        return _error(401, "unauthorized", f"No client with requested id: {quoted_value(client_id)}")
    try:
        client = client_editing.authenticate_client(client_id, secret)
    except throttling.HashingBusyError:
        return _error(503, "temporarily_unavailable", "Try again in some seconds", throttling.RETRY_SECONDS)
    if client is None:
        throttling.count_failed_attempt(request)
        return _error(401, "invalid_client", "Bad client credentials")
    log_formats.add_log_ids(user=client.api_user_id, client=client.pk)
    access_token = client_editing.client_token(client)
    return _reply(
        {
            "access_token": access_token.text,
            "token_type": "bearer",
            "expires_in": access_token.expires_in,
            "scope": access_token.scope,
        }
    )


def _basic_credentials(request: HttpRequest) -> tuple[str, str]:
    """Return the credentials of an `Authorization: Basic` header, form-encoded (RFC 6749 §2.3.1); blank without one."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        client_id, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return unquote_plus(client_id).replace("\0", ""), unquote_plus(secret)


def _error(status: int, error: str, description: str, retry: int = 0) -> HttpResponse:
    reply = _reply({"error": error, "error_description": description}, status)
    if retry:
        reply.headers["Retry-After"] = str(retry)
    return reply


def _reply(body: dict[str, Any], status: int = 200) -> HttpResponse:
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE, headers=headers)
