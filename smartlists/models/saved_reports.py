"""Saved reports, and dashboards that show some of them; private to their owner or shared."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from smartlists.rights import SHARE_REPORT

SHARE = SHARE_REPORT


class SharedObject(models.Model):
    """A named object of one user; a shared one is seen by all users who may see reports."""

    page: ClassVar[str]  # the route of the object's page

    name = models.CharField(_("name"), max_length=255)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("owner"), related_name="+")
    is_shared = models.BooleanField(_("shared"), default=False, db_index=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        abstract = True
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse(self.page, args=[self.pk])


class SavedReport(SharedObject):
    """The parameters of a report with a name."""

    page = "saved-report"

    # of the reports page; `days` in the place of `since` and `until` is a period that ends today
    parameters: Any = models.JSONField(default=dict)

    class Meta(SharedObject.Meta):
        db_table = "saved_report"
        verbose_name, verbose_name_plural = _("report"), _("reports")
        permissions = [("share_report", _("Can share reports and dashboards"))]
        constraints = [models.UniqueConstraint("owner", Lower("name"), name="saved_report_name_is_unique")]


class Dashboard(SharedObject):
    """A page of saved reports in an order chosen by hand."""

    page = "dashboard"

    class Meta(SharedObject.Meta):
        db_table = "dashboard"
        verbose_name, verbose_name_plural = _("dashboard"), _("dashboards")
        constraints = [models.UniqueConstraint("owner", Lower("name"), name="dashboard_name_is_unique")]


class DashboardTile(models.Model):
    """A saved report's place on a dashboard."""

    dashboard = models.ForeignKey(Dashboard, models.CASCADE, related_name="tiles")
    report = models.ForeignKey(SavedReport, models.CASCADE, related_name="tiles")
    position = models.PositiveSmallIntegerField()
    is_wide = models.BooleanField(default=False)

    class Meta:
        db_table = "dashboard_tile"
        default_permissions = ()
        ordering = ("position", "pk")
        constraints = [models.UniqueConstraint(fields=["dashboard", "report"], name="dashboard_tile_is_unique")]

    def __str__(self) -> str:
        return f"{self.dashboard_id}: {self.report_id}"


class ReportNote(models.Model):
    """A note on a day, shown at that day in charts; private to its owner or shared."""

    day = models.DateField(_("day"), db_index=True)
    text = models.CharField(_("text"), max_length=200)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("owner"), related_name="+")
    is_shared = models.BooleanField(_("shared"), default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        db_table = "report_note"
        default_permissions = ()
        verbose_name, verbose_name_plural = _("note on charts"), _("notes on charts")

    def __str__(self) -> str:
        """The day: audit entries name notes by this, and a private text is its owner's."""
        return str(self.day)
