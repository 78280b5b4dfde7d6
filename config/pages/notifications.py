"""The page of notices: what somebody should know of, and where each kind goes."""

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from people.core import notifications
from people.core.notifications import KINDS, Notice, NoticeSwitch

SHOWN = 100


def page(request: HttpRequest) -> HttpResponse:
    """The latest notices; buttons mark them as read and keep the switches."""
    if request.method == "POST":
        if "switches" in request.POST:
            wanted = {kind: (f"in_{kind}" in request.POST, f"mail_{kind}" in request.POST) for kind in KINDS}
            notifications.switch(request.user, wanted)
            messages.success(request, _("Saved."))
        else:
            notifications.read(request.user)
        return redirect("notices")
    kept = {one.kind: one for one in NoticeSwitch.objects.filter(user=request.user.pk)}
    switches = [(kind, KINDS[kind], kept.get(kind) or NoticeSwitch(kind=kind)) for kind in KINDS]
    found = list(Notice.objects.filter(user=request.user.pk, is_shown=True)[:SHOWN])
    return render(
        request,
        "config/notices.html",
        {
            **admin.site.each_context(request),
            "title": _("Notifications"),
            "found": found,
            "switches": switches,
            "has_unread": any(notice.read_at is None for notice in found),
        },
    )
