"""Tables of the installation as a whole, and the base of the models that users edit."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _


class Installation(models.Model):
    """The settings for all users of the installation: one row, created by the first start."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    company = models.CharField(_("company"), max_length=255, blank=True)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", help_text=_("Days in rules are days in this time zone.")
    )
    currency = models.CharField(
        _("currency"), max_length=3, default="USD", help_text=_("Every currency value is in this currency.")
    )
    language = models.CharField(_("language"), max_length=8, default="en")
    week_starts_on = models.PositiveSmallIntegerField(
        _("week starts on"), default=0, choices=[(0, _("Monday")), (6, _("Sunday")), (5, _("Saturday"))]
    )
    created_at = models.DateTimeField(auto_now_add=True, editable=False)

    class Meta:
        db_table = "installation"
        verbose_name = _("installation")
        verbose_name_plural = _("installation")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="installation_is_one_row")]

    def __str__(self) -> str:
        return self.company or str(_("This installation"))


class Revised(models.Model):
    """An object that users edit. Each change increments `revision`: the second of two editors gets a conflict."""

    revision = models.PositiveIntegerField(default=1, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True, editable=False)

    class Meta:
        abstract = True


class Folder(models.Model):
    """A folder: one tree for lists, types and campaigns together."""

    name = models.CharField(_("name"), max_length=255)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    # db_default: a web process of the version before inserts folders without these while both run
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), auto_now=True, db_default=Now())

    class Meta:
        db_table = "folder"
        verbose_name = _("folder")
        verbose_name_plural = _("folders")
        constraints = [
            models.UniqueConstraint("parent", Lower("name"), name="folder_name_is_unique", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return self.name
