"""The setup page at the first administrator's first visit: settings of the installation, with or without demo."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import get_user_model, password_validation, update_session_auth_hash
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from config import demo
from config.access.sessions import signed_in_user
from config.access.sign_in import passwords
from config.demo import manifest as demo_manifest
from people.admin.installation import InstallationForm
from people.core import installation
from people.core.models import Installation

_INPUT = {"class": "ca-input"}


class SetupForm(InstallationForm):
    username = forms.CharField(label=gettext_lazy("User name"), max_length=150)
    password = forms.CharField(
        label=gettext_lazy("New password"),
        required=False,
        strip=False,
        help_text=gettext_lazy("Leave empty to keep the one you signed in with."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    with_demo = forms.TypedChoiceField(
        label=gettext_lazy("Start with"),
        coerce=lambda chosen: chosen == "demo",
        widget=forms.RadioSelect,
        choices=[
            ("demo", gettext_lazy("Demo data: people, activity types and a year of activities; can be removed later")),
            ("empty", gettext_lazy("An empty installation")),
        ],
    )

    def __init__(self, *args: Any, user: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.user = user
        if user.must_change_password:
            self.fields["password"].required = True
            self.fields["password"].help_text = gettext_lazy("Choose a new password.")
        for field in self.fields.values():
            field.widget.attrs.update({} if isinstance(field.widget, forms.RadioSelect) else _INPUT)

    def clean_username(self) -> str:
        name = self.cleaned_data["username"].strip()
        get_user_model().username_validator(name)
        if get_user_model().objects.filter(username__iexact=name).exclude(pk=self.user.pk).exists():
            raise ValidationError(_("There is already a user of that name."))
        return name

    def clean_password(self) -> str:
        password = self.cleaned_data["password"]
        if password:
            password_validation.validate_password(password, self.user)
        return password


def setup_page(request: HttpRequest) -> HttpResponse:
    """Show and apply the form once; later the same settings are on the page of the installation."""
    if not request.user.is_superuser:
        raise PermissionDenied
    if installation.is_installation_set_up():
        return redirect("admin:index")
    initial = {
        "username": request.user.get_username(),
        "language": get_language(),
        "with_demo": "demo" if demo_manifest.current_manifest() else "empty",
    }
    form = SetupForm(request.POST or None, instance=Installation(), initial=initial, user=request.user)
    if request.method == "POST" and form.is_valid():
        _set_up(request, form)
        messages.success(request, _("This installation is set up."))
        reply = redirect("admin:index")
        reply.set_cookie(settings.LANGUAGE_COOKIE_NAME, form.cleaned_data["language"])
        return reply
    return render(
        request,
        "config/setup.html",
        {**admin.site.each_context(request), "title": _("Set up this installation"), "form": form},
    )


@transaction.atomic
def _set_up(request: HttpRequest, form: SetupForm) -> None:
    chosen, user = form.cleaned_data, signed_in_user(request)
    form.save()
    installation.clear_installation_cache()
    user.username, user.language = chosen["username"], chosen["language"]
    user.save(update_fields=["username", "language"])
    if chosen["password"]:
        passwords.change_password(user, chosen["password"], user, keep=request.session.session_key)
    update_session_auth_hash(request, user)
    with translation.override(chosen["language"]):
        if chosen["with_demo"] and demo_manifest.current_manifest() is None:
            demo.load_demo(user)
        elif not chosen["with_demo"] and demo_manifest.current_manifest() is not None:
            demo.remove_demo(user)
