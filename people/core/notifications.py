"""Notices to users, in the product and by e-mail; a user can switch each kind off.

A notice holds a kind, parameters without personal values, and the page it links to. It is rendered in the user's
language.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage, get_connection
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import NoReverseMatch, reverse
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


@dataclass(frozen=True, slots=True)
class NoticeKind:
    """One kind of notice: the label of its switch, and the sentence with %(parameter)s placeholders.

    Two notices about the same page are equal, unless they differ in a parameter listed in `told_apart_by`. `advice` is
    a sentence on the reason or the next step, `action` the label of the button that opens the page, `icon` a symbol,
    `look` the colour of it: bad, good or wait. `localize` returns the parameters as the sentence shows them, with those
    that are the product's own words in the active language.
    """

    label: str | Promise
    sentence: str | Promise
    told_apart_by: tuple[str, ...] = ()
    advice: str | Promise = ""
    action: str | Promise = ""
    icon: str = "notifications"
    look: str = ""
    localize: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict


UNKNOWN = NoticeKind("", "")  # of a version that is no longer installed


# upper apps register theirs with `register_notice_kinds`
KINDS: dict[str, NoticeKind] = {
    "import_done": NoticeKind(
        gettext_lazy("Your import is done"),
        gettext_lazy("The import of %(file)s is done."),
        advice=gettext_lazy("See what came in and which rows were rejected. You can undo it."),
        action=gettext_lazy("See the result"),
        icon="upload_file",
        look="good",
    )
}


class Notice(models.Model):
    """One notice for one user."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=32)
    parameters = models.JSONField(default=dict)
    page = models.CharField(max_length=100, blank=True)  # a URL name
    page_id = models.BigIntegerField(null=True)
    is_shown = models.BooleanField(default=True)  # false: sent by e-mail only
    to_be_mailed = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "notice"
        default_permissions = ()
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="notice_of_user"),
            models.Index(fields=["id"], condition=Q(to_be_mailed=True), name="notice_to_be_mailed"),
        ]

    def __str__(self) -> str:
        kind = KINDS.get(self.kind)
        # notices of imports by an earlier version have the number only
        parameters = {"file": self.parameters.get("number", ""), **self.parameters}
        return str(kind.sentence % kind.localize(parameters)) if kind else self.kind

    @property
    def kind_of_notice(self) -> NoticeKind:
        return KINDS.get(self.kind, UNKNOWN)

    @property
    def url(self) -> str:
        try:
            return reverse(self.page, args=[] if self.page_id is None else [self.page_id]) if self.page else ""
        except NoReverseMatch:
            return ""


class NoticeSwitch(models.Model):
    """A user's channels for a kind of notice; without a row: in the product and, with an address, by e-mail."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notice_switches")
    kind = models.CharField(max_length=32)
    in_product = models.BooleanField(default=True)
    by_email = models.BooleanField(default=True)

    class Meta:
        db_table = "notice_switch"
        default_permissions = ()
        constraints = [models.UniqueConstraint("user", "kind", name="notice_switch_is_unique")]

    def __str__(self) -> str:
        return self.kind


def register_notice_kinds(kinds: Mapping[str, NoticeKind]) -> None:
    """Register kinds of notices."""
    KINDS.update(kinds)


def notify_users(user_ids: Iterable[int | None], kind: str, page: str, page_id: int | None, **parameters: Any) -> int:
    """Create a notice for each of the active users who have the kind switched on; return their number.

    A user with an equal unread notice gets no second one. The worker sends the e-mails later.
    """
    named = {pk for pk in user_ids if pk}
    if not named:
        return 0
    users = get_user_model().objects.filter(pk__in=named, is_active=True, is_api_only=False)
    equal = Notice.objects.filter(kind=kind, page=page, page_id=page_id, read_at=None, user__in=users)
    apart = KINDS[kind].told_apart_by if kind in KINDS else ()
    equal = equal.filter(**{f"parameters__{name}": parameters[name] for name in apart})
    waiting = set(equal.values_list("user_id", flat=True))
    switches = {
        user_switch.user_id: user_switch for user_switch in NoticeSwitch.objects.filter(kind=kind, user__in=users)
    }
    notices = []
    for user in users:
        user_switch = switches.get(user.pk) or NoticeSwitch(user=user, kind=kind)
        is_mailed = user_switch.by_email and bool(user.email) and bool(settings.EMAIL_IS_SET_UP)
        if user.pk not in waiting and (user_switch.in_product or is_mailed):
            notices.append(
                Notice(
                    user=user,
                    kind=kind,
                    page=page,
                    page_id=page_id,
                    parameters=parameters,
                    is_shown=user_switch.in_product,
                    to_be_mailed=is_mailed,
                )
            )
    Notice.objects.bulk_create(notices)
    return len(notices)


def withdraw_notices(kind: str, page: str, page_id: int) -> None:
    """Delete the notices of a kind about a page, read or not, for all users, as it is no longer true."""
    Notice.objects.filter(kind=kind, page=page, page_id=page_id).delete()


def send_notice_mails() -> int:
    """Send the waiting e-mails, each at most once; return their number. Run by one job at a time."""
    waiting = Notice.objects.filter(to_be_mailed=True).select_related("user").order_by("id")[:200]
    sent = 0
    with get_connection() as server:
        for notice in waiting:
            # claimed first: a lost e-mail is better than one sent again and again
            if Notice.objects.filter(pk=notice.pk, to_be_mailed=True).update(to_be_mailed=False):
                with translation.override(notice.user.language or settings.LANGUAGE_CODE):
                    EmailMessage(str(notice), _text(notice), None, [notice.user.email], connection=server).send()
                sent += 1
    return sent


def delete_old_notices() -> int:
    """Delete the notices, read or unread, that are older than NOTICES_KEPT_DAYS; return their number."""
    before = timezone.now() - timedelta(days=settings.NOTICES_KEPT_DAYS)
    return Notice.objects.filter(created_at__lt=before).delete()[0]


def unread_notice_count(user: Any) -> int:
    """The number of unread notices of the user, at most 100."""
    return len(Notice.objects.filter(user=user, is_shown=True, read_at=None).values_list("pk")[:100])


def mark_notices_read(user: Any, pk: int | None = None) -> None:
    """Mark one notice of the user as read, or all of them."""
    notices = Notice.objects.filter(user=user, read_at=None)
    (notices if pk is None else notices.filter(pk=pk)).update(read_at=timezone.now())


@transaction.atomic
def save_notice_switches(user: Any, channels: Mapping[str, tuple[bool, bool]]) -> None:
    """Save the user's channels for each kind: kind → (in the product, by e-mail)."""
    for kind, (in_product, by_email) in channels.items():
        NoticeSwitch.objects.update_or_create(
            user=user, kind=kind, defaults={"in_product": in_product, "by_email": by_email}
        )


def _text(notice: Notice) -> str:
    lines = [
        str(notice),
        str(notice.kind_of_notice.advice),
        f"{settings.SITE_URL}{notice.url}" if settings.SITE_URL else "",
    ]
    return "\n\n".join([line for line in lines if line] + [_("You can switch these emails off under Notifications.")])
