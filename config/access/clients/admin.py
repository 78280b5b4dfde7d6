"""API clients in the admin: rights, secret, last use and failed calls of each."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from unfold.admin import ModelAdmin

from config.access import sessions
from config.access.clients import editing as client_editing
from config.access.clients import failures as client_failures
from config.access.clients.offered_rights import RightsField
from config.access.models import ApiClient
from config.access.rights import CHANGE_APICLIENT
from people.core.admin.base import PagesAdmin, require_rights, state_badge
from people.core.admin.search import WordSearch
from people.core.errors import NotAllowedError, RejectedError
from people.core.numerals import whole_number
from people.templatetags.moments import moment

FAILED_DAYS = 30
FAILED_SHOWN = 50
OVERLAPS = (
    (0, gettext_lazy("at once")),
    (1, gettext_lazy("in an hour")),
    (24, gettext_lazy("in a day")),
    (168, gettext_lazy("in a week")),
)


class ClientForm(forms.Form):
    """The name and the rights of a client."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=150, widget=forms.TextInput({"class": "ca-input"}))

    def __init__(self, data: Any, user: Any, name: str, chosen: list[str]) -> None:
        super().__init__(data, initial={"name": name})
        self.fields["rights"] = RightsField(user, chosen, label=_("Permissions"), required=False)

    @property
    def chosen(self) -> set[str]:
        return set(self["rights"].value() or ())

    def show(self, refusal: RejectedError) -> None:
        for problem in refusal.problems:
            place = str(problem.path[0]) if problem.path else ""
            self.add_error(place if place in self.fields else None, str(problem.message))


class RotateForm(forms.Form):
    overlap = forms.TypedChoiceField(coerce=int, choices=OVERLAPS)


@admin.register(ApiClient)
class ApiClientAdmin(WordSearch, ModelAdmin):
    list_display = ("name", "badge", "user", "last_used", "failed", "client_id")
    empty_value_display = PagesAdmin.empty_value_display
    about = gettext_lazy("Programs that call the API, each with a secret and permissions of its own.")
    empty_icon = "key"
    nothing_yet = gettext_lazy("Create one for each program: it gets an id and a secret for tokens.")
    list_filter = ("is_revoked",)
    search_fields = ("name", "client_id", "user__username")
    list_select_related = ("user", "api_user")
    ordering = ("is_revoked", "name")
    actions = None

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/rotate/", wrap(self.rotate_view), name="access_apiclient_rotate"),
            path("<int:pk>/revoke/", wrap(self.revoke_view), name="access_apiclient_revoke"),
            *super().get_urls(),
        ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # revoked instead: entries about its actions keep its name

    def get_queryset(self, request: HttpRequest) -> Any:
        return client_failures.with_failures_today(super().get_queryset(request))

    @admin.display(description=gettext_lazy("State"), ordering="is_revoked")
    def badge(self, client: ApiClient) -> str:
        if client.is_revoked:
            return state_badge(_("Revoked"), "bad")
        return state_badge(pgettext("API client", "Active"), "good")

    @admin.display(description=gettext_lazy("Last used"), ordering="last_used_at")
    def last_used(self, client: ApiClient) -> Any:
        return moment(client.last_used_at) if client.last_used_at else None

    @admin.display(description=gettext_lazy("Failed today"), ordering="failed_today")
    def failed(self, client: Any) -> str:
        return f"{client.failed_today:n}"

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        if confirmation := sessions.confirmation_redirect(request):
            return confirmation
        usual = [right for right in client_editing.DEFAULT_RIGHTS if request.user.has_perm(right)]
        form = ClientForm(request.POST or None, request.user, "", usual)
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                credentials = client_editing.create_client(data["name"], request.user, request.user, data["rights"])
            except RejectedError as refusal:
                form.show(refusal)
            else:
                return self._show_secret(request, credentials)
        return self._page(request, "new_client", _("New API client"), form=form)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one client with its rights, use and failed calls, and apply the form."""
        client = self._find(request, whole_number(object_id))
        may_change = self.has_change_permission(request, client) and not client.is_revoked
        form = ClientForm(request.POST or None, request.user, client.name, client_editing.client_rights(client))
        if request.method == "POST" and not may_change:
            raise PermissionDenied
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            is_wider = not client_editing.client_has_rights(client, data["rights"])
            if is_wider and (confirmation := sessions.confirmation_redirect(request)):
                return confirmation
            try:
                client_editing.change_client(client, request.user, data["name"], data["rights"])
            except RejectedError as refusal:
                form.show(refusal)
            else:
                messages.success(request, _("Saved. It takes effect at once."))
                return redirect("admin:access_apiclient_change", client.pk)
        failed = [
            (client, row) for row in client_failures.frequent_failures([client.api_user_id], FAILED_DAYS, FAILED_SHOWN)
        ]
        return self._page(
            request,
            "client",
            client.name,
            form=form,
            client=client,
            original=client,
            failed=failed,
            may_change=may_change,
            overlaps=OVERLAPS,
            days=FAILED_DAYS,
        )

    def rotate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = self._posted(request, pk)
        if confirmation := sessions.confirmation_redirect(request, reverse("admin:access_apiclient_change", args=[pk])):
            return confirmation
        form = RotateForm(request.POST)
        overlap = form.cleaned_data["overlap"] if form.is_valid() else 0
        try:
            return self._show_secret(
                request, client_editing.rotate_client_secret(client, request.user, timedelta(hours=overlap))
            )
        except RejectedError as refusal:
            messages.error(request, str(refusal))
            return redirect("admin:access_apiclient_change", pk)

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = self._posted(request, pk)
        try:
            client_editing.revoke_client(client, request.user)
        except NotAllowedError as refusal:
            raise PermissionDenied(refusal.problems[0].expected) from None
        messages.success(request, _("Revoked: the client no longer has access."))
        return redirect("admin:access_apiclient_change", pk)

    def _find(self, request: HttpRequest, pk: int) -> ApiClient:
        if not self.has_view_permission(request):
            raise PermissionDenied
        client = ApiClient.objects.select_related("user", "api_user").filter(pk=pk).first()
        if client is None:
            raise Http404
        return client

    def _posted(self, request: HttpRequest, pk: int) -> ApiClient:
        require_rights(request, CHANGE_APICLIENT)
        client = self._find(request, pk)
        if request.method != "POST" or not self.has_change_permission(request, client):
            raise PermissionDenied(CHANGE_APICLIENT)
        return client

    def _show_secret(self, request: HttpRequest, credentials: client_editing.Credentials) -> HttpResponse:
        return self._page(request, "secret", str(credentials.client), credentials=credentials)

    def _page(self, request: HttpRequest, name: str, title: str, **context: Any) -> HttpResponse:
        shell = {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        return render(request, f"access/{name}.html", {**shell, **context})
