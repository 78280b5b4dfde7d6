"""The page that requests help from users with a right that the reader lacks."""

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from config.access.clients import offered_rights
from config.access.users import asking
from people.core.errors import RejectedError


def help_page(request: HttpRequest) -> HttpResponse:
    """Show the holders of `right`, which the reader lacks at the page `path`; POST notifies them.

    `right` counts only with the key of the page that named it to the reader; else the right of the page at `path` does.
    """
    parameters = request.POST if request.method == "POST" else request.GET
    path = parameters.get("path", "")[: asking.MAX_PATH].partition("?")[0]
    named = asking.verified_right(request.user, parameters.get("right", "")[:150], path, parameters.get("key", ""))
    right = asking.right_for_page(path, named)
    if request.method == "POST":
        try:
            notified = asking.request_help(request.user, right, path)
        except RejectedError as refusal:
            messages.error(request, refusal.problems[0].message)
        else:
            if notified:
                messages.success(request, _("Asked: %(names)s") % {"names": asking.names_in_words(notified)})
            else:
                messages.warning(request, _("Nobody else here can do this."))
    context = {
        **admin.site.each_context(request),
        "title": _("Ask someone who can"),
        "right": right,
        "what": offered_rights.right_labels([right]).get(right, ""),
        "holders": asking.names_in_words(asking.users_with_right(right, request.user)),
        "path": path,
        "key": asking.help_key(request.user, right, path),
        "is_asked": request.method == "POST",
    }
    return render(request, "access/ask.html", context)
