"""The pages of a web site: adding it in three steps, the line to paste, and whether it works."""

import secrets
from datetime import timedelta
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from activities.admin.source_tabs import SourcePages
from activities.admin.web_forms import site_forms
from activities.forms.site_forms import save_site_forms
from activities.models import EventSource
from activities.sources import editing as source_editing
from activities.sources import recent
from activities.tracking.installation import (
    check_address,
    installation_recipes,
    openable_page,
    script_line,
    site_origins,
)
from people.core.admin.base import OwnPages, add_form_errors, parse_number, require_rights
from people.core.errors import RejectedError
from people.core.permissions import confirmation_redirect

PAGE = "admin:activities_eventsource"
STEPS = ((1, gettext_lazy("Your web site")), (2, gettext_lazy("Consent")), (3, gettext_lazy("Install")))
REFUSED_WITHIN = timedelta(minutes=2)  # a refused request that may be the visit that a check waits for
CONSENTS = (
    (
        EventSource.Consent.GRANTED,
        gettext_lazy("Keep events until the visitor objects"),
        gettext_lazy(
            "Visits count from the first page on. Visitors can object at any time, and a browser that asks not to be "
            "tracked isn't."
        ),
    ),
    (
        EventSource.Consent.DENIED,
        gettext_lazy("Keep nothing until the visitor consents"),
        gettext_lazy(
            "For sites with a cookie banner. Nothing is sent or stored until your banner calls "
            "customActivities.consent({analytics: true})."
        ),
    ),
)


class WebsiteForm(forms.Form):
    """The answers of the first two steps."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        required=False,
        max_length=255,
        widget=forms.TextInput({"class": "ca-input", "autofocus": True}),
        help_text=gettext_lazy("Only your team sees it."),
    )
    address = forms.CharField(
        label=gettext_lazy("Address"),
        required=False,
        max_length=2_000,
        widget=forms.TextInput({"class": "ca-input", "placeholder": "www.example.com", "inputmode": "url"}),
        help_text=gettext_lazy("As you type it into the browser. More addresses can be added later."),
    )
    consent = forms.ChoiceField(
        choices=EventSource.Consent.choices, required=False, initial=EventSource.Consent.GRANTED
    )

    def first_step_problems(self) -> bool:
        """Check name and address, adding problems to their fields; true if there are any."""
        self.is_valid()
        if "name" not in self.errors and not self.cleaned_data["name"].strip():
            self.add_error("name", _("Give the web site a name."))
        if "address" not in self.errors and not site_origins(self.cleaned_data["address"]):
            self.add_error(
                "address", _("This isn't the address of a web site. Expected something like www.example.com.")
            )
        return bool({"name", "address"} & set(self.errors))


class WebsitePages(SourcePages):
    """The pages that only web sites have, for the admin of event sources."""

    def own_pages(self) -> OwnPages:
        return [
            ("website/", self.add_website, "website"),
            ("<int:pk>/install/", require_safe(self.install_page), "install"),
            ("<int:pk>/forms/", self.forms_page, "forms"),
            ("<int:pk>/check/<slug:nonce>/", require_safe(self.check_fragment), "check"),
            *super().own_pages(),
        ]

    def add_website(self, request: HttpRequest) -> HttpResponse:
        """The wizard of a new web site: address, then consent; then it is created, and its code to paste shown.

        The page carries the answers, so that going back loses nothing and needs no script.
        """
        require_rights(request, source_editing.ADD)
        if confirmation := confirmation_redirect(request):
            return confirmation
        if request.method != "POST":
            return self._step(request, 1, WebsiteForm())
        form, action = WebsiteForm(request.POST), request.POST.get("go", "save")
        if action == "1":
            return self._step(request, 1, WebsiteForm(initial=request.POST.dict()))
        if form.first_step_problems():
            return self._step(request, 1, form)
        if action == "2" or form.errors:
            return self._step(request, 2, form)
        try:
            issued = source_editing.create_source(
                form.cleaned_data["name"],
                EventSource.Kind.BROWSER,
                request.user,
                origins=site_origins(form.cleaned_data["address"]),
                consent=form.cleaned_data["consent"] or EventSource.Consent.GRANTED,
            )
        except RejectedError as refusal:
            add_form_errors(form, refusal, {"origins": "address"})
            return self._step(request, 1, form)
        response = self._install(request, issued.key.source, steps=STEPS, identity_secret=issued.identity_secret)
        response["Cache-Control"] = "no-store"
        return response

    def install_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The line to paste, with recipes, and the check that it works."""
        return self._install(request, self._find_website(request, pk))

    def forms_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The forms of the site that the script reads, and which of their fields; POST saves them."""
        if request.method == "POST":
            require_rights(request, source_editing.CHANGE)
        website = self._find_website(request, pk)
        may_change = request.user.has_perm(source_editing.CHANGE)
        blocks = site_forms.stored_blocks(website)
        if request.method == "POST":
            sent = site_forms.sent_blocks(request.POST)
            done = _("Saved. Pages read it within five minutes.")
            saved = self.try_verb(
                request, lambda: save_site_forms(website, site_forms.form_specs(sent), request.user), done
            )
            if saved is not None:
                return redirect(f"{PAGE}_forms", pk)
            blocks = site_forms.with_blanks(sent)
        return self.source_tab(
            request, website, "forms", "website_forms", may_change=may_change, **site_forms.page_context(blocks)
        )

    def check_fragment(self, request: HttpRequest, pk: int, nonce: str) -> HttpResponse:
        """The result of the check with this nonce so far; the page requests it repeatedly until there is one."""
        website = self._find_website(request, pk)
        event = recent.find_checked_event(website.pk, nonce)
        tries = parse_number(request.GET.get("tries"))
        refused = None if event else recent.last_refused_request(website.pk, REFUSED_WITHIN)
        context = {"eventsource": website, "event": event, "refused": refused, "nonce": nonce, "tries": tries + 1}
        return render(request, "activities/_website_check.html", context)

    def _step(self, request: HttpRequest, step: int, form: WebsiteForm) -> HttpResponse:
        names = ("name", "address") if step == 1 else ()
        return self.page(
            request,
            "website_new",
            _("Add a web site"),
            form=form,
            step=step,
            steps=STEPS,
            questions=[form[name] for name in names],
            consents=CONSENTS,
            consent=form["consent"].value() or EventSource.Consent.GRANTED,
        )

    def _install(self, request: HttpRequest, website: EventSource, **context: Any) -> HttpResponse:
        nonce, page = secrets.token_hex(12), openable_page(website)
        return self.source_tab(
            request,
            website,
            "install",
            "website_install",
            line=script_line(website),
            recipes=installation_recipes(website),
            nonce=nonce,
            page_address=check_address(page, nonce) if page else "",
            origin=page,
            tries=0,
            **context,
        )

    def _find_website(self, request: HttpRequest, pk: int) -> EventSource:
        source = self.find_source(request, pk)
        if not source.is_browser:
            raise Http404
        return source
