"""The settings of a tracked link as the editor shows them: two fields make one, the others have their defaults."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from activities.links.addresses import UTM
from activities.models import EventSource, TrackedLink
from people.core.admin.base import add_form_errors
from people.core.errors import RejectedError
from people.core.permissions import possible_owners

MOMENT = "%Y-%m-%dT%H:%M"  # as browsers send a moment
_FIELDS = (
    *("name", "destination", "fallback", "expires_at", "channel", *UTM),
    *("activity", "email_name", "website", "is_identifying", "owner"),
)


def _line(label: Any, help_text: Any = "", length: int = 255, **attributes: str) -> forms.CharField:
    widget = forms.TextInput({"class": "ca-input", "maxlength": str(length), "autocomplete": "off", **attributes})
    return forms.CharField(label=label, required=False, help_text=help_text, widget=widget)


def _choice(label: Any, choices: Any, help_text: Any = "") -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=choices, help_text=help_text, widget=forms.Select({"class": "ca-input"})
    )


class LinkForm(forms.Form):
    """The settings of a link; its code only while it is new."""

    name = _line(gettext_lazy("Name"), gettext_lazy("What you call it, like “Leaflet, spring fair”."))
    destination = _line(
        gettext_lazy("Destination"),
        gettext_lazy("The full address it leads to. You can change it later; the short address stays the same."),
        2_000,
        inputmode="url",
        placeholder="https://www.example.com/spring",
    )
    code = _line(
        gettext_lazy("Short address"),
        gettext_lazy("Letters, digits and hyphens. Empty: a random one. It can't be changed, as it may be in print."),
        50,
        placeholder="spring-fair",
    )
    channel = _choice(gettext_lazy("Channel"), TrackedLink.LinkChannel.choices)
    utm_source = _line("utm_source", length=100, placeholder="newsletter")
    utm_medium = _line("utm_medium", length=100, placeholder="email")
    utm_campaign = _line("utm_campaign", length=100, placeholder="spring-2027")
    utm_term = _line("utm_term", length=100)
    utm_content = _line("utm_content", length=100)
    activity = _choice(
        gettext_lazy("Recorded as"),
        TrackedLink.LinkActivity.choices,
        gettext_lazy("“Click Email” for links in emails, whichever tool sends them."),
    )
    email_name = _line(
        gettext_lazy("Name of the email"), gettext_lazy("For “Click Email”: filters and triggers ask for it.")
    )
    expires_at = forms.DateTimeField(
        label=gettext_lazy("Ends"),
        required=False,
        input_formats=[MOMENT, f"{MOMENT}:%S"],
        widget=forms.DateTimeInput({"class": "ca-input", "type": "datetime-local"}, format=MOMENT),
        help_text=gettext_lazy("Empty: never."),
    )
    fallback = _line(
        gettext_lazy("Destination after the end"),
        gettext_lazy("Empty: a page that says the link has ended."),
        2_000,
        inputmode="url",
        placeholder="https://www.example.com/",
    )
    website = forms.ModelChoiceField(
        EventSource.objects.none(),
        label=gettext_lazy("Web site"),
        required=False,
        empty_label=gettext_lazy("None"),
        widget=forms.Select({"class": "ca-input"}),
        help_text=gettext_lazy("A click without a person is that of the browser that visits this web site."),
    )
    is_identifying = forms.BooleanField(
        label=gettext_lazy("A personal link says whose browser it is"),
        required=False,
        initial=True,
        help_text=gettext_lazy("Turn it off for emails that are often forwarded."),
    )
    owner = forms.ModelChoiceField(
        EventSource.objects.none(),
        label=gettext_lazy("Owner"),
        required=False,
        empty_label=None,
        widget=forms.Select({"class": "ca-input"}),
    )

    groups = (
        ("", ("name", "destination", "code", "channel")),
        (gettext_lazy("Campaign"), UTM),
        (gettext_lazy("How clicks are recorded"), ("activity", "email_name")),
    )
    advanced = ("expires_at", "fallback", "website", "is_identifying", "owner")

    def __init__(self, data: Any, link: TrackedLink | None = None) -> None:
        super().__init__(data, initial={} if link is None else _initial(link))
        self.link = link
        sites: Any = self.fields["website"]
        sites.queryset = EventSource.objects.filter(kind=EventSource.Kind.BROWSER).order_by("name")
        owners: Any = self.fields["owner"]
        if link is None:
            del self.fields["owner"]
            sites.empty_label = gettext_lazy("The destination's, if it's yours")
            self.fields["channel"].initial = TrackedLink.LinkChannel.EMAIL
        else:
            del self.fields["code"]
            owners.queryset = possible_owners(besides=link.owner_id)

    def shown_groups(self) -> list[tuple[Any, list[Any]]]:
        return [(heading, [self[name] for name in names if name in self.fields]) for heading, names in self.groups]

    def advanced_fields(self) -> list[Any]:
        return [self[name] for name in self.advanced if name in self.fields]

    @property
    def has_advanced_errors(self) -> bool:
        return any(name in self.errors for name in self.advanced)

    def values(self) -> dict[str, Any]:
        """The values as the verbs take them; of a new link the web site only where one was chosen."""
        values = {name: self.cleaned_data[name] for name in (*_FIELDS, "code") if name in self.fields}
        if self.link is None and values["website"] is None:
            del values["website"]
        return values

    def show(self, refusal: RejectedError) -> None:
        add_form_errors(self, refusal)


def _initial(link: TrackedLink) -> dict[str, Any]:
    return {name: getattr(link, f"{name}_id" if name in ("website", "owner") else name) for name in _FIELDS}
