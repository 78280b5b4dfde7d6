"""The kiosk of a form: a page for a tablet that many people use one after another, also while there is no network."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from activities.forms.fields import FormInput, form_inputs
from activities.forms.kiosk_links import form_of_kiosk
from activities.forms.reading import Reading, read_form
from activities.forms.submitting import Sender, Way, submit_form
from activities.models import Form
from activities.tracking.addresses import kept_ip_address
from activities.tracking.agents import parse_agent
from activities.tracking.clock import is_epoch_ms
from activities.tracking.wire import MESSAGE_ID
from config.client_address import request_address
from config.forms.bounds import MAX_KIOSK_BODY, is_too_large, seconds_of_kiosk
from config.forms.pages import in_language, message_page, render_form_page, too_many_page
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.datatypes import exact_json

logger = logging.getLogger(__name__)
MAX_ITEMS = 20
MAX_DEPTH = 5
MAX_LATE = timedelta(days=14)  # a device that was offline for longer: what it sends is dated that long ago
JSON = "application/json"


@csrf_exempt  # there is no session: a user of the link may send
@require_http_methods(["GET", "HEAD", "POST"])
def kiosk_page(request: HttpRequest, key: str) -> HttpResponse:
    """The kiosk. POST takes one form, or as JSON what the page's script has kept while there was no network."""
    form = form_of_kiosk(key)
    if form is None:
        return message_page(request, None, _("This kiosk link works no longer. Ask your team for the new one."), 404)
    with in_language(form):
        if form.is_archived:
            return message_page(request, form, _("This form is closed."), 410)
        if request.method != "POST":
            return _draw(request, form, key, Reading({}))
        if is_too_large(request, MAX_KIOSK_BODY):
            return message_page(request, form, _("This is more than the form can take."), 413)
        if wait := seconds_of_kiosk(form.pk):
            return too_many_page(request, form, wait)
        return _take_kept(request, form) if request.content_type == JSON else _take_form(request, form, key)


def _sender(request: HttpRequest) -> Sender:
    """The guest at the kiosk: the address of the page is a secret, and the browser belongs to no person."""
    agent = parse_agent(request.headers.get("User-Agent", ""))
    return Sender(Way.KIOSK, agent, kept_ip_address(request_address(request)))


def _draw(
    request: HttpRequest, form: Form, key: str, reading: Reading, status: int = 200, *, is_sent: bool = False
) -> HttpResponse:
    address = reverse("form-kiosk", args=[key])
    return render_form_page(
        request, form, "forms/kiosk.html", reading, status, script=True, address=address, is_sent=is_sent
    )


def _take_form(request: HttpRequest, form: Form, key: str) -> HttpResponse:
    """One form of a browser without scripts; the page for the next visitor follows."""
    reading = read_form(form, form_inputs(form), {name: str(value) for name, value in request.POST.items()})
    if reading.problems:
        return _draw(request, form, key, reading, 422)
    try:
        submit_form(form, reading, _sender(request))
    except RejectedError as refusal:
        return message_page(request, form, str(refusal), 409)
    return _draw(request, form, key, Reading({}), is_sent=True)


def _take_kept(request: HttpRequest, form: Form) -> HttpResponse:
    """Take the submissions that a kiosk has kept, each with its own id; reply to each in order, also to repeats."""
    now = timezone.now()
    try:
        sent, items = _parse(request.body)
    except RejectedError as refusal:
        return JsonResponse({"code": str(refusal.code), "message": str(refusal)}, status=400)
    inputs, sender = form_inputs(form), _sender(request)
    results = [_take_item(form, inputs, sender, item, sent, now) for item in items]
    return JsonResponse({"results": results, "revision": form.revision})


def _parse(body: bytes) -> tuple[int, list[Any]]:
    """The clock of the device when it sent, in ms, and the items. Raises `RejectedError`."""
    try:
        value = exact_json.load_exact_json(body)
    except exact_json.InvalidJSONError:
        raise RejectedError(Problem(Code.INVALID_JSON, _("The body is no JSON."))) from None
    sent: Any = value.get("sent") if isinstance(value, dict) else None
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list) or len(items) > MAX_ITEMS or exact_json.is_deep(items, MAX_DEPTH):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("a list of at most 20 items"), items, "items"))
    if not is_epoch_ms(sent):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("milliseconds since 1970"), sent, "sent"))
    return sent, items


def _take_item(
    form: Form, inputs: list[FormInput], sender: Sender, item: Any, sent: int, now: datetime
) -> dict[str, str]:
    """Take one item; its answer has the id and the result: added, repeated, refused for ever, or failed.

    Whatever is wrong with one costs the others nothing; without a database none is answered.
    """
    message_id = item.get("id") if isinstance(item, Mapping) else None
    raw = item.get("values") if isinstance(item, Mapping) else None
    if not (isinstance(message_id, str) and MESSAGE_ID.fullmatch(message_id)) or not isinstance(raw, Mapping):
        return {"id": str(message_id)[:64], "status": "refused", "message": _("An id and values are needed.")}
    at = item.get("at")
    moment = _moment(at, sent, now) if is_epoch_ms(at) else now
    try:
        outcome = submit_form(form, read_form(form, inputs, raw, moment), sender, message_id, moment)
    except RejectedError as refusal:
        return {"id": message_id, "status": "refused", "message": str(refusal)}
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("a form of a kiosk could not be taken")
        return {"id": message_id, "status": "failed"}
    return {"id": message_id, "status": "repeated" if outcome.is_repeat else "added"}


def _moment(at: int, sent: int, now: datetime) -> datetime:
    """The moment of an item by our clock: as long ago as by the device's clock, whatever that shows."""
    late = timedelta(milliseconds=min(max(0, sent - at), int(MAX_LATE.total_seconds() * 1000)))
    return now - late
