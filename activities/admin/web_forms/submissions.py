"""The pages of a form's submissions: their list by state, each one, and decisions about it."""

from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from activities.admin.web_forms.checking_in import sent_values
from activities.forms import export_kind, moderation
from activities.forms.fields import form_inputs
from activities.forms.submitting import RECORD
from activities.models import Form, FormSubmission
from people.core.admin.base import OwnPages, PagesAdmin, parse_number, require_rights, state_badge
from people.core.source import Channel
from people.datatypes.keys import MAX_BIG_ID
from people.files.exports import jobs as export_jobs
from people.models import Person
from people.rights import VIEW_PERSON

PAGE = "admin:activities_form"
SHOWN = 50
State = FormSubmission.State
BADGES = {State.RECORDED: "good", State.HELD: "wait", State.SPAM: "bad"}
MOST_COLUMNS = 4  # values beside the email address in the list; all are on the page of one


class SubmissionPages(PagesAdmin):
    """The pages of submissions, for the admin of forms."""

    if TYPE_CHECKING:

        def find_form(self, request: HttpRequest, pk: int) -> Form: ...

        def form_tab(self, request: HttpRequest, web_form: Form, tab: str, **context: Any) -> HttpResponse: ...

    def submission_pages(self) -> OwnPages:
        return [
            ("<int:pk>/submissions/", require_safe(self.submissions_page), "submissions"),
            ("<int:pk>/submissions/export/", require_POST(self.export_submissions), "export"),
            ("<int:pk>/device/", require_safe(self.device_page), "device"),
            ("<int:pk>/submissions/<int:number>/", require_safe(self.submission_page), "submission"),
            ("<int:pk>/submissions/<int:number>/<slug:verb>/", require_POST(self.decide), "decide"),
        ]

    def may_see(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perms([moderation.VIEW, VIEW_PERSON]))

    def submissions_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The newest submissions of one state, fifty a page; the next page begins after the last id."""
        web_form = self._find(request, pk)
        state = request.GET.get("state", "")
        before = parse_number(request.GET.get("before")) or MAX_BIG_ID
        rows = web_form.submissions.filter(pk__lt=min(before, MAX_BIG_ID)).order_by("-pk")
        rows = rows.filter(state=state) if state in State.values else rows.exclude(state=State.SPAM)
        page = list(rows[: SHOWN + 1])
        columns = [entry for entry in form_inputs(web_form) if entry.name != "email"][:MOST_COLUMNS]
        return self.form_tab(
            request,
            web_form,
            "submissions",
            rows=[(row, _badge(row), [row.values.get(entry.name, "") for entry in columns]) for row in page[:SHOWN]],
            columns=columns,
            next_page=page[SHOWN - 1].pk if len(page) > SHOWN else None,
            state=state,
            before=request.GET.get("before"),
            spam=0 if page or state else _count_spam(web_form),
            states=[("", _("All but spam")), *State.choices],
            may_export=request.user.has_perms(export_kind.RIGHTS),
        )

    def device_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page on which a script shows the submissions kept in this browser; the response contains none."""
        web_form = self._find(request, pk)
        title = _("Forms on this device")
        return self.page(request, "web_form_device", title, web_form=web_form, original=web_form)

    def submission_page(self, request: HttpRequest, pk: int, number: int) -> HttpResponse:
        """One submission: what was typed, from where, and its result."""
        web_form = self._find(request, pk)
        row = _find_submission(web_form, number)
        return self.form_tab(
            request,
            web_form,
            "submission",
            row=row,
            state_badge=_badge(row),
            values=sent_values(row),
            reason=moderation.reason_words(row),
            person=Person.objects.filter(pk=row.person_id).first() if row.person_id else None,
            may_change=request.user.has_perm(moderation.CHANGE),
            may_record=request.user.has_perm(RECORD),
        )

    def decide(self, request: HttpRequest, pk: int, number: int, verb: str) -> HttpResponse:
        """Mark a submission as spam, or record it after all: as history, or as a new one."""
        web_form = self._find(request, pk)
        row, by = _find_submission(web_form, number), request.user
        if verb == "spam":
            self.try_verb(request, lambda: moderation.mark_as_spam(row, by), _("Marked as spam."))
        elif verb in ("record", "record-as-new"):
            as_new = verb == "record-as-new"
            done = _("Recorded.") if as_new else _("Recorded at its own time. No campaign starts.")
            self.try_verb(request, lambda: moderation.restore_submission(row, by, as_new=as_new), done)
        else:
            raise Http404
        return redirect(f"{PAGE}_submission", pk, number)

    def export_submissions(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Begin an export of what the list shows, safe for spreadsheets."""
        web_form = self._find(request, pk)
        require_rights(request, *export_kind.RIGHTS)
        state = request.POST.get("state", "")
        parameters = {"form": web_form.pk, "excel_safe": True, **({"state": state} if state in State.values else {})}

        def begin() -> Any:
            export = export_jobs.create_export(
                export_kind.NAME, parameters, request.user, Channel.ADMIN, format="csv", title=web_form.name
            )
            export_jobs.enqueue_export(export)
            return export

        export = self.try_verb(request, begin)
        return redirect("admin:people_export_change", export.pk) if export else redirect(f"{PAGE}_submissions", pk)

    def _find(self, request: HttpRequest, pk: int) -> Form:
        require_rights(request, moderation.VIEW, VIEW_PERSON)
        return self.find_form(request, pk)


def _count_spam(web_form: Form) -> int:
    """The number of submissions that are spam, at most 1,000."""
    return web_form.submissions.filter(state=State.SPAM)[:1000].count()


def _badge(row: FormSubmission) -> str:
    return state_badge(row.get_state_display(), BADGES[State(row.state)])


def _find_submission(web_form: Form, number: int) -> FormSubmission:
    rows = web_form.submissions.select_related("consent", "user", "form")
    return get_object_or_404(rows, pk=min(number, MAX_BIG_ID))
