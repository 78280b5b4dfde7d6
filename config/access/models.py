"""Who may do what: users, and the API clients that act for them."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractApplication


class User(AbstractUser):
    """Somebody, or some program, that works with this installation.

    Users are deactivated, never deleted: what they did stays signed with their name.
    """

    is_api_only = models.BooleanField(
        _("API only"), default=False, help_text=_("Acts for a program and cannot log in to the pages.")
    )
    owner = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, editable=False, related_name="api_users",
        help_text=_("Whose rights an API-only user can never exceed."),
    )  # fmt: skip
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, help_text=_("Empty: the time zone of this installation.")
    )
    language = models.CharField(_("language"), max_length=8, blank=True)

    class Meta(AbstractUser.Meta):
        verbose_name = _("user")
        verbose_name_plural = _("users")


class ApiClient(AbstractApplication):
    """A program that may get tokens (OAuth2 client credentials). It acts as its own API-only user."""

    api_user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="api_client", verbose_name=_("acts as")
    )
    # one token lives at a time; the next one gets the next number
    token_number = models.PositiveBigIntegerField(default=0, editable=False)
    token_digest = models.BinaryField(max_length=32, null=True, unique=True, editable=False)
    token_expires_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, editable=False)
    is_revoked = models.BooleanField(_("revoked"), default=False)

    class Meta(AbstractApplication.Meta):
        verbose_name = _("API client")
        verbose_name_plural = _("API clients")
