"""The menu of languages: what it chooses is kept in the browser, and for the user who is signed in."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.i18n import set_language

from config.access.users import own_account


def choose_language(request: HttpRequest) -> HttpResponse:
    """Set the cookie as Django's view does, and the language of the signed-in user, which counts for more."""
    response = set_language(request)
    language = request.POST.get("language", "")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        own_account.change_own_details(request.user, language=language)
    return response
