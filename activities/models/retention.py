"""Retention: the period for which the activities of a type are kept."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from activities.querysets import CONSENT_TYPES


class Retention(models.Model):
    """The months for which the activities of a type are kept. Types without a retention keep them for ever."""

    activity_type = models.OneToOneField(
        "activities.ActivityType", models.CASCADE, related_name="retention", verbose_name=_("activity type")
    )
    months = models.PositiveSmallIntegerField(_("months"), validators=[MinValueValidator(1)])
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "activity_retention"
        verbose_name = _("retention")
        verbose_name_plural = _("retention")
        constraints = [
            models.CheckConstraint(condition=models.Q(months__gte=1), name="activity_retention_months"),
            models.CheckConstraint(
                condition=~models.Q(activity_type__in=CONSENT_TYPES), name="activity_retention_keeps_consent"
            ),
        ]

    def __str__(self) -> str:
        text = ngettext("%(type)s: %(months)s month", "%(type)s: %(months)s months", self.months)
        return text % {"type": self.activity_type, "months": self.months}
