"""Language, time zone, content security and compression of pages, the way to the setup page, what a call leaves."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.middleware.locale import LocaleMiddleware
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation

from config.marketo.wire.middleware import ROOTS
from people.core import installation

GetResponse = Callable[[HttpRequest], HttpResponse]


class LettingGoMiddleware:
    """Lets go of a body, and of what was read from it, when the call is over.

    Django's request and REST framework's request, view and response form circles, which stay until the collector
    comes by: seldom in a process that takes in batches, and then many megabytes have piled up.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        _forget(request, "_body", "_stream")
        context = getattr(response, "renderer_context", None)
        if context and "request" in context:
            _forget(context["view"], "request", "response")
            context["request"].parser_context.clear()
            context.clear()
        return response


def _forget(holder: object, *names: str) -> None:
    for name in names:
        holder.__dict__.pop(name, None)


class UserLocaleMiddleware(LocaleMiddleware):
    """The language chosen in the interface, else the browser's, else the installation's."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        chosen = settings.LANGUAGE_COOKIE_NAME in request.COOKIES or "HTTP_ACCEPT_LANGUAGE" in request.META
        if not chosen and not request.path_info.startswith(ROOTS):  # the Marketo API speaks English only
            translation.activate(installation.current().language)
            request.LANGUAGE_CODE = translation.get_language()


class UserTimeZoneMiddleware:
    """Pages show times in the user's zone, or the installation's."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return self.get_response(request)
        with timezone.override(ZoneInfo(user.time_zone or installation.current().time_zone)):
            return self.get_response(request)


class SetupMiddleware:
    """Until this installation is set up, its administrator's home page is the page that does it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = getattr(request, "user", None)
        if user and user.is_superuser and request.path == reverse("admin:index") and not installation.is_set_up():
            return redirect("setup")
        return self.get_response(request)


class ContentSecurityMiddleware:
    """What a browser may load and run: nothing for what programs read, for pages what the admin's theme needs.

    Nor does anybody on the way keep an answer that does not say so itself, as static files do.
    """

    # Alpine evaluates the attributes of its elements; the theme and htmx write styles into the page
    PAGES = (
        "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    DATA = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        policy = self.PAGES if is_page else self.DATA
        if is_page and settings.CSP_REPORT_URI:
            policy += f"; report-uri {settings.CSP_REPORT_URI}"
            if settings.CSP_REPORT_URI.startswith("https:"):  # with report-to browsers take no other, nor report-uri
                policy += "; report-to csp"
                response.headers["Reporting-Endpoints"] = f'csp="{settings.CSP_REPORT_URI}"'
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


class CompressedPagesMiddleware(GZipMiddleware):
    """Pages are sent compressed; files, streams and what programs read are left as they are.

    A page holds what the reader typed beside secrets such as the CSRF token, whose length after compression an attacker
    could watch (BREACH): Django masks the token anew in each page and adds up to 100 random bytes to the gzip header.
    """

    max_random_bytes = 100

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_page = response.headers.get("Content-Type", "").startswith("text/html") and not response.streaming
        return super().process_response(request, response) if is_page else response
