"""The one door for people: user name and password, then the second step where somebody has one."""

from typing import Any

from allauth.account.utils import perform_login
from allauth.socialaccount.adapter import get_adapter
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from unfold.forms import AuthenticationForm

from config.client_address import address_of


class Login(LoginView):
    """The admin's login page; who has a second step is asked for it before anything is open."""

    template_name = "admin/login.html"
    authentication_form = AuthenticationForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.redirect_authenticated_user = admin.site.has_permission(request)
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        return perform_login(self.request, form.get_user(), redirect_url=self.get_success_url())

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return super().get_context_data(
            **admin.site.each_context(self.request),
            title="", app_path=self.request.get_full_path(), providers=get_adapter().list_providers(self.request),
            next=self.get_redirect_url(), **more,
        )  # fmt: skip


def address(request: HttpRequest) -> str:
    """What attempts are counted under; those of unknown origin (a socket without a trusted proxy) together."""
    return address_of(request) or "0.0.0.0"


def locked_out(request: HttpRequest, *_axes: Any) -> HttpResponse:
    """What django-axes answers to somebody who tried too often."""
    minutes = max(1, round(settings.AXES_COOLOFF_TIME.total_seconds() / 60))
    context = {**admin.site.each_context(request), "minutes": minutes}
    return render(request, "access/locked_out.html", context, status=429)


page = Login.as_view()
