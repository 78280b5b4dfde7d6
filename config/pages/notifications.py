"""The page of the user's notices, and the switches of their kinds."""

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from people.core import notifications
from people.core.notifications import KINDS, Notice, NoticeSwitch

SHOWN = 100


def unread_notices(request: HttpRequest) -> str:
    """Return the number of unread notices for the side bar; empty if there are none."""
    count = notifications.unread_notice_count(request.user) if request.user.is_authenticated else 0
    return "99+" if count > 99 else str(count or "")


def notices_page(request: HttpRequest) -> HttpResponse:
    """Show the latest notices; POST marks them as read or saves the switches."""
    if request.method == "POST":
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
            "switches": switches,
            "has_unread": any(notice.read_at is None for notice in notices),
        },
    )
