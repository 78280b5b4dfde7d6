"""Forms of users: one role by radio button, further groups by check box, and the user's data."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.access import roles
from config.access.users import limits
from people.core import installation
from people.core.errors import Problem

EXPORTER = "Exporter"
# of several roles the radio shows the first in this order
BREADTH = (roles.ADMINISTRATOR, "Marketer", "Approver", "Developer", "Type editor", "Viewer")
OFFERED = ("Viewer", "Marketer", "Type editor", "Approver", "Developer", roles.ADMINISTRATOR)
_INPUT = {"class": "ca-input"}


class VerbForm(forms.Form):
    """A form whose operation may reject values that the fields accepted."""

    def show(self, problems: Iterable[Problem]) -> None:
        """Add each problem to its field."""
        for problem in problems:
            place = str(problem.path[0]) if problem.path else None
            self.add_error(place if place in self.fields else None, problem.message)


class RolesForm(VerbForm):
    """A role, and check boxes for exporting, for a team's own groups, and for further roles of the user.

    Only groups that the editor may give are offered; the user's other groups stay.
    """

    role = forms.ChoiceField(label=gettext_lazy("Role"), widget=forms.RadioSelect, required=False)
    besides = forms.ModelMultipleChoiceField(
        Group.objects.none(), label=gettext_lazy("Also"), widget=forms.CheckboxSelectMultiple, required=False
    )

    def __init__(self, *args: Any, editor: Any, has: Iterable[Group] = (), **options: Any) -> None:
        present = {group.name: group for group in has}
        self.offered = {group.name: group for group in limits.roles_grantable_by(editor).order_by("name")}
        role = next((name for name in BREADTH if name in present), "")
        options["initial"] = {
            "role": role,
            "besides": [group.pk for name, group in present.items() if name != role],
        } | (options.get("initial") or {})
        super().__init__(*args, **options)
        self.kept = [group for name, group in present.items() if name not in self.offered]
        names = [name for name in OFFERED if name in self.offered]
        choices: list[Any] = [(name, roles.role_label(name)) for name in names]
        others = [name for name in self.offered if name not in OFFERED or (name in present and name != role)]
        if any(name != EXPORTER for name in others) or (present and not role):
            choices.append(("", _("No role: only what is selected below")))
        fields: Any = self.fields
        fields["role"].choices = choices
        fields["besides"].queryset = Group.objects.filter(name__in=others)
        fields["besides"].label_from_instance = lambda group: (
            _("May export people to files") if group.name == EXPORTER else roles.role_label(group.name)
        )

    @property
    def groups(self) -> list[Group]:
        """All groups that the user has afterwards."""
        chosen = {group.pk: group for group in [*self.kept, *self.cleaned_data["besides"]]}
        role = self.offered.get(self.cleaned_data["role"])
        return [*chosen.values(), *([role] if role is not None and role.pk not in chosen else [])]


class InvitationForm(RolesForm):
    email = forms.EmailField(
        label=gettext_lazy("Email"),
        max_length=150,
        widget=forms.EmailInput(attrs=_INPUT | {"autofocus": True, "autocomplete": "off"}),
    )
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=150,
        required=False,
        help_text=gettext_lazy("Optional: they can enter it themselves."),
        widget=forms.TextInput(attrs=_INPUT | {"autocomplete": "off"}),
    )
    field_order = ("email", "name", "role", "besides")


class UserForm(RolesForm):
    """Data that an administrator can change of a user: names, address, language and roles."""

    username = forms.CharField(label=gettext_lazy("User name"), max_length=150, widget=forms.TextInput(attrs=_INPUT))
    first_name = forms.CharField(
        label=gettext_lazy("First name"), max_length=150, required=False, widget=forms.TextInput(attrs=_INPUT)
    )
    last_name = forms.CharField(
        label=gettext_lazy("Last name"), max_length=150, required=False, widget=forms.TextInput(attrs=_INPUT)
    )
    email = forms.EmailField(label=gettext_lazy("Email"), required=False, widget=forms.EmailInput(attrs=_INPUT))
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        required=False,
        choices=[("", gettext_lazy("Same as their browser")), *settings.LANGUAGES],
        widget=forms.Select(attrs=_INPUT),
    )
    OWN = ("username", "first_name", "last_name", "email", "language")
    field_order = (*OWN, "role", "besides")

    def __init__(self, *args: Any, user: Any, **options: Any) -> None:
        self.user = user
        initial = {name: getattr(user, name) for name in self.OWN}
        super().__init__(*args, has=list(user.groups.all()), initial=initial, **options)

    def clean_username(self) -> str:
        username = str(self.cleaned_data["username"]).strip()
        users = get_user_model()
        users.username_validator(username)
        if users.objects.filter(username__iexact=username).exclude(pk=self.user.pk).exists():
            raise ValidationError(_("There is already a user of that name."))
        return username


class AccountForm(VerbForm):
    """The details of an account that its user changes."""

    first_name = forms.CharField(
        label=gettext_lazy("First name"),
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs=_INPUT | {"autocomplete": "given-name"}),
    )
    last_name = forms.CharField(
        label=gettext_lazy("Last name"),
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs=_INPUT | {"autocomplete": "family-name"}),
    )
    email = forms.EmailField(
        label=gettext_lazy("Email"),
        max_length=254,
        required=False,
        help_text=gettext_lazy("A new address counts once you open the link that we send there."),
        widget=forms.EmailInput(attrs=_INPUT | {"autocomplete": "email"}),
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        required=False,
        choices=[("", gettext_lazy("Same as your browser")), *settings.LANGUAGES],
        help_text=gettext_lazy("For pages and emails."),
        widget=forms.Select(attrs=_INPUT),
    )
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        required=False,
        help_text=gettext_lazy("Pages show times in this zone."),
        widget=forms.Select(attrs=_INPUT),
    )

    def __init__(self, *args: Any, user: Any, **options: Any) -> None:
        names = ("first_name", "last_name", "email", "language", "time_zone")
        options["initial"] = {name: getattr(user, name) for name in names}
        super().__init__(*args, **options)
        zone = _("Same as this installation: %(zone)s") % {"zone": installation.current_installation().time_zone}
        zones = [(name, name.replace("_", " ")) for name in installation.inhabited_zones()]
        if user.time_zone and user.time_zone not in dict(zones):
            zones.append((user.time_zone, user.time_zone))
        fields: Any = self.fields
        fields["time_zone"].choices = [("", zone), *zones]
        if not settings.EMAIL_IS_SET_UP:
            fields["email"].disabled = True
            fields["email"].help_text = _("No email can be sent from here, so an administrator changes the address.")

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if not email and self.initial["email"]:
            raise ValidationError(_("Enter the address that you want instead."))
        return email


class JoiningForm(VerbForm):
    """Names and password that an invited person chooses."""

    name = forms.CharField(
        label=gettext_lazy("Your name"),
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs=_INPUT | {"autocomplete": "name"}),
    )
    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        help_text=gettext_lazy("What you sign in with."),
        widget=forms.TextInput(attrs=_INPUT | {"autocomplete": "username"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=1000,
        help_text=gettext_lazy("At least 12 characters."),
        widget=forms.PasswordInput(attrs=_INPUT | {"autocomplete": "new-password", "autofocus": True}),
    )
