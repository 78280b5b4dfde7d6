"""What users change of themselves: their names, language and time zone at once, their address once it is confirmed."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils.translation import gettext as _

from config.access.models import User
from people.core import audit, installation
from people.core.codes import Code
from people.core.errors import Problem, RejectedError

FIELDS = ("first_name", "last_name", "language", "time_zone")
LIFETIME = timedelta(days=3)
SALT = "config.access.own_address"


@dataclass(frozen=True, slots=True)
class AddressChange:
    """A change of an address that waits for its confirmation; the link is signed and kept nowhere."""

    user_id: int
    before: str
    email: str

    @property
    def token(self) -> str:
        return signing.dumps([self.user_id, self.before, self.email], salt=SALT)


@transaction.atomic
def change_own_details(user: Any, **values: str) -> None:
    """Set the validated `values` of FIELDS."""
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    changed = [name for name in FIELDS if name in values and getattr(locked, name) != values[name]]
    for name in changed:
        setattr(locked, name, values[name])
    if changed:
        locked.save(update_fields=changed)
        audit.write_audit_entry(user, locked, "changed", what=", ".join(changed))


def mail_confirmation(change: AddressChange, link: str) -> bool:
    """Send the link to the new address, in the language of the page; return whether it was sent."""
    if not settings.EMAIL_IS_SET_UP:
        return False
    team = installation.current_installation().company or _("Custom Activities")
    subject = _("Confirm your email address for %(team)s") % {"team": team}
    text = _(
        "You asked for this address to be yours at %(team)s.\n\nOpen this link to confirm it:\n%(link)s\n\n"
        "It works for %(days)s days. If it wasn't you, ignore this email: nothing changes."
    ) % {"team": team, "link": link, "days": LIFETIME.days}
    try:
        EmailMessage(" ".join(subject.split()), text, None, [change.email]).send()
    except OSError:  # smtplib's errors and those of sockets
        return False
    return True


def read_change(user: Any, token: str) -> AddressChange:
    """Return the change that a link confirms.

    Raises `RejectedError` (`conflict`) for a link that is not this user's, too old, or of an address replaced since.
    """
    try:
        change = AddressChange(*signing.loads(token, salt=SALT, max_age=LIFETIME))
    except (signing.BadSignature, TypeError):
        change = None
    if change is None or change.user_id != user.pk or change.before != user.email:
        raise RejectedError(
            Problem(Code.CONFLICT, _("This link no longer works. Change your email again."), ("email",))
        )
    return change


@transaction.atomic
def confirm_address(user: Any, token: str) -> None:
    """Set the address that the link confirms. Raises as `read_change` does."""
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    locked.email = read_change(locked, token).email
    locked.save(update_fields=["email"])
    audit.write_audit_entry(user, locked, "changed", what="email")
