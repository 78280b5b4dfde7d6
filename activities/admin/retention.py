"""Retention in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from activities.log import retention
from activities.models import CONSENT_TYPES, ActivityType, Retention
from people.core.errors import RejectedError


@admin.register(Retention)
class RetentionAdmin(ModelAdmin):
    nothing_yet = gettext_lazy("All activities are kept forever unless you set a retention period for a type here.")
    list_display = ("activity_type", "months", "due")
    fields = ("activity_type", "months")
    show_full_result_count = False
    actions = None

    @admin.display(description=gettext_lazy("Would be removed now"))
    def due(self, rule: Retention) -> str:
        due = retention.due_removal_of(rule)
        return _("%(count)s activities from before %(day)s") % {
            "count": intcomma(due.count),
            "day": date_format(localtime(due.before), "DATE_FORMAT"),
        }

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        options["queryset"] = ActivityType.objects.existing().exclude(pk__in=CONSENT_TYPES)
        return super().formfield_for_foreignkey(db_field, request, **options)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("activity_type",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Retention, form: Any, change: bool) -> None:
        try:
            rule = retention.set_retention(obj.activity_type, obj.months, request.user)
        except RejectedError as refusal:
            messages.error(request, str(refusal))
        else:
            obj.pk = rule.pk if rule else None
            messages.warning(request, f"{_('The next nightly run removes')}: {self.due(rule)}" if rule else "")

    def delete_model(self, request: HttpRequest, obj: Retention) -> None:
        retention.set_retention(obj.activity_type, None, request.user)
