"""Who asks, and may they?"""

from typing import Any

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from config.api.errors import BEARER
from people.core.permissions import require


class BearerAuthentication(BaseAuthentication):
    """The holder of the token that the channel found (see `config.api.middleware`)."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        holder = getattr(request._request, "holder", None)
        return None if holder is None else (holder.user, holder)

    def authenticate_header(self, request: Request) -> str:
        return BEARER


class MayReadDocs(BasePermission):
    """Whoever is signed in or has a token; with API_DOCS_PUBLIC, everybody."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return settings.API_DOCS_PUBLIC or bool(request.user and request.user.is_authenticated)


class HasNamedRight(BasePermission):
    """The right that the view's table `rights` names for the action; what is not in the table is refused."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        action = getattr(view, "action", None)
        if action in (None, "metadata"):  # a method that the view does not take: 405 follows; OPTIONS
            return True
        right = view.rights[action]
        if right is not None:
            require(request.user, right)
        return True
