"""The page behind the link of an invitation: the invited person chooses a password and is signed in."""

from typing import Any

from allauth.account.utils import perform_login
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from config.access import throttling
from config.access.sign_in import views as sign_in_views
from config.access.users import invitations
from config.access.users.forms import JoiningForm
from people.core import installation
from people.core.errors import RejectedError


@sensitive_post_parameters("password")
@never_cache
def join_page(request: HttpRequest) -> HttpResponse:
    """Show the inviting user and a form for name and password; POST creates the user and signs them in.

    Guessed links are counted like wrong passwords. The token is a query parameter: access logs keep the path only.
    """
    token = (request.POST if request.method == "POST" else request.GET).get("invitation", "")[:100]
    if seconds := throttling.seconds_until_next_attempt(request):
        return sign_in_views.too_many_attempts_response(request, 1, seconds, by_address=True)
    invitation = invitations.find_invitation(token)
    if invitation is None:
        throttling.count_failed_attempt(request)
        return render(request, "access/join_over.html", status=404)
    form = JoiningForm(request.POST or None, initial={"name": invitation.name, "username": invitation.email})
    if request.method == "POST" and form.is_valid():
        data: Any = form.cleaned_data
        try:
            user = invitations.accept_invitation(
                token,
                username=data["username"],
                name=data["name"],
                password=data["password"],
                language=get_language() or "",
            )
        except RejectedError as refusal:
            form.show(refusal.problems)
        else:
            logout(request)  # a session of another user may be open in this browser
            user.backend = "config.access.backends.EffectiveRightsBackend"
            return perform_login(request, user, redirect_url="/admin/")
    context = {
        "form": form,
        "token": token,
        "invitation": invitation,
        "team": installation.current_installation().company,
    }
    return render(request, "access/join.html", context)
