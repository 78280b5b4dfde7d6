"""Asking those who may for what one may not do oneself."""

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from config.access.users import asking, rights
from people.core.errors import RejectedError


def page(request: HttpRequest) -> HttpResponse:
    """Who can do what the reader may not (`right`, at the page `path`), and a button that asks them.

    A right counts only with the key of the page that named it to the reader; else it is that of the page at `path`.
    """
    given = request.POST if request.method == "POST" else request.GET
    path = given.get("path", "")[: asking.MAX_PATH].partition("?")[0]
    named = asking.named(request.user, given.get("right", "")[:150], path, given.get("key", ""))
    right = asking.right_of(path, named)
    if request.method == "POST":
        try:
            told = asking.ask(request.user, right, path)
        except RejectedError as refusal:
            messages.error(request, refusal.problems[0].message)
        else:
            if told:
                messages.success(request, _("Asked: %(names)s") % {"names": asking.in_words(told)})
            else:
                messages.warning(request, _("Nobody else here can do this."))
    context = {
        **admin.site.each_context(request),
        "title": _("Ask somebody who can"),
        "right": right,
        "what": rights.names([right]).get(right, ""),
        "holders": asking.in_words(asking.holders(right, request.user)),
        "path": path,
        "key": asking.key(request.user, right, path),
        "is_asked": request.method == "POST",
    }
    return render(request, "access/ask.html", context)
