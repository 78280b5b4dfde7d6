"""Inviting colleagues: a link that works once, by e-mail or copied, and the user who is made when it is used."""

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
from config.access.users import limits
from people.core import audit, installation
from people.core.codes import Code
from people.core.errors import NotAllowedError, Problem, RejectedError
from people.core.permissions import require

LIFETIME = timedelta(days=7)
KEPT_AFTER_EXPIRY = timedelta(days=30)  # for whoever wants to send it again
MOST_WAITING = 500  # invitations that nobody has used or revoked
INVITE = "access.add_user"

audit.describe(
    {
        "invited": (1, gettext_lazy("Invited: %(roles)s")),
        "invitation_renewed": (2, gettext_lazy("Made a new link; the one before no longer works")),
        "invitation_revoked": (3, gettext_lazy("Revoked the invitation")),
        "invitation_expired": (3, gettext_lazy("Removed the invitation, which nobody had used")),
        "joined": (1, gettext_lazy("Joined by invitation: %(roles)s")),
    }
)


@dataclass(frozen=True, slots=True)
class Issued:
    """An invitation and the token of its link, which is shown this once and kept nowhere."""

    invitation: Invitation
    token: str


@transaction.atomic
def invite(by: Any, email: Any, groups: Iterable[Group], *, name: Any = "", language: str = "") -> Issued:
    """Ask somebody to join with the roles `groups`; the e-mail address becomes the user name that is proposed.

    Raises `RejectedError` for what is no address, a user or an invitation that has it, or no role, and
    `NotAllowedError` for a role that may do more than `by`.
    """
    require(by, INVITE)
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
        message = _("There is an invitation for this address already. You can resend it.")
        raise RejectedError(Problem(Code.NAME_TAKEN, message, ("email",))) from None
    invitation.groups.set(roles)
    audit.note(by, invitation, "invited", roles=_names(roles))
    return Issued(invitation, token)


@transaction.atomic
def renew(invitation: Invitation, by: Any) -> Issued:
    """A new link for the invitation, now in the name of `by`; the one before no longer works."""
    require(by, INVITE)
    held = _held(invitation.pk)
    _require_within(by, held.groups.all())
    token = secrets.token_urlsafe(32)
    held.digest, held.expires_at, held.invited_by = _digest(token), timezone.now() + LIFETIME, by
    held.save(update_fields=["digest", "expires_at", "invited_by"])
    audit.note(by, held, "invitation_renewed")
    return Issued(held, token)


@transaction.atomic
def revoke(invitation: Invitation, by: Any) -> None:
    """Take the invitation back: its link no longer works."""
    require(by, INVITE)
    held = _held(invitation.pk)
    audit.note(by, held, "invitation_revoked")
    held.delete()


@transaction.atomic
def forget_expired() -> int:
    """Remove invitations that ended long ago, and the address that each holds; return how many."""
    expired = Invitation.objects.select_for_update(skip_locked=True).filter(
        expires_at__lt=timezone.now() - KEPT_AFTER_EXPIRY
    )
    for invitation in expired:
        audit.note(None, invitation, "invitation_expired")
        invitation.delete()
    return len(expired)


def mail(issued: Issued, link: str) -> bool:
    """Send the link in the language of who is invited; whether it went out. The token is in no job and no log."""
    invitation = issued.invitation
    if not settings.EMAIL_IS_SET_UP:
        return False
    with translation.override(invitation.language or settings.LANGUAGE_CODE):
        sender = invitation.invited_by.get_full_name() or invitation.invited_by.get_username()
        team = installation.current().company or _("Custom Activities")
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


def find(token: str) -> Invitation | None:
    """The invitation whose link has this token, as long as it can be used."""
    found = Invitation.objects.select_related("invited_by").filter(digest=_digest(token)).first()
    return found if found is not None and _is_good(found) else None


@transaction.atomic
def accept(token: str, *, username: Any, password: str, name: Any = "") -> Any:
    """Make the user that the link invites; it works once, however many use it at the same time.

    Raises `RejectedError` (`conflict`) for a link that was used, revoked, has expired, or whose sender may
    no longer give what it promises, and for a user name or password that will not do.
    """
    held = (
        Invitation.objects.select_for_update(of=("self",))
        .select_related("invited_by")
        .filter(digest=_digest(token))
        .first()
    )
    if held is None or not _is_good(held):
        raise RejectedError(Problem(Code.CONFLICT, _("This link no longer works. Ask for a new one."), ()))
    user = _new_user(held, username, " ".join(str(name).split())[:150], password)
    roles = list(held.groups.all())
    user.groups.set(roles)
    audit.note(user, user, "joined", roles=_names(roles))
    held.delete()
    return user


def _new_user(held: Invitation, username: Any, name: str, password: str) -> Any:
    users = get_user_model()
    username = str(username).strip()
    first, _blank, last = name.partition(" ")
    user = users(username=username, email=held.email, first_name=first, last_name=last, language=held.language)
    _refuse_as("username", lambda: users.username_validator(username) if username else _missing())
    if len(username) > 150 or users.objects.filter(username__iexact=username).exists():
        raise RejectedError(_name_taken())
    _refuse_as("password", lambda: password_validation.validate_password(password, user))
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:  # of two who join at the same moment
        raise RejectedError(_name_taken()) from None
    return user


def _name_taken() -> Problem:
    return Problem(Code.NAME_TAKEN, _("There is a user of that name already."), ("username",))


def _refuse_as(place: str, check: Any) -> None:
    try:
        check()
    except ValidationError as error:
        raise RejectedError(Problem(Code.INVALID, " ".join(error.messages), (place,))) from None


def _missing() -> None:
    raise ValidationError(_("This field is required."))


def _address(email: Any) -> str:
    address = str(email).strip()
    _refuse_as("email", lambda: validate_email(address))
    if get_user_model().objects.filter(email__iexact=address, is_api_only=False).exists():
        message = _("A user has this address already. Deactivated users can be activated again.")
        raise RejectedError(Problem(Code.NAME_TAKEN, message, ("email",)))
    return address


def _require_within(by: Any, roles: Iterable[Group]) -> None:
    """Refuse roles that hold a right which `by` has not."""
    wanted = {role.pk for role in roles}
    if wanted - set(limits.roles_within(by).filter(pk__in=wanted).values_list("pk", flat=True)):
        message = _("You can't give a role that may do more than you.")
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, ("role",), "role"))


def _is_good(invitation: Invitation) -> bool:
    """Whether the time is not over, and its sender still may give what it promises."""
    sender = invitation.invited_by
    if invitation.expires_at <= timezone.now() or not sender.is_active or not sender.has_perm(INVITE):
        return False
    roles = set(invitation.groups.values_list("pk", flat=True))
    return bool(roles) and roles == set(limits.roles_within(sender).filter(pk__in=roles).values_list("pk", flat=True))


def _held(pk: int) -> Invitation:
    found = Invitation.objects.select_for_update(of=("self",)).select_related("invited_by").filter(pk=pk).first()
    if found is None:
        raise RejectedError(Problem(Code.CONFLICT, _("This invitation was used or revoked meanwhile."), ()))
    return found


def _digest(token: str) -> bytes:
    return sha256(b"invitation:" + token.encode("utf-8", "replace")).digest()


def _names(roles: Iterable[Group]) -> str:
    return ", ".join(sorted(role.name for role in roles))
