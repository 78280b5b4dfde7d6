"""The installation's settings in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from people.core import installation
from people.core.models import Installation


@admin.register(Installation)
class InstallationAdmin(ModelAdmin):
    list_display = ("company", "time_zone", "currency", "language")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        installation.clear_installation_cache()
