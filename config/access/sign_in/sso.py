"""Single sign-on over OpenID Connect: matching or creating the user, and their roles, by settings."""

import re
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.access.roles import ADMINISTRATOR, ROLES
from config.access.users.addresses import is_address_taken
from config.client_address import request_address
from people.core import audit

NOT_A_NAME = re.compile(r"[^\w.@+-]", re.ASCII)
MAX_ROLES = 200  # in one claim

audit.register_actions(
    {
        "signed_on": (1, gettext_lazy("Created at single sign-on")),
        "connected": (2, gettext_lazy("Connected with single sign-on")),
        "roles_given": (2, gettext_lazy("Roles by single sign-on: %(roles)s")),
    }
)


class AccountAdapter(DefaultAccountAdapter):
    """allauth's account rules: no sign-up, and client addresses as the trusted proxy reports them."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "too_many_login_attempts": gettext_lazy("Too many wrong codes. Please try again in a quarter of an hour."),
        "rate_limited": gettext_lazy("Too many wrong codes. Please try again in a quarter of an hour."),
        "incorrect_password": gettext_lazy("That is not your password."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return request_address(request) or "127.0.0.1"


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    """Finds or creates the user whom the identity provider identifies."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        claims = _claims(sociallogin)
        if not sociallogin.is_existing:
            with transaction.atomic():
                user = _verified_user(claims) or _create_user(request, claims)
                if user is None:
                    redirect_to_login(request, _("You have no account here. Ask an administrator for one."))
                sociallogin.connect(request, user)
                audit.write_audit_entry(user, user, "connected")
        user = sociallogin.user
        if not user.is_active or user.is_api_only:
            redirect_to_login(request, _("Your account here is not active."))
        if settings.OIDC_ROLE_CLAIM:
            assign_claimed_roles(user, claims.get(settings.OIDC_ROLE_CLAIM))

    def on_authentication_error(self, request: HttpRequest, *args: Any, **options: Any) -> None:
        redirect_to_login(request, _("Single sign-on did not work. Please try again, or tell an administrator."))


def account_display_name(user: Any) -> str:
    """The name of the account in a passkey's dialog."""
    return user.get_full_name() or user.get_username()


def redirect_to_login(request: HttpRequest, why: str) -> None:
    """Redirect to the login page with the reason as a message."""
    messages.error(request, why)
    raise ImmediateHttpResponse(redirect("admin:login"))


@transaction.atomic
def assign_claimed_roles(user: Any, claim: Any) -> None:
    """Give `user` exactly the product's roles that the claim names; a team's own roles stay.

    OIDC_ROLES maps the provider's names of roles to the product's, and other names give no role. Without it the
    claim holds the product's names.
    """
    items = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    mapping = settings.OIDC_ROLES
    names = [name for name in items[:MAX_ROLES] if isinstance(name, str)]
    mapped = [mapping[name] for name in names if name in mapping] if mapping else names
    roles = {*mapped} & {*ROLES, ADMINISTRATOR}
    present = set(user.groups.filter(name__in=[*ROLES, ADMINISTRATOR]).values_list("name", flat=True))
    if roles == present:
        return
    user.groups.remove(*Group.objects.filter(name__in=present - roles))
    user.groups.add(*Group.objects.filter(name__in=roles - present))
    audit.write_audit_entry(user, user, "roles_given", roles=", ".join(sorted(roles)) or "–")


def _claims(sociallogin: Any) -> dict[str, Any]:
    """Return the provider's claims: the signed token, completed by the reply of its userinfo endpoint."""
    data = sociallogin.account.extra_data
    return {**(data.get("userinfo") or {}), **(data.get("id_token") or {})}


def _verified_user(claims: dict[str, Any]) -> Any:
    """Return the only user with the e-mail address that the provider has verified; None if several have it."""
    email = claims.get("email")
    if not settings.OIDC_LINK_BY_EMAIL or not email or claims.get("email_verified") is not True:
        return None
    users = list(get_user_model().objects.filter(email__iexact=email, is_api_only=False, is_active=True)[:2])
    return users[0] if len(users) == 1 else None


def _create_user(request: HttpRequest, claims: dict[str, Any]) -> Any:
    if not settings.OIDC_CREATE_USERS:
        return None
    users = get_user_model().objects
    verified = claims.get("email") if claims.get("email_verified") is True else ""
    if is_address_taken(verified or ""):  # also a deactivated user's, who must not get a second account
        redirect_to_login(request, _("Another user here has your email address. Ask an administrator."))
    wished_name = str(claims.get("preferred_username") or claims.get("email") or "user")
    name = NOT_A_NAME.sub("", wished_name)[:140] or "user"
    existing = {
        username.lower() for username in users.filter(username__istartswith=name).values_list("username", flat=True)
    }
    number = next(number for number in range(1, len(existing) + 2) if _numbered(name, number).lower() not in existing)
    user = users.create_user(
        _numbered(name, number),
        email=verified or "",
        is_staff=True,
        first_name=str(claims.get("given_name") or "")[:150],
        last_name=str(claims.get("family_name") or "")[:150],
    )
    audit.write_audit_entry(user, user, "signed_on")
    return user


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
