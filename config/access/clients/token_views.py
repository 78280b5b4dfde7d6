"""The page of the user's own tokens: creation, the single display of a new one, revocation."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from config.access import sessions
from config.access.clients import tokens
from config.access.clients.offered_rights import RightsField
from config.access.models import ApiToken
from people.core.errors import RejectedError

LIVES = (7, 30, 90, 366)


class TokenForm(forms.Form):
    """Name, lifetime and rights of a new token."""

    name = forms.CharField(
        label=gettext_lazy("What is it for?"), max_length=150, widget=forms.TextInput({"class": "ca-input"})
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("It ends after"),
        coerce=int,
        initial=90,
        widget=forms.Select({"class": "ca-input"}),
        choices=lambda: [(days, ngettext("%(count)s day", "%(count)s days", days) % {"count": days}) for days in LIVES],
    )

    def __init__(self, data: Any, user: Any) -> None:
        super().__init__(data)
        self.fields["rights"] = RightsField(
            user,
            (),
            label=_("Only these permissions"),
            required=False,
            help_text=_("None selected: everything you may do, now and later."),
        )

    @property
    def chosen(self) -> set[str]:
        return set(self["rights"].value() or ())


def tokens_page(request: HttpRequest) -> HttpResponse:
    """Show the tokens with which scripts act as the user; a new one is shown in this response only."""
    user: Any = request.user
    mine = ApiToken.objects.filter(user=user, client=None).order_by("-pk")
    if "revoke" in request.POST:
        token_id = request.POST["revoke"]
        token = get_object_or_404(
            mine, pk=int(token_id) if token_id.isascii() and token_id.isdigit() and len(token_id) < 19 else 0
        )
        tokens.revoke_personal_token(token, user)
        messages.success(request, _("Ended: the token “%(name)s” no longer works.") % {"name": token.name})
        return redirect("tokens")
    is_confirmed = sessions.is_session_confirmed(request)
    if request.method == "POST" and not is_confirmed:
        return redirect(sessions.confirmation_url(user, reverse("tokens")))
    form, issued = TokenForm(request.POST or None, user), None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            issued = tokens.create_personal_token(user, data["name"], data["days"], data["rights"] or None)
        except RejectedError as refusal:
            for problem in refusal.problems:
                place = str(problem.path[0]) if problem.path else ""
                form.add_error(place if place in form.fields else None, str(problem.message))
        else:
            form = TokenForm(None, user)
    return render(
        request,
        "access/tokens.html",
        {
            **admin.site.each_context(request),
            "title": _("My tokens"),
            "tokens": mine,
            "form": form,
            "issued": issued,
            "now": timezone.now(),
            "confirm_at": None if is_confirmed else sessions.confirmation_url(user, reverse("tokens")),
        },
    )
