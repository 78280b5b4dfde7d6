"""Retention in the admin."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import PositiveSmallIntegerField
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin

from activities.log import retention
from activities.models import CONSENT_TYPES, ActivityType, Retention
from people.core.errors import RejectedError


@admin.register(Retention)
class RetentionAdmin(ModelAdmin):
    nothing_yet = gettext_lazy("All activities are kept forever unless you set a retention period for a type here.")
    empty_icon = "auto_delete"
    about = gettext_lazy("How long activities are kept, by type. All others are kept forever.")
    list_display = ("activity_type", "kept", "due")
    fields = ("activity_type", "months")
    show_full_result_count = False
    actions = None
    change_form_template = add_form_template = "components/settings_form.html"
    delete_confirmation_template = "activities/retention_delete.html"
    formfield_overrides: ClassVar = {
        PositiveSmallIntegerField: {"widget": forms.NumberInput({"class": "ca-input", "min": 1})}
    }

    @admin.display(description=gettext_lazy("Kept for"), ordering="months")
    def kept(self, rule: Retention) -> str:
        return ngettext("%(count)s month", "%(count)s months", rule.months) % {"count": intcomma(rule.months)}

    @admin.display(description=gettext_lazy("Would be removed now"))
    def due(self, rule: Retention) -> str:
        due = retention.due_removal_of(rule)
        return ngettext(
            "%(count)s activity from before %(day)s", "%(count)s activities from before %(day)s", due.count
        ) % {"count": intcomma(due.count), "day": date_format(localtime(due.before), "DATE_FORMAT")}

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        context: dict[str, Any] = {
            "heading": _("New retention period"),
            "about": _("Older activities of the type are removed for good, every night."),
            "back": reverse("admin:activities_retention_changelist"),
        }
        if object_id is not None and object_id.isascii() and object_id.isdigit():
            context |= {
                "heading": _("Retention period"),
                "delete_url": reverse("admin:activities_retention_delete", args=[object_id]),
                "delete_label": _("Keep them all…"),
            }
        return super().changeform_view(request, object_id, form_url, context)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        options["queryset"] = ActivityType.objects.existing().exclude(pk__in=CONSENT_TYPES)
        options["widget"] = forms.Select({"class": "ca-input"})
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
