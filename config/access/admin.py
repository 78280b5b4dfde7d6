"""Users, roles and API clients in the admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from oauth2_provider.models import get_access_token_model, get_grant_model, get_id_token_model, get_refresh_token_model
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config.access.models import ApiClient, User

admin.site.unregister(Group)
for token_model in (get_access_token_model(), get_grant_model(), get_id_token_model(), get_refresh_token_model()):
    admin.site.unregister(token_model)  # tokens are ours: see clients.py
if admin.site.is_registered(ApiClient):
    admin.site.unregister(ApiClient)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "is_active", "is_superuser")
    fieldsets = (*(DjangoUserAdmin.fieldsets or ()), (None, {"fields": ("time_zone", "language")}))

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(is_api_only=False)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # users are deactivated, never deleted


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass


from config.access import client_pages  # noqa: E402, F401 (its pages register themselves)
