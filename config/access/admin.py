"""Users, roles and API clients in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from oauth2_provider.models import get_access_token_model, get_grant_model, get_id_token_model, get_refresh_token_model
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config.access import clients
from config.access.models import ApiClient, User
from people.problems import Refused

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


@admin.register(ApiClient)
class ApiClientAdmin(ModelAdmin):
    list_display = ("name", "client_id", "user", "last_used_at", "is_revoked")
    fields = ("name", "client_id", "user", "last_used_at", "is_revoked")
    readonly_fields = fields
    change_form_template = "access/client.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/rotate/", wrap(self.rotate_view), name="access_apiclient_rotate"),
            path("<int:pk>/revoke/", wrap(self.revoke_view), name="access_apiclient_revoke"),
            *super().get_urls(),
        ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # revoked instead: what a client did stays signed with its name

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        problem = ""
        if request.method == "POST":
            try:
                return self._show_secret(
                    request, clients.create(request.POST.get("name", ""), request.user, request.user)
                )
            except Refused as refusal:
                problem = str(refusal)
        context = {**self.admin_site.each_context(request), "title": _("New API client"), "opts": self.opts}
        return render(
            request, "access/new_client.html", context | {"problem": problem, "name": request.POST.get("name", "")}
        )

    def rotate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = self._posted(request, pk)
        return self._show_secret(request, clients.rotate_secret(client, request.user))

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        clients.revoke(self._posted(request, pk), request.user)
        messages.success(request, _("Revoked: the client gets in no more."))
        return redirect("admin:access_apiclient_change", pk)

    def _posted(self, request: HttpRequest, pk: int) -> ApiClient:
        client = ApiClient.objects.filter(pk=pk).first()
        if request.method != "POST" or client is None or not self.has_change_permission(request, client):
            raise PermissionDenied
        return client

    def _show_secret(self, request: HttpRequest, credentials: clients.Credentials) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": str(credentials.client), "opts": self.opts}
        return render(request, "access/secret.html", context | {"credentials": credentials})
