"""The second step at sign-in: codes of an app (TOTP), passkeys, recovery codes; by django-allauth."""

import base64
from hashlib import sha256
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.access import sessions
from config.access.roles import ADMINISTRATOR
from people.core import audit, installation

ALL_USERS = "all"  # in REQUIRE_SECOND_FACTOR, in place of roles
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)

audit.register_actions(
    {
        "totp_added": (2, gettext_lazy("Set up an authenticator app")),
        "totp_removed": (2, gettext_lazy("Removed the authenticator app")),
        "webauthn_added": (2, gettext_lazy("Added a passkey")),
        "webauthn_removed": (2, gettext_lazy("Removed a passkey")),
        "factors_reset": (2, gettext_lazy("Reset the second step at sign-in")),
        "codes_renewed": (2, gettext_lazy("Created new recovery codes")),
    }
)


class SecondFactorAdapter(DefaultMFAAdapter):
    """Encryption of allauth's secrets, and the names that it shows."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": gettext_lazy("That is not correct, or it was used before. Please try again.")
    }

    def get_totp_issuer(self) -> str:
        return installation.current_installation().company or "Custom Activities"

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _fernet().decrypt(encrypted_text.encode()).decode()

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return _("Passkey %(number)s") % {"number": number}


def has_second_step(user: Any) -> bool:
    """Return whether `user` has set up a second step."""
    return Authenticator.objects.filter(user=user, type__in=FACTORS).exists()


def is_second_step_required(user: Any) -> bool:
    """Return whether REQUIRE_SECOND_FACTOR requires a second step of `user`: by role; superusers are administrators."""
    required = set(settings.REQUIRE_SECOND_FACTOR)
    if ALL_USERS in required or (user.is_superuser and ADMINISTRATOR in required):
        return True
    return bool(required) and user.groups.filter(name__in=required).exists()


def is_second_step_missing(request: HttpRequest) -> bool:
    """Return whether this sign-in lacks a required second step."""
    user: Any = request.user
    methods = {record.get("method") for record in get_authentication_records(request, user)}
    if "mfa" in methods or (settings.OIDC_IS_SECOND_FACTOR and "socialaccount" in methods):
        return False
    return is_second_step_required(user) and not has_second_step(user)


@transaction.atomic
def reset_second_step(user: Any, by: Any) -> int:
    """Remove every second step of `user` and end their sessions; return the number of removed ones."""
    count, _tables = Authenticator.objects.filter(user=user).delete()
    audit.write_audit_entry(by, user, "factors_reset")
    sessions.end_sessions(user, by)
    return count


def note_factor_added(user: Any, authenticator: Any, **_signal: Any) -> None:
    if authenticator.type in FACTORS:
        audit.write_audit_entry(user, user, f"{authenticator.type}_added")


def note_factor_removed(user: Any, authenticator: Any, **_signal: Any) -> None:
    if authenticator.type in FACTORS:
        audit.write_audit_entry(user, user, f"{authenticator.type}_removed")


def note_codes_renewed(user: Any, **_signal: Any) -> None:
    audit.write_audit_entry(user, user, "codes_renewed")


def _fernet() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(sha256(b"second factor:" + settings.SECRET_KEY.encode()).digest()))
