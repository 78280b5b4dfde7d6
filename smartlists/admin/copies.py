"""Pages that copy the members of a smart list to a static list, now or on a schedule."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from people.core.source import Channel, Source
from people.lists import static_lists
from people.models import StaticList
from smartlists.admin.list_pages import run_list_action
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import copies as list_copies
from smartlists.models import SmartList

PERIODS = (
    ("", gettext_lazy("once, now")),
    ("60", gettext_lazy("now and every hour")),
    ("1440", gettext_lazy("now and every day")),
    ("10080", gettext_lazy("now and every week")),
)
WAITED_FOR = 10_000  # members; a job copies more, without blocking the page


@require_POST
def copy_members(request: HttpRequest, pk: int) -> HttpResponse:
    """Add the members to a static list: the one with the typed name, or a new one."""

    def keep(smart_list: SmartList) -> str:
        name, mode = request.POST.get("name", "").strip(), request.POST.get("mode", list_copies.Mode.ADD)
        every = next(
            (int(period) for period, _words in PERIODS if period and period == request.POST.get("every")), None
        )
        members = stored_evaluations.current_or_new_evaluation(smart_list, request.user).count or 0
        static_list = StaticList.objects.filter(name__iexact=name.replace("\0", ""), is_archived=False).first()
        static_list = static_list or static_lists.create_static_list(name, request.user)
        if every is not None or members > WAITED_FOR:
            list_copies.plan_copy(smart_list, static_list, request.user, mode=mode, every_minutes=every)
            return _("“%(name)s” is being filled; its progress is shown below.") % {"name": static_list.name}
        copied = list_copies.copy_members_now(
            smart_list, static_list, Source(Channel.ADMIN, request.user.pk), request.user, mode
        )
        return _result_message(copied, static_list.name)

    return run_list_action(request, pk, "members", keep)


@require_POST
def end_copy(request: HttpRequest, pk: int) -> HttpResponse:
    """End the scheduled copy to a static list."""

    def stop(smart_list: SmartList) -> str:
        copy_text = request.POST.get("copy", "")
        number = int(copy_text) if copy_text.isascii() and copy_text.isdigit() and len(copy_text) < 19 else 0
        copy = smart_list.copies.select_related("static_list", "smart_list").filter(pk=number).first()
        if copy is not None:
            list_copies.end_copy(copy, request.user)
        return _("It is no longer filled; the people on it stay.")

    return run_list_action(request, pk, "members", stop)


def _result_message(copied: list_copies.CopyResult, name: str) -> str:
    joined = ngettext(
        "%(count)s person joined the static list “%(name)s”.",
        "%(count)s people joined the static list “%(name)s”.",
        copied.joined,
    ) % {"count": copied.joined, "name": name}
    if not copied.left:
        return joined
    left = ngettext("%(count)s person left it.", "%(count)s people left it.", copied.left) % {"count": copied.left}
    return f"{joined} {left}"
