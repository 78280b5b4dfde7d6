"""Authentication and permissions of the native API."""

from typing import Any

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from config.api.errors import BEARER
from people.core.permissions import all_rights, require_permission


class BearerAuthentication(BaseAuthentication):
    """Authenticates the holder of the bearer token, which `config.api.middleware` has looked up."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        holder = getattr(request._request, "holder", None)
        return None if holder is None else (holder.user, holder)

    def authenticate_header(self, request: Request) -> str:
        return BEARER


class MayReadDocs(BasePermission):
    """Allows authenticated users; with API_DOCS_PUBLIC, all requests."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return settings.API_DOCS_PUBLIC or bool(request.user and request.user.is_authenticated)


class HasNamedRight(BasePermission):
    """Requires the rights of the action in the view's table `rights`; an action without an entry is rejected."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        action = getattr(view, "action", None)
        if action in (None, "metadata"):  # an unsupported method, which 405 follows, or OPTIONS
            return True
        for right in all_rights(view.rights[action]):
            require_permission(request.user, right)
        return True
