"""Changes of one's own account: names, language and time zone at once, the address once it is confirmed."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.access.models import User
from config.access.users.addresses import refuse_taken_address
from people.core import audit, installation
from people.core.codes import Code
from people.core.errors import Problem, RejectedError

FIELDS = ("first_name", "last_name", "language", "time_zone")
LIFETIME = timedelta(days=3)
SALT = "config.access.own_address"
MOST_AN_HOUR = 5  # requested changes of address per user: each sends an email to that address
HOUR = timedelta(hours=1)

audit.register_actions(
    {
        "address_requested": (2, gettext_lazy("Asked to use the address %(after)s")),
        "email_changed": (2, gettext_lazy("Changed the email from %(before)s to %(after)s, confirmed by a link")),
    }
)


@dataclass(frozen=True, slots=True)
class AddressChange:
    """A change of an address that waits for its confirmation; the link is signed and kept nowhere."""

    user_id: int
    before: str
    email: str
    requested_at: float

    @property
    def token(self) -> str:
        return signing.dumps([self.user_id, self.before, self.email, self.requested_at], salt=SALT)


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


@transaction.atomic
def request_address(user: Any, email: str) -> AddressChange:
    """Begin the change to another address. The caller has checked that the user signed in recently.

    Raises `RejectedError`: `name_taken` for another user's address, `throttled` after MOST_AN_HOUR requests.
    """
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    refuse_taken_address(email, locked)
    recent = _entries(locked).filter(
        action_time__gt=timezone.now() - HOUR, change_message__contains='"address_requested"'
    )
    if recent.count() >= MOST_AN_HOUR:
        message = _("You have asked for other addresses often. Try again in an hour.")
        raise RejectedError(Problem(Code.THROTTLED, message, ("email",)))
    audit.write_audit_entry(user, locked, "address_requested", after=masked_address(email))
    return AddressChange(locked.pk, locked.email, email, time.time())


def masked_address(email: str) -> str:
    """An address as the audit log shows it, which keeps no personal values: "v…@example.com"."""
    name, at, domain = email.rpartition("@")
    return f"{name[:1]}…{at}{domain}" if at else "–"


def _entries(user: Any) -> QuerySet[LogEntry]:
    """The audit entries of `user`: shared by all processes, unlike the cache."""
    return LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(user), object_id=str(user.pk))


def mail_confirmation(change: AddressChange, link: str) -> bool:
    """Send the link to the new address, in the language of the page; return whether it was sent."""
    if not settings.EMAIL_IS_SET_UP:
        return False
    team = installation.current_installation().company or _("Custom Activities")
    subject = _("Confirm your email address for %(team)s") % {"team": team}
    text = _(
        "You asked to use this address at %(team)s.\n\nOpen this link to confirm it:\n%(link)s\n\n"
        "It works for %(days)s days. If it wasn't you, ignore this email: nothing changes."
    ) % {"team": team, "link": link, "days": LIFETIME.days}
    return _send(change.email, subject, text)


def mail_notice(before: str, after: str) -> bool:
    """Send a notice to the old address that another has replaced it; return True if it was sent."""
    if not settings.EMAIL_IS_SET_UP or not before:
        return False
    team = installation.current_installation().company or _("Custom Activities")
    subject = _("Your email address for %(team)s was changed") % {"team": team}
    text = _(
        "Your account at %(team)s now uses %(after)s instead of this address.\n\n"
        "If it wasn't you, tell an administrator at once."
    ) % {"team": team, "after": masked_address(after)}
    return _send(before, subject, text)


def _send(address: str, subject: str, text: str) -> bool:
    try:
        EmailMessage(" ".join(subject.split()), text, None, [address]).send()
    except OSError:  # smtplib's errors and those of sockets
        return False
    return True


def read_change(user: Any, token: str) -> AddressChange:
    """Return the change that a link confirms.

    Raises `RejectedError` (`conflict`) for a link that is not this user's, too old, or older than the latest change
    of the address, by whomever: an administrator who restores an address does not revive the links before.
    """
    try:
        change = AddressChange(*signing.loads(token, salt=SALT, max_age=LIFETIME))
    except (signing.BadSignature, TypeError):
        change = None
    if change is None or change.user_id != user.pk or change.before != user.email or _is_outdated(change, user):
        raise RejectedError(
            Problem(Code.CONFLICT, _("This link no longer works. Change your email again."), ("email",))
        )
    return change


def _is_outdated(change: AddressChange, user: Any) -> bool:
    """True if the address changed after the request; a change by an administrator names the field, too."""
    since = datetime.fromtimestamp(change.requested_at, UTC)
    own = Q(change_message__contains='"action": "email_changed"')
    by_others = Q(change_message__contains='"action": "changed"') & Q(change_message__contains="email")
    return _entries(user).filter(own | by_others, action_time__gt=since).exists()


@transaction.atomic
def confirm_address(user: Any, token: str) -> None:
    """Set the address that the link confirms, and notify the old one.

    Raises as `read_change` does, and `RejectedError` (`name_taken`) for what became another user's address.
    """
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    change = read_change(locked, token)
    refuse_taken_address(change.email, locked)
    locked.email = change.email
    locked.save(update_fields=["email"])
    masked = {"before": masked_address(change.before), "after": masked_address(change.email)}
    audit.write_audit_entry(user, locked, "email_changed", **masked)
    transaction.on_commit(lambda: mail_notice(change.before, change.email))
