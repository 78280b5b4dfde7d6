"""Pages that copy the members of a smart list to a static list, now or on a schedule."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from people.core.source import Channel, Source
from people.lists import static_lists
from people.models import StaticList
from smartlists.admin.list_pages import doing
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import copies as list_copies
from smartlists.models import SmartList

PERIODS = (
    ("", gettext_lazy("once, now")),
    ("60", gettext_lazy("now and every hour")),
    ("1440", gettext_lazy("now and every day")),
    ("10080", gettext_lazy("now and every week")),
)
WAITED_FOR = 10_000  # members; more are copied by a job while the page goes on


@require_POST
def put(request: HttpRequest, pk: int) -> HttpResponse:
    """Put the members on a static list: the one of the name that was typed, or a new one."""

    def keep(smart_list: SmartList) -> str:
        name, mode = request.POST.get("name", "").strip(), request.POST.get("mode", list_copies.Mode.ADD)
        every = next(
            (int(period) for period, _words in PERIODS if period and period == request.POST.get("every")), None
        )
        members = stored_evaluations.shown(smart_list, request.user).count or 0
        kept = StaticList.objects.filter(name__iexact=name.replace("\0", ""), is_archived=False).first()
        kept = kept or static_lists.create(name, request.user)
        if every is not None or members > WAITED_FOR:
            list_copies.plan(smart_list, kept, request.user, mode=mode, every_minutes=every)
            return _("“%(name)s” is being filled; how far it is stands below.") % {"name": kept.name}
        done = list_copies.put_into(smart_list, kept, Source(Channel.ADMIN, request.user.pk), request.user, mode)
        return _said(done, kept.name)

    return doing(request, pk, "members", keep)


@require_POST
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """Fill the static list no more."""

    def stop(smart_list: SmartList) -> str:
        given = request.POST.get("copy", "")
        number = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0
        found = smart_list.copies.select_related("static_list", "smart_list").filter(pk=number).first()
        if found is not None:
            list_copies.end(found, request.user)
        return _("It is not filled any more; the people on it stay.")

    return doing(request, pk, "members", stop)


def _said(done: list_copies.Copied, name: str) -> str:
    joined = ngettext(
        "%(count)s person joined the static list “%(name)s”.",
        "%(count)s people joined the static list “%(name)s”.",
        done.joined,
    ) % {"count": done.joined, "name": name}
    if not done.left:
        return joined
    left = ngettext("%(count)s person left it.", "%(count)s people left it.", done.left) % {"count": done.left}
    return f"{joined} {left}"
