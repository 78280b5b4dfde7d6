"""Language, time zone, content security and compression of pages, redirect to the setup page, odd addresses, memory."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.middleware.locale import LocaleMiddleware
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation

from config.marketo.wire.middleware import ROOTS
from people.core import installation

GetResponse = Callable[[HttpRequest], HttpResponse]
# the Marketo API, and probes, which are answered without the database that holds the installation's language
IN_ENGLISH = (*ROOTS, "/healthz", "/readyz", "/metrics")


class RefuseNulMiddleware:
    """Answers 404 to an address with the character NUL: the database accepts no such text."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\0" in request.path_info:
            raise Http404
        return self.get_response(request)


class IncompleteBodyMiddleware:
    """Answers 400 where a page reads a body whose end never came; the APIs' own views answer in their form."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, UnreadablePostError):
            return None
        return HttpResponse("The body ended too early.\n", status=400, content_type="text/plain")


class ReleaseMemoryMiddleware:
    """Releases a body and the data read from it after the call.

    Django's request and REST framework's request, view and response form reference cycles, which stay in memory
    until garbage collection. That is rare in a process that receives batches; many megabytes would accumulate.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        _drop_attributes(request, "_body", "_stream")
        context = getattr(response, "renderer_context", None)
        if context and "request" in context:
            _drop_attributes(context["view"], "request", "response")
            context["request"].parser_context.clear()
            context.clear()
        return response


def _drop_attributes(holder: object, *names: str) -> None:
    for name in names:
        holder.__dict__.pop(name, None)


class UserLocaleMiddleware(LocaleMiddleware):
    """Activates the language chosen in the interface, else the browser's, else the installation's."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        chosen = settings.LANGUAGE_COOKIE_NAME in request.COOKIES or "HTTP_ACCEPT_LANGUAGE" in request.META
        if not chosen and not request.path_info.startswith(IN_ENGLISH):
            translation.activate(installation.current_installation().language)
            request.LANGUAGE_CODE = translation.get_language()


class UserTimeZoneMiddleware:
    """Activates the user's time zone and language for pages, where they have chosen; after authentication.

    Programs choose the language of each request of theirs by the header Accept-Language.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return self.get_response(request)
        if user.language in dict(settings.LANGUAGES) and not request.path_info.startswith((*ROOTS, "/api/")):
            translation.activate(user.language)
            request.LANGUAGE_CODE = user.language
        with timezone.override(ZoneInfo(user.time_zone or installation.current_installation().time_zone)):
            return self.get_response(request)


class SetupMiddleware:
    """Redirects an administrator's home page to the setup page until this installation is set up."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = getattr(request, "user", None)
        if (
            user
            and user.is_superuser
            and request.path == reverse("admin:index")
            and not installation.is_installation_set_up()
        ):
            return redirect("setup")
        return self.get_response(request)


class ContentSecurityMiddleware:
    """Sets the content security policy: nothing may load for data, for pages what the admin's theme needs.

    Also forbids caching of responses that do not allow it themselves, as static files do.
    """

    # Alpine evaluates attributes of its elements; the theme and htmx write styles into the page
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
            if settings.CSP_REPORT_URI.startswith(
                "https:"
            ):  # browsers with report-to accept https only, and ignore report-uri
                policy += "; report-to csp"
                response.headers["Reporting-Endpoints"] = f'csp="{settings.CSP_REPORT_URI}"'
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


class CompressedPagesMiddleware(GZipMiddleware):
    """Compresses pages; files, streams and data for programs are not compressed.

    A page contains user input beside secrets such as the CSRF token, and an attacker could observe the compressed
    length (BREACH): Django masks the token anew in each page and adds up to 100 random bytes to the gzip header.
    """

    max_random_bytes = 100

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_page = response.headers.get("Content-Type", "").startswith("text/html") and not response.streaming
        return super().process_response(request, response) if is_page else response
