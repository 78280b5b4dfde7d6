"""The pages that check people in at a form's event: by the code that a phone has scanned, or by the email address."""

from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from activities.forms import check_in, codes, moderation
from activities.models import Form, FormSubmission
from activities.qr_codes import svg_code
from people import lookup as people_lookup
from people.core.admin.base import OwnPages, PagesAdmin, request_source, require_rights
from people.datatypes.keys import MAX_ID
from people.fields.catalog import field_catalogue
from people.models import Person
from people.rights import VIEW_PERSON

PAGE = "admin:activities_form"
RIGHTS = (check_in.RIGHT, VIEW_PERSON)
MAX_EMAIL = 255


class CheckInPages(PagesAdmin):
    """The pages of checking in, for the admin of forms."""

    if TYPE_CHECKING:

        def find_form(self, request: HttpRequest, pk: int) -> Form: ...

    def check_in_pages(self) -> OwnPages:
        return [
            ("<int:pk>/check-in/", self.check_in_page, "check_in"),
            ("<int:pk>/check-in/<str:token>/", self.check_in_person, "check_in_person"),
            ("<int:pk>/code/<int:person_id>/", require_safe(self.code_page), "code"),
        ]

    def check_in_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Find a person without a code by the email address."""
        web_form = self._event(request, pk)
        email, error = "", ""
        if request.method == "POST":
            email = request.POST.get("email", "").strip()[:MAX_EMAIL]
            ids = next(iter(people_lookup.person_ids_by_field("email", [email]).values()), []) if email else []
            if len(ids) == 1:
                return redirect(f"{PAGE}_check_in_person", pk, codes.person_token(web_form, ids[0]))
            error = _("Several people have this address.") if ids else _("Nobody has this address.")
        return self._page(request, web_form, _("Check in"), email=email, error=error)

    def check_in_person(self, request: HttpRequest, pk: int, token: str) -> HttpResponse:
        """The page of a code's person, with the values of a submission's code; POST checks the person in."""
        web_form = self._event(request, pk)
        submission = codes.submission_of_code(web_form, token)
        if submission is not None:
            person_id = check_in.person_of_submission(submission)
        else:
            person_id = codes.person_of_token(web_form, token)
        context: dict[str, Any] = {"email": "", "sent": sent_values(submission), "submission": submission}
        if person_id is None:
            context["error"] = _rejection_reason(submission)
            return self._page(request, web_form, _("Check in"), status=404 if submission is None else 200, **context)
        if request.method == "POST":
            source = request_source(request)
            done = self.try_verb(request, lambda: check_in.check_in(web_form, person_id, source, request.user))
            if done is None:
                return redirect(f"{PAGE}_check_in_person", pk, token)
            context["done"] = done
        else:
            context |= {"checked_in_at": check_in.checked_in_at(web_form, person_id), "token": token}
        return self._page(request, web_form, _("Check in"), person=_person(person_id), **context)

    def code_page(self, request: HttpRequest, pk: int, person_id: int) -> HttpResponse:
        """The code of one person, to be printed or sent."""
        web_form = self._event(request, pk)
        person = get_object_or_404(Person.objects.live(), pk=min(person_id, MAX_ID))
        address = codes.check_in_address(
            web_form, codes.person_token(web_form, person.pk), f"{request.scheme}://{request.get_host()}"
        )
        code = mark_safe(svg_code(address))
        return self.page(
            request, "web_form_code", _("Code of %(person)s") % {"person": person}, web_form=web_form,
            original=web_form, person=person, code=code, address=address,
        )  # fmt: skip

    def _event(self, request: HttpRequest, pk: int) -> Form:
        require_rights(request, *RIGHTS)
        web_form = self.find_form(request, pk)
        if not web_form.event:
            raise Http404
        return web_form

    def _page(self, request: HttpRequest, web_form: Form, title: str, **context: Any) -> HttpResponse:
        return self.page(request, "web_form_check_in", title, web_form=web_form, original=web_form, **context)


def _person(person_id: int) -> Person:
    return get_object_or_404(Person, pk=person_id)


def sent_values(submission: FormSubmission | None) -> list[tuple[str, str]]:
    """(label, value) of what was sent; empty for no submission."""
    catalogue = field_catalogue()
    values = submission.values if submission is not None else {}
    return [(catalogue[name].shown_label if name in catalogue else name, value) for name, value in values.items()]


def _rejection_reason(submission: FormSubmission | None) -> str:
    """The reason for rejecting a code, as a sentence."""
    if submission is None:
        return _("This code isn't of this event, or its person was deleted.")
    if submission.state == FormSubmission.State.RECORDED:
        return _("The person of this form was deleted.")
    reason = moderation.reason_words(submission)
    return _("This form wasn't recorded (%(reason)s). Find the person by the email address.") % {"reason": reason}
