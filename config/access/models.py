"""Users, the API clients that act for them, their tokens, sessions and invitations."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractApplication

from people.core.source import Channel

SIGN_IN = "sign_in"  # in a session: time, address and browser of the sign-in, and time of the last request


class User(AbstractUser):
    """A person or a program that works with this installation.

    Users are deactivated, never deleted: the log of their actions keeps their name.
    """

    is_api_only = models.BooleanField(
        _("API only"), default=False, help_text=_("Acts for a program and cannot sign in to the pages.")
    )
    owner = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="api_users",
        help_text=_("An API-only user never has more permissions than this user."),
    )
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, help_text=_("Leave empty for this installation's time zone.")
    )
    language = models.CharField(_("language"), max_length=8, blank=True)
    must_change_password = models.BooleanField(
        _("must change the password"),
        default=False,
        db_default=False,
        help_text=_("Someone else knows it: the next sign-in leads to the page that changes it."),
    )

    # of the present request: whether it has a token, and the rights that the token is limited to (None: no limit)
    has_token = False
    scopes: frozenset[str] | None = None
    rights: frozenset[str] | None = None  # in effect, where they were read with the token

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    @property
    def may_sign_in(self) -> bool:
        """Return whether the user may open the pages: active, no program, and with at least one right.

        A role or a single right is enough, however it was given; there is no separate switch to forget.
        """
        if not self.is_active or self.is_api_only:
            return False
        return self.is_staff or self.is_superuser or bool(self.get_all_permissions())

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return (self.scopes is None or perm in self.scopes) and super().has_perm(perm, obj)


class Invitation(models.Model):
    """A pending invitation. Using its link, which works once, creates the user.

    The row holds the data and roles of the user to be created. It is deleted when the link is used or revoked.
    """

    email = models.EmailField(_("email"), max_length=150)
    name = models.CharField(_("name"), max_length=150, blank=True)
    language = models.CharField(_("language"), max_length=8, blank=True)
    groups = models.ManyToManyField("auth.Group", related_name="+")
    digest = models.BinaryField(max_length=32, unique=True, editable=False)  # of the link's token, which is not stored
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    mailed_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(_("expires at"))

    class Meta:
        db_table = "invitation"
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        default_permissions = ()
        constraints = [models.UniqueConstraint(Lower("email"), name="invitation_email_is_unique")]

    def __str__(self) -> str:
        return f"invitation {self.pk}"

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()


class Session(AbstractBaseSession):
    """A browser session with its user and address; written by `config.access.sessions`."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=200, blank=True)  # the browser's User-Agent
    signed_in_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "session"
        default_permissions = ()

    @classmethod
    def get_session_store_class(cls) -> Any:
        return SessionStore


class SessionStore(DatabaseStore):
    """Django's database sessions, each with its user and address."""

    @classmethod
    def get_model_class(cls) -> Any:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        row = super().create_model_instance(data)
        assert isinstance(row, Session)
        sign_in = data.get(SIGN_IN) or {}
        row.user_id = data.get(SESSION_KEY)
        row.address, row.agent = sign_in.get("address") or None, sign_in.get("agent", "")
        row.signed_in_at, row.seen_at = _moment(sign_in.get("at")), _moment(sign_in.get("seen"))
        return row


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


class ApiClient(AbstractApplication):
    """A program that gets tokens by OAuth2 client credentials. It acts as its own API-only user."""

    _default_manager: ClassVar["models.Manager[ApiClient]"]  # oauth2_provider has no types

    api_user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="api_client", verbose_name=_("acts as")
    )
    # one valid token at a time; each gets the next number
    token_number = models.PositiveBigIntegerField(default=0, editable=False)
    token_digest = models.BinaryField(max_length=32, null=True, unique=True, editable=False)
    token_expires_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, editable=False)
    is_revoked = models.BooleanField(_("revoked"), default=False)
    # after a rotation the old secret works for a while, so that a program can be changed without a gap
    previous_secret = models.CharField(max_length=255, blank=True, editable=False)
    previous_secret_ends_at = models.DateTimeField(null=True, editable=False)

    class Meta(AbstractApplication.Meta):
        verbose_name = _("API client")
        verbose_name_plural = _("API clients")


class ApiToken(models.Model):
    """A bearer token of the native API: of a client for an hour, or of a user for scripts (personal)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="api_tokens")
    client = models.ForeignKey(ApiClient, models.CASCADE, null=True, related_name="tokens")
    name = models.CharField(_("name"), max_length=150, blank=True)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    scopes = ArrayField(
        models.CharField(max_length=150), null=True, help_text=_("Leave empty for all the user's permissions.")
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("expires at"))
    last_used_at = models.DateTimeField(_("last used at"), null=True, editable=False)

    class Meta:
        db_table = "api_token"
        verbose_name = _("token")
        verbose_name_plural = _("tokens")
        default_permissions = ()

    def __str__(self) -> str:
        return self.name or f"token {self.pk}"


class IdempotentReply(models.Model):
    """The reply to a request with an Idempotency-Key; committed together with the request's changes."""

    caller = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    digest = models.BinaryField(max_length=32)  # of method, path and body
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField(null=True)  # null: erased with a person whose data it held
    person_ids = ArrayField(models.IntegerField(), default=list)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "idempotent_reply"
        default_permissions = ()
        constraints = [models.UniqueConstraint("caller", "key", name="idempotent_reply_key_is_unique")]
        indexes = [models.Index("created_at", name="idempotent_reply_created_at")]

    def __str__(self) -> str:
        return self.key

    @classmethod
    def delete_expired(cls) -> int:
        """Delete the replies that are no longer given; return their number."""
        oldest = timezone.now() - timedelta(hours=settings.IDEMPOTENCY_HOURS)
        return cls.objects.filter(created_at__lte=oldest).delete()[0]


class FailedCalls(models.Model):
    """Number of failed calls of one API client by day, route and code; see `failures`."""

    pk = models.CompositePrimaryKey("day", "user_id", "channel", "route", "code")
    day = models.DateField()  # of the installation's zone
    user_id = models.IntegerField()  # the client's API-only user
    channel = models.PositiveSmallIntegerField(choices=Channel.choices, db_column="door")
    route = models.CharField(max_length=150)
    code = models.CharField(max_length=32)
    count = models.BigIntegerField()
    last_at = models.DateTimeField()

    class Meta:
        db_table = "failed_calls"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.day} {self.route} {self.code}: {self.count}"


class CallCount(models.Model):
    """Number of calls of one caller in its present minute. An unlogged table: a crash resets the counts."""

    caller = models.CharField(max_length=64, primary_key=True)
    window = models.BigIntegerField()
    count = models.IntegerField()

    class Meta:
        db_table = "call_count"
        default_permissions = ()

    def __str__(self) -> str:
        return self.caller
