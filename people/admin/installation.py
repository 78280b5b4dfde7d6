"""The installation's settings in the admin, and the form of them, which the first visit's setup page has, too."""

from typing import Any

from babel import Locale
from babel.core import get_global
from babel.numbers import get_territory_currencies
from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from people.core import installation
from people.core.models import Installation

_INPUT = {"class": "ca-input"}


class InstallationForm(forms.ModelForm):
    """The settings; time zone, currency and language are chosen from lists, which keep a value that is on none."""

    class Meta:
        model = Installation
        fields = ("company", "time_zone", "currency", "language", "week_starts_on")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        names = Locale.parse(get_language() or "en").currencies
        choices: dict[str, list[tuple[str, Any]]] = {
            "time_zone": [(zone, zone.replace("_", " ")) for zone in installation.inhabited_zones()],
            "currency": [(code, f"{code}, {names.get(code, code)}") for code in sorted(_currencies())],
            "language": list(settings.LANGUAGES),
        }
        if "time_zone" in self.fields:
            self.fields["time_zone"].help_text = _("Reports, and dates in rules, count days in this time zone.")
        for name, offered in choices.items():
            if name not in self.fields:  # shown to who may not change it
                continue
            field, value = self.fields[name], getattr(self.instance, name)
            kept = [] if value in dict(offered) else [(value, value)]
            self.fields[name] = forms.ChoiceField(
                label=field.label, help_text=field.help_text, choices=[*kept, *offered]
            )
        for field in self.fields.values():
            field.widget.attrs.update(_INPUT)


@admin.register(Installation)
class InstallationAdmin(ModelAdmin):
    form = InstallationForm
    change_form_template = "components/settings_form.html"

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        """The form as it is: the theme would give its fields other widgets."""
        if self.has_change_permission(request, obj):
            return InstallationForm
        return super().get_form(request, obj, change, **options)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The one row's page."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return self.change_view(request, "1", reverse("admin:people_installation_change", args=[1]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        context = {
            "title": _("Installation"),
            "about": _("Settings for the whole team: time zone, currency and default language."),
        }
        return super().change_view(request, object_id, form_url, context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        installation.clear_installation_cache()


def _currencies() -> set[str]:
    """The codes of currencies that are legal tender today."""
    return {code for territory in get_global("territory_currencies") for code in get_territory_currencies(territory)}
