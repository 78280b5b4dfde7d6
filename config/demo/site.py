"""The web site of the demo's company, with the script installed: what is done there arrives as web activities.

Its pages are public, and exist from the moment a user opens the site by its button.
"""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from activities.models import EventSource
from activities.sources import editing as source_editing
from activities.tracking.installation import site_script_address
from config.demo.activities import MODELS
from people.core.admin.base import require_rights

NAME = "Demo site"  # of its event source
PAGES = {"": gettext_lazy("Home"), "models": gettext_lazy("Models"), "test-drive": gettext_lazy("Test drive")}
# the admin's policy, but for the script's host
POLICY = (
    "default-src 'none'; script-src 'self' {host}; connect-src {host}; img-src 'self' data: {host}; style-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@require_POST
def open_site(request: HttpRequest) -> HttpResponse:
    """Add the demo site as an event source if there is none for this address, and lead to its first page."""
    require_rights(request, source_editing.VIEW)
    origin = f"{request.scheme}://{request.get_host()}"
    website = _find_website()
    if website is None:
        require_rights(request, source_editing.ADD)
        source_editing.create_source(NAME, EventSource.Kind.BROWSER, request.user, origins=[origin])
    elif origin not in website.origins:
        require_rights(request, source_editing.CHANGE)
        source_editing.change_source(website, request.user, origins=[*website.origins, origin])
    return redirect("demo-site")


@require_safe
def show_page(request: HttpRequest, page: str = "") -> HttpResponse:
    """A page of the demo site."""
    if page not in PAGES:
        raise Http404
    return _render(request, (page or "home").replace("-", "_"), PAGES[page])


@csrf_exempt  # it keeps nothing, and its pages set no cookie of ours
def thank_visitor(request: HttpRequest) -> HttpResponse:
    """The page after the form; what was sent is not read: the script has recorded it."""
    return _render(request, "thanks", _("Thank you"))


@require_safe
def price_list(request: HttpRequest) -> HttpResponse:
    """A file to download."""
    _require_website()
    lines = ["model,price", *(f"{model},{price}" for model, price in MODELS.items())]
    response = HttpResponse("\n".join(lines) + "\n", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="price-list.csv"'
    return response


def _render(request: HttpRequest, name: str, title: object) -> HttpResponse:
    website = _require_website()
    script = site_script_address(website)
    context = {
        "title": title,
        "name": name,
        "pages": [
            (reverse("demo-site-page", args=[page]) if page else reverse("demo-site"), label)
            for page, label in PAGES.items()
        ],
        "models": [(model, f"{price:,}".replace(",", "\u2009")) for model, price in MODELS.items()],
        "script": script,
        "website": website,
    }
    response = render(request, f"demo_site/{name}.html", context)
    parts = urlsplit(script or settings.COLLECTOR_URL)
    response["Content-Security-Policy"] = POLICY.format(host=f"{parts.scheme}://{parts.netloc}")
    return response


def start_page(website: EventSource) -> str:
    """The path of the demo site's first page; empty for other web sites."""
    return reverse("demo-site") if website.name == NAME else ""


def _find_website() -> EventSource | None:
    return EventSource.objects.filter(name=NAME, kind=EventSource.Kind.BROWSER).first()


def _require_website() -> EventSource:
    website = _find_website()
    if website is None:
        raise Http404
    return website
