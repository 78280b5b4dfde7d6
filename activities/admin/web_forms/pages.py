"""The pages of forms: their list, the editor, and the ways to put one in front of people."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from activities.admin.web_forms import settings_form
from activities.admin.web_forms.checking_in import CheckInPages
from activities.admin.web_forms.settings_form import SettingsForm
from activities.admin.web_forms.submissions import SubmissionPages
from activities.forms import editing, kiosk_links, sharing
from activities.models import Form
from activities.qr_codes import svg_code
from people.core.admin.base import OwnPages, parse_number, require_rights, state_badge, tabs_of
from people.core.admin.object_actions import MenuAction, action_menu
from people.core.admin.pagination import UncountedPaginator
from people.core.errors import RejectedError
from people.core.permissions import confirmation_redirect
from people.datatypes.keys import MAX_BIG_ID
from people.templatetags.moments import moment

PAGE = "admin:activities_form"
TABS: tuple[tuple[str, Any, str], ...] = (
    ("settings", gettext_lazy("Settings"), "change"),
    ("share", gettext_lazy("Share"), "share"),
    ("submissions", gettext_lazy("Submissions"), "submissions"),
)
SWITCHES = {
    "archive": (editing.archive_form, gettext_lazy("Archived. The form no longer accepts anything.")),
    "reopen": (editing.reopen_form, gettext_lazy("The form is open again.")),
}


@admin.register(Form)
class FormAdmin(CheckInPages, SubmissionPages):
    nothing_yet = gettext_lazy(
        "A form asks people for what you want to know. Put it on your site, share its page, or use it at a trade show."
    )
    list_display = ("name", "badge", "event", "changed")
    search_fields = ("name",)
    list_filter = ("is_archived",)
    ordering = ("name",)
    paginator = UncountedPaginator

    def own_pages(self) -> OwnPages:
        return [
            ("add/", self.add_page, "add"),
            ("<int:pk>/share/", require_safe(self.share_page), "share"),
            ("<int:pk>/kiosk/", require_safe(self.kiosk_page), "kiosk"),
            ("<int:pk>/do/<slug:verb>/", require_POST(self.run_action), "do"),
            *self.submission_pages(),
            *self.check_in_pages(),
        ]

    @admin.display(description=gettext_lazy("State"), ordering="is_archived")
    def badge(self, form: Form) -> str:
        return state_badge(_("Archived")) if form.is_archived else state_badge(_("Open"), "good")

    @admin.display(description=gettext_lazy("Changed"), ordering="updated_at")
    def changed(self, form: Form) -> str:
        return moment(form.updated_at)

    def add_page(self, request: HttpRequest) -> HttpResponse:
        """The editor of a new form."""
        require_rights(request, editing.ADD)
        return self._edit(request, None)

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The settings of a form; to be changed by those who may."""
        return self._edit(request, self.find_form(request, pk))

    def share_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Address, QR code, HTML to paste, and the ways to check people in."""
        web_form = self.find_form(request, pk)
        site = f"{request.scheme}://{request.get_host()}"
        address = sharing.page_address(web_form, site)
        return self.form_tab(
            request,
            web_form,
            "share",
            address=address,
            code=mark_safe(svg_code(address)),
            html=sharing.html_form(web_form, site),
            may_change=request.user.has_perm(editing.CHANGE),
            may_see=self.may_see(request),
        )

    def kiosk_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The link of the kiosk, which is a secret: for those who confirmed who they are."""
        web_form = self.find_form(request, pk)
        require_rights(request, editing.CHANGE)
        if confirmation := confirmation_redirect(request):
            return confirmation
        context: dict[str, Any] = {"error": ""}
        try:
            context["kiosk"] = kiosk_links.kiosk_address(web_form, f"{request.scheme}://{request.get_host()}")
        except RejectedError as refusal:
            context["error"] = str(refusal)
        response = self.page(request, "web_form_kiosk", _("Kiosk"), web_form=web_form, original=web_form, **context)
        response["Cache-Control"] = "no-store"
        return response

    def run_action(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Archive, reopen or delete a form, or give its kiosk another address."""
        web_form, by = self.find_form(request, pk), request.user
        if verb == "renew-kiosk":
            back = reverse(f"{PAGE}_kiosk", args=[pk])
            if confirmation := confirmation_redirect(request, back):
                return confirmation
            done = _("The kiosk has a new link. The old one no longer works.")
            self.try_verb(request, lambda: editing.renew_kiosk_link(web_form, by), done)
            return redirect(back)
        elif verb == "delete":
            if self.try_verb(request, lambda: editing.delete_form(web_form, by), _("Deleted.")):
                return redirect(f"{PAGE}_changelist")
        else:
            self.try_listed_verb(request, SWITCHES, verb, web_form)
        return redirect(f"{PAGE}_change", pk)

    def find_form(self, request: HttpRequest, pk: int) -> Form:
        require_rights(request, editing.VIEW)
        forms = Form.objects.select_related("consent", "website")
        web_form: Form = get_object_or_404(forms, pk=min(pk, MAX_BIG_ID))
        return web_form

    def form_tab(self, request: HttpRequest, web_form: Form, tab: str, **context: Any) -> HttpResponse:
        """One tab of the page of a form."""
        tabs = [entry for entry in tabs_of(web_form, TABS) if entry[0] != "submissions" or self.may_see(request)]
        return self.page(
            request,
            f"web_form_{tab}",
            web_form.name,
            web_form=web_form,
            original=web_form,
            badge=self.badge(web_form),
            tabs=tabs,
            tab=tab,
            actions=self._actions(request, web_form),
            **context,
        )

    def _actions(self, request: HttpRequest, web_form: Form) -> list[MenuAction]:
        if not request.user.has_perm(editing.CHANGE):
            return []
        return action_menu(
            archive=_action(web_form, "reopen" if web_form.is_archived else "archive"), is_archived=web_form.is_archived
        )

    def _edit(self, request: HttpRequest, web_form: Form | None) -> HttpResponse:
        form = SettingsForm(request.POST or None, web_form)
        rows = (
            settings_form.sent_rows(request.POST) if request.method == "POST" else settings_form.stored_rows(web_form)
        )
        if request.method == "POST":
            require_rights(request, editing.CHANGE if web_form else editing.ADD)
            if form.is_valid():
                values = form.values(web_form) | {"fields": settings_form.chosen_fields(rows)}
                if editing.needs_confirmation(web_form, values) and (confirmation := confirmation_redirect(request)):
                    return confirmation
                if saved := self._saved(request, web_form, form, values):
                    return redirect(f"{PAGE}_change" if web_form else f"{PAGE}_share", saved.pk)
        context = {
            "form": form,
            "rows": rows,
            "choices": settings_form.field_choices(),
            "may_change": request.user.has_perm(editing.CHANGE if web_form else editing.ADD),
            "status": 422 if form.errors else 200,
        }
        if web_form is None:
            return self.page(request, "web_form_settings", _("New form"), original=None, **context)
        return self.form_tab(
            request,
            web_form,
            "settings",
            revision=request.POST.get("revision", web_form.revision),
            may_delete=request.user.has_perm(editing.DELETE) and not web_form.submissions.exists(),
            **context,
        )

    def _saved(
        self, request: HttpRequest, web_form: Form | None, form: SettingsForm, values: dict[str, Any]
    ) -> Form | None:
        try:
            if web_form is None:
                saved = editing.create_form(values.pop("name"), request.user, **values)
            else:
                revision = parse_number(request.POST.get("revision", ""), web_form.revision)
                saved = editing.change_form(web_form, request.user, expected_revision=revision, **values)
        except RejectedError as refusal:
            form.show(refusal)
            return None
        messages.success(request, _("Saved. It takes effect at once."))
        return saved


def _action(web_form: Form, verb: str) -> str:
    return reverse(f"{PAGE}_do", args=[web_form.pk, verb])
