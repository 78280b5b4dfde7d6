"""The page of the user's notices, and the switches of their kinds."""

from collections.abc import Iterable
from datetime import date
from itertools import groupby

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from people.core import notifications
from people.core.notifications import KINDS, Notice, NoticeSwitch
from people.core.numerals import whole_number
from people.datatypes.keys import MAX_BIG_ID

SHOWN = 100


def unread_notices(request: HttpRequest) -> str:
    """Return the number of unread notices for the side bar; empty if there are none."""
    count = notifications.unread_notice_count(request.user) if request.user.is_authenticated else 0
    return "99+" if count > 99 else str(count or "")


def notices_page(request: HttpRequest) -> HttpResponse:
    """Show the latest notices, unread ones first, by day.

    POST marks one notice as read and opens its page, marks all as read, or saves the switches.
    """
    if request.method == "POST":
        if "open" in request.POST:
            return _open(request, whole_number(request.POST["open"], 0, most_digits=19))
        if "switches" in request.POST:
            switched = {kind: (f"in_{kind}" in request.POST, f"mail_{kind}" in request.POST) for kind in KINDS}
            notifications.save_notice_switches(request.user, switched)
            messages.success(request, _("Saved."))
        else:
            notifications.mark_notices_read(request.user)
        return redirect("notices")
    stored = {row.kind: row for row in NoticeSwitch.objects.filter(user=request.user.pk)}
    switches = [(kind, KINDS[kind], stored.get(kind) or NoticeSwitch(kind=kind)) for kind in KINDS]
    notices = list(Notice.objects.filter(user=request.user.pk, is_shown=True)[:SHOWN])
    return render(
        request,
        "config/notices.html",
        {
            **admin.site.each_context(request),
            "title": _("Notifications"),
            "notices": notices,
            "parts": [
                (_("Unread"), _by_day(notice for notice in notices if notice.read_at is None)),
                (_("Already read"), _by_day(notice for notice in notices if notice.read_at is not None)),
            ],
            "has_address": bool(getattr(request.user, "email", "")),
            "mailed": sum(switch.by_email for _name, _kind, switch in switches),
            "switches": switches,
            "has_unread": any(notice.read_at is None for notice in notices),
        },
    )


def _open(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark a notice of the user as read and go to its page. Raises Http404 for a notice of another user."""
    notice = get_object_or_404(Notice, pk=min(pk, MAX_BIG_ID), user=request.user.pk)
    notifications.mark_notices_read(request.user, notice.pk)
    return redirect(notice.url or "notices")


def _by_day(notices: Iterable[Notice]) -> list[tuple[date, list[Notice]]]:
    """The notices by day of the active zone, in their order."""
    days = groupby(notices, key=lambda notice: timezone.localdate(notice.created_at))
    return [(day, list(group)) for day, group in days]
