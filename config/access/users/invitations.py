"""Invitations of users: a link that works once, by e-mail or copied, and creates the user when it is used."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model, password_validation
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.access.models import Invitation
from config.access.rights import ADD_USER
from config.access.users import limits
from config.access.users.addresses import is_address_taken, refuse_taken_address
from people.core import audit, installation
from people.core.codes import Code
from people.core.errors import NotAllowedError, Problem, RejectedError
from people.core.permissions import require_permission

LIFETIME = timedelta(days=7)
KEPT_AFTER_EXPIRY = timedelta(days=30)  # an expired invitation can be renewed for this long
MOST_WAITING = 500  # invitations neither used nor revoked
INVITE = ADD_USER

audit.register_actions(
    {
        "invited": (1, gettext_lazy("Invited: %(roles)s")),
        "invitation_renewed": (2, gettext_lazy("Created a new link; the previous one no longer works")),
        "invitation_revoked": (3, gettext_lazy("Revoked the invitation")),
        "invitation_expired": (3, gettext_lazy("Removed the invitation, which nobody had used")),
        "joined": (1, gettext_lazy("Joined by invitation: %(roles)s")),
    }
)


@dataclass(frozen=True, slots=True)
class IssuedInvitation:
    """An invitation and the token of its link, which is shown only once and never stored."""

    invitation: Invitation
    token: str


@transaction.atomic
def invite_user(
    by: Any, email: Any, groups: Iterable[Group], *, name: Any = "", language: str = ""
) -> IssuedInvitation:
    """Create an invitation with the roles `groups`; its e-mail address is the proposed user name.

    Raises `RejectedError` for an invalid address, one that a user or an invitation has, or a missing role, and
    `NotAllowedError` for a role with more rights than `by`.
    """
    require_permission(by, INVITE)
    email, roles = _address(email), list(groups)
    if not roles:
        raise RejectedError(Problem(Code.MISSING_VALUE, _("Choose a role."), ("role",)))
    _require_within(by, roles)
    if Invitation.objects.count() >= MOST_WAITING:
        raise RejectedError(Problem(Code.CONFLICT, _("Revoke invitations nobody has used before you send more."), ()))
    token = secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            invitation = Invitation.objects.create(
                email=email,
                name=" ".join(str(name).split())[:150],
                language=language,
                digest=_digest(token),
                invited_by=by,
                expires_at=timezone.now() + LIFETIME,
            )
    except IntegrityError:
        message = _("There is already an invitation for this address. You can resend it.")
        raise RejectedError(Problem(Code.NAME_TAKEN, message, ("email",))) from None
    invitation.groups.set(roles)
    audit.write_audit_entry(by, invitation, "invited", roles=_names(roles))
    return IssuedInvitation(invitation, token)


@transaction.atomic
def renew_invitation(invitation: Invitation, by: Any) -> IssuedInvitation:
    """Create a new link for the invitation, now in the name of `by`; the previous one stops working."""
    require_permission(by, INVITE)
    locked = _lock_invitation(invitation.pk)
    _require_within(by, locked.groups.all())
    token = secrets.token_urlsafe(32)
    locked.digest, locked.expires_at, locked.invited_by = _digest(token), timezone.now() + LIFETIME, by
    locked.save(update_fields=["digest", "expires_at", "invited_by"])
    audit.write_audit_entry(by, locked, "invitation_renewed")
    return IssuedInvitation(locked, token)


@transaction.atomic
def revoke_invitation(invitation: Invitation, by: Any) -> None:
    """Delete the invitation: its link stops working."""
    require_permission(by, INVITE)
    locked = _lock_invitation(invitation.pk)
    audit.write_audit_entry(by, locked, "invitation_revoked")
    locked.delete()


@transaction.atomic
def delete_expired_invitations() -> int:
    """Delete invitations that expired long ago, with their addresses; return their number."""
    expired = Invitation.objects.select_for_update(skip_locked=True).filter(
        expires_at__lt=timezone.now() - KEPT_AFTER_EXPIRY
    )
    for invitation in expired:
        audit.write_audit_entry(None, invitation, "invitation_expired")
        invitation.delete()
    return len(expired)


def mail_invitation(issued: IssuedInvitation, link: str) -> bool:
    """Send the link in the invited person's language; return whether it was sent. The token is in no job and no log."""
    invitation = issued.invitation
    if not settings.EMAIL_IS_SET_UP:
        return False
    with translation.override(invitation.language or settings.LANGUAGE_CODE):
        sender = invitation.invited_by.get_full_name() or invitation.invited_by.get_username()
        team = installation.current_installation().company or _("Custom Activities")
        subject = _("%(sender)s invites you to %(team)s") % {"sender": sender, "team": team}
        text = _(
            "%(sender)s invites you to work with %(team)s.\n\nOpen this link to choose your password:\n%(link)s\n\n"
            "It works once, until %(until)s."
        ) % {"sender": sender, "team": team, "link": link, "until": date_format(invitation.expires_at, "DATE_FORMAT")}
        try:
            EmailMessage(" ".join(subject.split()), text, None, [invitation.email]).send()
        except OSError:  # smtplib's errors and those of sockets
            return False
    Invitation.objects.filter(pk=invitation.pk).update(mailed_at=timezone.now())
    return True


def find_invitation(token: str) -> Invitation | None:
    """Return the invitation whose link has this token; None if it cannot be used any more."""
    invitation = Invitation.objects.select_related("invited_by").filter(digest=_digest(token)).first()
    return invitation if invitation is not None and _is_usable(invitation) else None


@transaction.atomic
def accept_invitation(token: str, *, username: Any, password: str, name: Any = "", language: str = "") -> Any:
    """Create the invited user; a link works once, also for simultaneous requests.

    `language`: that of the page on which the user joins; without it that of the invitation.

    Raises `RejectedError` (`conflict`) for a link that was used or revoked, has expired, or whose sender may
    no longer give its roles, for an address that another user has by now, and for an invalid user name or password.
    """
    invitation = (
        Invitation.objects.select_for_update(of=("self",))
        .select_related("invited_by")
        .filter(digest=_digest(token))
        .first()
    )
    if invitation is None or not _is_usable(invitation):
        raise RejectedError(Problem(Code.CONFLICT, _("This link no longer works. Ask for a new one."), ()))
    invitation.language = language or invitation.language
    user = _new_user(invitation, username, " ".join(str(name).split())[:150], password)
    roles = list(invitation.groups.all())
    user.groups.set(roles)
    audit.write_audit_entry(user, user, "joined", roles=_names(roles))
    invitation.delete()
    return user


def _new_user(invitation: Invitation, username: Any, name: str, password: str) -> Any:
    users = get_user_model()
    username = str(username).strip()
    refuse_taken_address(invitation.email)  # another may have been given it since the invitation
    first, _blank, last = name.partition(" ")
    user = users(
        username=username, email=invitation.email, first_name=first, last_name=last, language=invitation.language
    )
    _check_field("username", lambda: users.username_validator(username) if username else _raise_required())
    if len(username) > 150 or users.objects.filter(username__iexact=username).exists():
        raise RejectedError(_name_taken())
    _check_field("password", lambda: password_validation.validate_password(password, user))
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:  # two requests with one name at the same time
        raise RejectedError(_name_taken()) from None
    return user


def _name_taken() -> Problem:
    return Problem(Code.NAME_TAKEN, _("There is already a user of that name."), ("username",))


def _check_field(place: str, check: Any) -> None:
    try:
        check()
    except ValidationError as error:
        raise RejectedError(Problem(Code.INVALID, " ".join(error.messages), (place,))) from None


def _raise_required() -> None:
    raise ValidationError(_("Fill this in."))


def _address(email: Any) -> str:
    address = str(email).strip()
    _check_field("email", lambda: validate_email(address))
    if is_address_taken(address):
        message = _("A user with this address already exists. Deactivated users can be reactivated.")
        raise RejectedError(Problem(Code.NAME_TAKEN, message, ("email",)))
    return address


def _require_within(by: Any, roles: Iterable[Group]) -> None:
    """Raise `NotAllowedError` for a role with a right that `by` does not have."""
    group_ids = {role.pk for role in roles}
    if group_ids - set(limits.roles_grantable_by(by).filter(pk__in=group_ids).values_list("pk", flat=True)):
        message = _("You can't give a role that can do more than you.")
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, ("role",), "role"))


def _is_usable(invitation: Invitation) -> bool:
    """Return whether the invitation has not expired and its sender may still give its roles."""
    sender = invitation.invited_by
    if invitation.expires_at <= timezone.now() or not sender.is_active or not sender.has_perm(INVITE):
        return False
    roles = set(invitation.groups.values_list("pk", flat=True))
    return bool(roles) and roles == set(
        limits.roles_grantable_by(sender).filter(pk__in=roles).values_list("pk", flat=True)
    )


def _lock_invitation(pk: int) -> Invitation:
    invitation = Invitation.objects.select_for_update(of=("self",)).select_related("invited_by").filter(pk=pk).first()
    if invitation is None:
        raise RejectedError(Problem(Code.CONFLICT, _("This invitation was used or revoked in the meantime."), ()))
    return invitation


def _digest(token: str) -> bytes:
    return sha256(b"invitation:" + token.encode("utf-8", "replace")).digest()


def _names(roles: Iterable[Group]) -> str:
    return ", ".join(sorted(role.name for role in roles))
