"""Sign-in of users: user name and password, then the second step if the user has one."""

from typing import Any

from allauth.account.utils import perform_login
from allauth.socialaccount.adapter import get_adapter
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from unfold.forms import AuthenticationForm

from config.access import sessions, throttling


class SignInForm(AuthenticationForm):
    """User name and password of a user who may sign in; one message for every failure, which reveals nothing."""

    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": gettext_lazy(
            "User name or password is wrong. If you are sure of both, ask an administrator to check your account "
            "and its role."
        )
    }

    def confirm_login_allowed(self, user: Any) -> None:
        if not user.may_sign_in:
            raise self.get_invalid_login_error()


class Login(LoginView):
    """The admin's login page; a user with a second step must pass it before any page opens."""

    template_name = "admin/login.html"
    authentication_form = SignInForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and (seconds := throttling.seconds_until_next_attempt(request)):
            return too_many_attempts_response(request, 1, seconds, by_address=True)
        # a user from a page that requires a new sign-in would be sent back there, and here again
        self.redirect_authenticated_user = admin.site.has_permission(request) and not sessions.must_sign_in_again(
            request
        )
        return super().dispatch(request, *args, **kwargs)

    def form_invalid(self, form: Any) -> HttpResponse:
        throttling.count_failed_attempt(self.request)
        return super().form_invalid(form)

    def form_valid(self, form: Any) -> HttpResponse:
        return perform_login(self.request, form.get_user(), redirect_url=self.get_success_url())

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return super().get_context_data(
            **admin.site.each_context(self.request),
            title="",
            app_path=self.request.get_full_path(),
            providers=get_adapter().list_providers(self.request),
            next=self.get_redirect_url(),
            **more,
        )


def client_network(request: HttpRequest) -> str:
    """Key of counted attempts; those of unknown origin (a socket without a trusted proxy) share one."""
    return throttling.network_of_request(request)


def locked_out(request: HttpRequest, *_axes: Any) -> HttpResponse:
    """The response of django-axes after too many attempts."""
    minutes = max(1, round(settings.AXES_COOLOFF_TIME.total_seconds() / 60))
    return too_many_attempts_response(request, minutes, minutes * 60)


def too_many_attempts_response(
    request: HttpRequest, minutes: int, seconds: int, by_address: bool = False
) -> HttpResponse:
    context = {**admin.site.each_context(request), "minutes": minutes, "by_address": by_address}
    response = render(request, "access/locked_out.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def has_permission(request: HttpRequest) -> bool:
    """Return whether the user may open the admin's pages; each page checks its own rights."""
    return getattr(request.user, "may_sign_in", False)


page = Login.as_view()
