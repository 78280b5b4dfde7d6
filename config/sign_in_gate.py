"""Steps that a signed-in user must complete before other pages, and the end of old sessions."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from config.access import sessions
from config.access.sign_in import mfa
from config.api import errors as api_errors
from config.observability import logging as log_formats
from people.core import installation
from people.core.codes import Code
from people.core.errors import Problem

API = "/api/v1/"
# open to every signed-in user, also with missing steps
OPEN = ("/admin/login/", "/admin/logout/", "/account/", "/join/", "/i18n/", "/healthz", "/readyz", "/static/")


class SignInMiddleware:
    """Ends sessions that are too old, records their use, and redirects to missing steps.

    Requests with a token have no session and are not affected.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        session: Any = request.session
        if SESSION_KEY not in session:
            return self.get_response(request)
        if sessions.is_session_over(session):
            logout(request)
            return self.get_response(request)
        if request.user.is_authenticated:
            log_formats.add_log_ids(user=request.user.pk)
            duty = _missing_step(request)
            if duty is not None:
                return duty
        response = self.get_response(request)
        sessions.note_session_use(request)
        return response


def _missing_step(request: HttpRequest) -> HttpResponse | None:
    """Return the response that leads to a missing step; None if there is none."""
    user: Any = request.user
    password = reverse("admin:password_change")
    if request.path.startswith((*OPEN, password)):
        return None
    if user.must_change_password:
        if user.is_superuser and not installation.is_installation_set_up():  # the setup page requires a password, too
            return None if request.path == reverse("setup") else _lead_to(request, "setup", "")
        return _lead_to(request, "admin:password_change", _("Please choose your own password first."))
    if settings.REQUIRE_SECOND_FACTOR and mfa.is_second_step_missing(request):
        return _lead_to(request, "mfa_index", _("Your role needs a second step at sign-in. Please set one up first."))
    return None


def _lead_to(request: HttpRequest, name: str, why: str) -> HttpResponse:
    if request.path.startswith(API):
        return api_errors.problem_response(
            403, Problem(Code.SIGN_IN_INCOMPLETE, why or _("Please set up this installation first."))
        )
    if why:
        messages.warning(request, why)
    return redirect(name)
