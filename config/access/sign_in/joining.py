"""The page behind the link of an invitation: somebody chooses a password, and is in."""

from typing import Any

from allauth.account.utils import perform_login
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from config.access.sign_in import throttling
from config.access.sign_in import views as sign_in_views
from config.access.users import invitations
from config.access.users.forms import JoiningForm
from people.core import installation
from people.core.errors import RejectedError


@sensitive_post_parameters("password")
@never_cache
def join(request: HttpRequest) -> HttpResponse:
    """Show who invites and ask for name and password; POST makes the user and signs them in.

    Guessed links are counted like wrong passwords. The token is a parameter, as access logs keep the path alone.
    """
    token = (request.POST if request.method == "POST" else request.GET).get("invitation", "")[:100]
    if seconds := throttling.seconds_to_wait(request):
        return sign_in_views.too_often(request, 1, seconds, by_address=True)
    found = invitations.find(token)
    if found is None:
        throttling.count_failure(request)
        return render(request, "access/join_over.html", status=404)
    form = JoiningForm(request.POST or None, initial={"name": found.name, "username": found.email})
    if request.method == "POST" and form.is_valid():
        given: Any = form.cleaned_data
        try:
            user = invitations.accept(token, username=given["username"], name=given["name"], password=given["password"])
        except RejectedError as refusal:
            form.show(refusal.problems)
        else:
            logout(request)  # whoever was signed in here before is somebody else
            user.backend = "config.access.backends.EffectiveRightsBackend"
            return perform_login(request, user, redirect_url="/admin/")
    context = {"form": form, "token": token, "invitation": found, "team": installation.current().company}
    return render(request, "access/join.html", context)
