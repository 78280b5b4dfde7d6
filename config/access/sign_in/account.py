"""The user's own account page (password, second step, sessions), and an administrator's page of another user's."""

from typing import Any
from urllib.parse import urlencode

from allauth.account.views import reauthenticate
from allauth.mfa.base.views import authenticate as second_step
from allauth.mfa.base.views import reauthenticate as reauthenticate_by_code
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from django.views.generic import RedirectView

from config.access import resuming, sessions
from config.access.clients import tokens
from config.access.rights import CHANGE_USER
from config.access.sign_in import mfa
from config.access.sign_in import views as sign_in_views
from config.access.users import own_account
from config.access.users.forms import AccountForm
from people.core.errors import RejectedError


@login_required
def account_page(request: HttpRequest) -> HttpResponse:
    """Show the user's own settings and sessions; POST saves the details, or ends sessions."""
    user: Any = request.user
    is_saved = "details" in request.POST
    if request.method == "POST" and not is_saved:
        return _end_sessions(request, user, "mfa_index")
    form = AccountForm(request.POST if is_saved else None, user=user)
    if is_saved and form.is_valid() and (reply := _save_details(request, user, form)) is not None:
        return reply
    own = list(Authenticator.objects.filter(user=user).order_by("pk"))
    by_type = {authenticator.type: authenticator for authenticator in own}
    codes = by_type.get(Authenticator.Type.RECOVERY_CODES)
    return render(
        request,
        "access/account.html",
        {
            "title": _("Your account"),
            "form": form,
            "token_count": user.api_tokens.filter(client=None).count(),
            "roles": user.groups.order_by("name"),
            "has_factor": mfa.has_second_step(user),
            "is_required": mfa.is_second_step_required(user),
            "totp": by_type.get(Authenticator.Type.TOTP),
            "passkeys": [factor for factor in own if factor.type == Authenticator.Type.WEBAUTHN],
            "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
            "signed_in": sessions.sessions_of(user, request.session.session_key),
        },
    )


def _save_details(request: HttpRequest, user: Any, form: AccountForm) -> HttpResponse | None:
    """Save what counts at once, and send the link that confirms a new address.

    Returns None, with the problem in the form and nothing saved, when the address cannot be requested.
    """
    data, change = form.cleaned_data, None
    is_confirmed = sessions.is_session_confirmed(request)
    if data["email"] != user.email and is_confirmed:
        try:
            change = own_account.request_address(user, data["email"])
        except RejectedError as refusal:
            form.show(refusal.problems)
            return None
    own_account.change_own_details(user, **{name: data[name] for name in own_account.FIELDS})
    reply = redirect("mfa_index")
    if data["language"]:
        translation.activate(data["language"])
        reply.set_cookie(settings.LANGUAGE_COOKIE_NAME, data["language"])
    elif user.language:
        reply.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
    if data["email"] == user.email:
        messages.success(request, _("Saved."))
        return reply
    if change is None:
        messages.warning(request, _("The rest is saved. Confirm that it is you, then change your email again."))
        reply["Location"] = sessions.confirmation_url(user, reverse("mfa_index"))
        return reply
    link = request.build_absolute_uri(f"{reverse('confirm-address')}?{urlencode({'token': change.token})}")
    if own_account.mail_confirmation(change, link):
        messages.success(request, _("Saved. Open the link that we sent to %(email)s.") % {"email": change.email})
    else:
        messages.error(
            request, _("The rest is saved, but no email could be sent to %(email)s.") % {"email": change.email}
        )
    return reply


@login_required
@never_cache
def confirm_address_page(request: HttpRequest) -> HttpResponse:
    """The page that the link to a new address leads to; POST makes it the user's."""
    user: Any = request.user
    token = (request.POST if request.method == "POST" else request.GET).get("token", "")[:1000]
    change, problem = None, ""
    try:
        change = own_account.read_change(user, token)
        if request.method == "POST":
            own_account.confirm_address(user, token)
            messages.success(request, _("Your email is %(email)s now.") % {"email": change.email})
            return redirect("mfa_index")
    except RejectedError as refusal:
        problem = str(refusal)
    context = {"title": _("Confirm your email"), "change": change, "problem": problem, "token": token}
    return render(request, "access/confirm_address.html", context, status=400 if problem else 200)


@login_required
@never_cache
@require_GET
def confirmed_post_page(request: HttpRequest) -> HttpResponse:
    """The page with the data sent before the confirmation, to be sent now; shown once."""
    if confirmation := sessions.confirmation_redirect(request):
        return confirmation
    kept = resuming.take_post(request)
    return render(request, "access/resume.html", {"title": _("Send it now?"), "kept": kept})


def user_sign_in_page(request: HttpRequest, user_id: int) -> HttpResponse:
    """Show another user's sessions to an administrator, who can end them and reset the second step."""
    if not request.user.has_perm(CHANGE_USER):
        raise PermissionDenied(CHANGE_USER)
    user: Any = get_object_or_404(get_user_model(), pk=user_id, is_api_only=False)
    if not admin.site._registry[type(user)].has_change_permission(request, user):
        raise PermissionDenied
    if request.method == "POST" and "reset" in request.POST:
        if confirmation := sessions.confirmation_redirect(request):
            return confirmation
        mfa.reset_second_step(user, request.user)
        messages.success(request, _("The second step was reset and every session ended."))
        return redirect("admin:access_user_sign_in", user_id)
    if "revoke" in request.POST:
        token_id = request.POST["revoke"]
        pk = int(token_id) if token_id.isascii() and token_id.isdigit() and len(token_id) < 19 else 0
        tokens.revoke_personal_token(get_object_or_404(user.api_tokens.filter(client=None), pk=pk), request.user)
        return redirect("admin:access_user_sign_in", user_id)
    if request.method == "POST":
        return _end_sessions(request, user, "admin:access_user_sign_in", user_id)
    name = {"name": user.get_username()}
    return render(
        request,
        "access/user_sign_in.html",
        {
            **admin.site.each_context(request),
            "title": _("Sign-in of %(name)s") % name,
            "account": user,
            "signed_in": sessions.sessions_of(user),
            "has_factor": mfa.has_second_step(user),
            "ends_all": True,
            "tokens": user.api_tokens.filter(client=None).order_by("-pk"),
        },
    )


def _end_sessions(request: HttpRequest, user: Any, *back: Any) -> HttpResponse:
    name = request.POST.get("end", "")
    ended = sessions.end_sessions(user, request.user, None if name == "all" else [name], request.session.session_key)
    if ended:
        messages.success(request, _("Signed out."))
    return redirect(*back)


def admin_frame_context(request: HttpRequest) -> dict[str, Any]:
    """Context of the admin's frame for pages that allauth renders (a context processor).

    A request refused before its user is read, for example for its host, gets an error page without the frame.
    """
    is_framed = hasattr(request, "user") and request.path.startswith(("/account/", "/admin/login/", "/join/"))
    return {**admin.site.each_context(request), "title": _("Your account")} if is_framed else {}


# The URL names are those that allauth uses. Its other pages are not mounted: there is no sign-up.
ENTRANCE: list[URLPattern] = [
    path("", sign_in_views.page, name="account_login"),
    path("second/", second_step, name="mfa_authenticate"),
    path("passkey/", webauthn.login_webauthn, name="mfa_login_webauthn"),
    path("sso/<str:provider_id>/", openid_connect.login, name="openid_connect_login"),
    path("sso/<str:provider_id>/back/", openid_connect.callback, name="openid_connect_callback"),
]
ACCOUNT: list[URLPattern] = [
    path("", account_page, name="mfa_index"),
    path("email/", confirm_address_page, name="confirm-address"),
    path("confirm/done/", confirmed_post_page, name="confirmed-post"),
    path("confirm/", reauthenticate, name="account_reauthenticate"),
    path("confirm/code/", reauthenticate_by_code, name="mfa_reauthenticate"),
    path("confirm/passkey/", webauthn.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("app/", totp.activate_totp, name="mfa_activate_totp"),
    path("app/remove/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("codes/new/", recovery_codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("codes/download/", recovery_codes.download_recovery_codes, name="mfa_download_recovery_codes"),
    path("passkeys/", login_required(RedirectView.as_view(pattern_name="mfa_index")), name="mfa_list_webauthn"),
    path("passkeys/add/", webauthn.add_webauthn, name="mfa_add_webauthn"),
    path("passkeys/<int:pk>/remove/", webauthn.remove_webauthn, name="mfa_remove_webauthn"),
]
