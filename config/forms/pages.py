"""The public pages of forms: they need no script, set no cookie, and take what forms on other sites send, too."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from activities.forms.addresses import storable_address
from activities.forms.codes import check_in_address, submission_code, submission_of_code
from activities.forms.fields import FormInput, form_inputs
from activities.forms.hosts import MAX_ADDRESS, form_action_origins, next_address
from activities.forms.reading import CONSENT, HONEYPOT, Reading, read_form
from activities.forms.submitting import Sender, Way, spam_reason, submit_form
from activities.models import Form, FormSubmission
from activities.qr_codes import svg_code
from activities.tracking.addresses import campaign_query, kept_ip_address
from activities.tracking.agents import parse_agent
from activities.tracking.wire import TOKEN
from config.client_address import request_address
from config.forms.bounds import is_too_large, seconds_of_form, seconds_of_sender
from people.core.codes import Code
from people.core.errors import RejectedError

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src {scripts}; connect-src {scripts}; "
    "form-action 'self'{targets}; base-uri 'none'; frame-ancestors 'none'"
)
COOKIE = "_ca"  # the tracking script's
NEXT, PAGE, OWN, CODE = "_next", "_page", "_own", "code"  # members of a page besides the fields
CAMPAIGN = "_campaign"  # the parameters of campaigns in our own page's query, sent along with the form


@csrf_exempt  # senders of a form are anonymous: there is no session that another site could misuse
@require_http_methods(["GET", "HEAD", "POST"])
def form_page(request: HttpRequest, key: str) -> HttpResponse:
    """The page of a form. POST takes it, from here or from a form on another site, and leads on."""
    form = find_form(key=key)
    if form is None:
        return message_page(request, None, _("There is no such form."), 404)
    with in_language(form):
        if form.is_archived:
            return message_page(request, form, _("This form is closed."), 410)
        if request.method != "POST":
            return _draw(request, form, Reading({}), hidden=_own_members(request, request.META["QUERY_STRING"]))
        if is_too_large(request):
            return message_page(request, form, _("This is more than the form can take."), 413)
        if wait := seconds_of_sender(request):
            return too_many_page(request, form, wait)
        return _take(request, form)


@require_safe
def thanks_page(request: HttpRequest, key: str) -> HttpResponse:
    """The page after a form that leads nowhere else."""
    form = find_form(key=key)
    if form is None:
        return message_page(request, None, _("There is no such form."), 404)
    with in_language(form):
        text = form.thanks or _("Thank you. We have received it.")
        return message_page(request, form, text, 200, title=_("Sent"), code=_own_code(request, form))


def _own_code(request: HttpRequest, form: Form) -> str:
    """The QR code of a submission for the entrance of the form's event; empty without one. It names no person."""
    token = request.GET.get(CODE, "")
    if not form.event or submission_of_code(form, token) is None:
        return ""
    address = check_in_address(form, token, f"{request.scheme}://{request.get_host()}")
    return mark_safe(svg_code(address))


def find_form(**condition: Any) -> Form | None:
    """The form of an address; None for one that no form has."""
    return Form.objects.select_related("consent", "website").filter(**condition).first()


def in_language(form: Form) -> Any:
    """A context in the form's language, else in the reader's."""
    return translation.override(form.language or translation.get_language())


def sender_of(request: HttpRequest, way: Way, page: str = "") -> Sender:
    """The sender of a request, with a masked address. A browser with an opt-out header stays unknown."""
    headers, host = request.headers, request.get_host()
    opts_out = settings.TRACKING_HONORS_GPC and "1" in (
        headers.get("Sec-GPC", "").strip(),
        headers.get("DNT", "").strip(),
    )
    token = request.COOKIES.get(COOKIE, "")
    return Sender(
        way,
        parse_agent(headers.get("User-Agent", "")),
        kept_ip_address(request_address(request)),
        storable_address(page or request.build_absolute_uri(), host),
        storable_address(headers.get("Referer", ""), host),
        token if TOKEN.fullmatch(token) and not opts_out else "",
    )


def _take(request: HttpRequest, form: Form) -> HttpResponse:
    """Take what was sent: lead on, or show the form again with what is wrong."""
    inputs = form_inputs(form)
    raw: Mapping[str, Any] = {name: str(value) for name, value in request.POST.items()}
    reading = read_form(form, inputs, raw)
    is_own = OWN in raw
    members = _own_members(request, raw.get(CAMPAIGN, "")) if is_own else {}
    page = _own_page(request, members[CAMPAIGN]) if is_own else raw.get(PAGE) or request.headers.get("Referer", "")
    sender = sender_of(request, Way.PAGE if is_own else Way.HTML, page)
    if wait := seconds_of_form(form.pk, is_spam=bool(spam_reason(reading, sender))):
        return too_many_page(request, form, wait)
    try:
        outcome = submit_form(form, reading, sender)
    except RejectedError as refusal:
        if refusal.code == Code.WRONG_STATE:
            return message_page(request, form, _("This form is closed."), 410)
        sent = members if is_own else {PAGE: sender.page.url if sender.page else ""}
        return _draw(request, form, reading, 422, hidden={**sent, NEXT: raw.get(NEXT, "")[:MAX_ADDRESS]})
    address = next_address(form, raw.get(NEXT, "")) or _thanks_address(form, outcome.submission)
    response = HttpResponseRedirect(address)
    response.status_code = 303
    return _guard(response, form)


def _own_page(request: HttpRequest, query: str) -> str:
    """The address of this page of ours with a query."""
    return request.build_absolute_uri(f"{request.path}?{query}" if query else request.path)


def _own_members(request: HttpRequest, query: str) -> dict[str, str]:
    """The hidden members of our own page: of a query only the parameters of campaigns, without secrets."""
    address = storable_address(_own_page(request, query), request.get_host())
    return {OWN: "1", CAMPAIGN: campaign_query(address) if address is not None else ""}


def _thanks_address(form: Form, submission: FormSubmission) -> str:
    """The address of the page of thanks, with the code for the entrance if it is an event's, also for spam."""
    address = reverse("form-thanks", args=[form.key])
    if submission.code_hash is None:
        return address
    return f"{address}?{urlencode({CODE: submission_code(form, submission.message_id)})}"


def _draw(
    request: HttpRequest, form: Form, reading: Reading, status: int = 200, *, hidden: Mapping[str, str]
) -> HttpResponse:
    """The page of the form. `hidden`: members that are sent again with it; those without a value are left out."""
    members = {name: value for name, value in hidden.items() if value}
    return render_form_page(request, form, "forms/page.html", reading, status, hidden=members)


def render_form_page(
    request: HttpRequest, form: Form, template: str, reading: Reading, status: int = 200, **context: Any
) -> HttpResponse:
    """A page with the form's fields, the values that were sent, and what is wrong with each."""
    errors = reading.errors() if status != 200 else {}
    inputs = form_inputs(form)
    rows = [(entry, _shown(reading, entry), errors.get(entry.name, "")) for entry in inputs]
    shown = {
        "form": form,
        "rows": rows,
        "error": errors.get("", ""),
        "has_errors": bool(errors),
        "consent_error": errors.get(CONSENT, ""),
        "is_agreed": reading.consent is not None,
        "names": {"honeypot": HONEYPOT, "consent": CONSENT},
        **context,
    }
    return _guard(render(request, template, shown, status=status), form, scripts="script" in context)


def _shown(reading: Reading, entry: FormInput) -> str:
    value = reading.values.get(entry.name, "")
    return value if isinstance(value, str) else str(value)


def message_page(
    request: HttpRequest, form: Form | None, text: str, status: int, title: str = "", code: str = ""
) -> HttpResponse:
    """A page with one sentence."""
    heading = (form.title or form.name) if form is not None else _("Form")
    context = {"heading": heading, "text": text, "title": title or heading, "code": code}
    return _guard(render(request, "forms/message.html", context, status=status), form)


def too_many_page(request: HttpRequest, form: Form, seconds: int) -> HttpResponse:
    """The answer to too many submissions of one address, or of one form, in a minute."""
    text = _("Too many forms were sent at this moment. Wait a minute, go back and send it again: nothing is lost.")
    response = message_page(request, form, text, 429)
    response["Retry-After"] = str(seconds)
    return response


def _guard(response: HttpResponse, form: Form | None, *, scripts: bool = False) -> HttpResponse:
    """Set the policy of public pages: nothing loads from elsewhere, and a form leads only where it may."""
    targets = "".join(f" {origin}" for origin in form_action_origins(form)) if form is not None else ""
    response["Content-Security-Policy"] = POLICY.format(scripts="'self'" if scripts else "'none'", targets=targets)
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"  # the address can be a secret: of a kiosk, or with a code
    return response
