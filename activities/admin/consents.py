"""The tab of a person's consents: the current state, the history, and a form to record another one."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.admin.base import show_type_page
from activities.admin.timeline import find_person
from activities.consent.state import EMAIL, GIVEN, consent_history, consents_of_person
from activities.log import rollup
from activities.recording.consents import record_consent
from activities.rights import RECORD_ACTIVITY, VIEW_ACTIVITY
from people.admin.persons import person_actions
from people.core.admin.base import request_source, require_rights
from people.models import Person
from people.rights import VIEW_PERSON

VIEW = (VIEW_ACTIVITY, VIEW_PERSON)
RECORD = RECORD_ACTIVITY
MAX_TEXT = 10_000


class ConsentForm(forms.Form):
    purpose = forms.CharField(
        label=gettext_lazy("Purpose"),
        max_length=255,
        initial=EMAIL,
        help_text=gettext_lazy("“email” also subscribes or unsubscribes the person."),
    )
    state = forms.ChoiceField(
        label=gettext_lazy("What they said"),
        choices=(("given", gettext_lazy("gave consent")), ("withdrawn", gettext_lazy("withdrew consent"))),
    )
    text = forms.CharField(
        label=gettext_lazy("The text they saw"),
        max_length=MAX_TEXT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    text_version = forms.CharField(label=gettext_lazy("Version of the text"), max_length=255, required=False)
    origin = forms.CharField(
        label=gettext_lazy("Where they said it"),
        max_length=255,
        required=False,
        help_text=gettext_lazy("A form, a phone call, a letter"),
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for field in self.fields.values():
            field.widget.attrs["class"] = "ca-input"
        self.fields["purpose"].widget.attrs["list"] = "purposes"
        self.purposes = list(dict.fromkeys([EMAIL, *rollup.suggest_values(GIVEN, "purpose")]))


def show_consents(request: HttpRequest, person_id: int) -> HttpResponse:
    """The consents of one person; in brief as a fragment for the person's details. POST records one."""
    person = find_person(request, person_id, *VIEW)
    form = ConsentForm(request.POST or None)
    if request.method == "POST":
        require_rights(request, RECORD)
        if form.is_valid() and _recorded(request, person, form):
            messages.success(request, _("Recorded."))
            return redirect("admin:activities_consents", person.pk)
    consents = consents_of_person(person.pk)
    if "HX-Request" in request.headers:
        return render(request, "activities/_consents.html", {"person": person, "consents": consents})
    return show_type_page(
        request,
        "consents",
        str(person),
        opts=Person._meta,
        original=person,
        person=person,
        consents=consents,
        history=consent_history(person.pk),
        form=form,
        actions=person_actions(request, person),
    )


def _recorded(request: HttpRequest, person: Person, form: ConsentForm) -> bool:
    values = dict(form.cleaned_data)
    is_given = values.pop("state") == "given"
    outcome = record_consent(person.pk, values.pop("purpose"), request_source(request), is_given=is_given, **values)
    for problem in outcome.problems:
        form.add_error(None, str(problem.message))
    return not outcome.problems
