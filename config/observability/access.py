"""Access to probes and metrics for operators: by token, by address, or as administrator."""

from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

from config.client_address import request_address


def is_operator(request: HttpRequest) -> bool:
    """Return whether a request has METRICS_TOKEN, an address in METRICS_ALLOW, or an administrator as its user."""
    return is_watcher(request) or request.user.is_superuser


def is_watcher(request: HttpRequest) -> bool:
    """Return True if a request has METRICS_TOKEN or an address in METRICS_ALLOW; no query."""
    return _has_token(request) or _has_address(request)


def operator_refusal(request: HttpRequest) -> HttpResponse | None:
    """Return None for operators. Others get 401 if a token is set, else 404."""
    if is_operator(request):
        return None
    if settings.METRICS_TOKEN:
        return _plain("a token is needed\n", 401, {"WWW-Authenticate": 'Bearer realm="operators"'})
    return _plain("not found\n", 404, {})


def _has_token(request: HttpRequest) -> bool:
    scheme, _blank, token = request.headers.get("Authorization", "").partition(" ")
    return (
        bool(settings.METRICS_TOKEN)
        and scheme.lower() == "bearer"
        and constant_time_compare(token.strip(), settings.METRICS_TOKEN)
    )


def _has_address(request: HttpRequest) -> bool:
    if not settings.METRICS_ALLOW:
        return False
    try:
        address = ip_address(request_address(request))
    except ValueError:  # a Unix socket has none
        return False
    return any(address in ip_network(network, strict=False) for network in settings.METRICS_ALLOW)


def _plain(text: str, status: int, headers: dict[str, str]) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain", headers=headers)
