"""The forms that save, share and pin reports, and what the reports page needs to show them."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import installation
from people.core.admin.object_actions import MenuAction, action_menu
from smartlists.lists import saved_reports
from smartlists.models import Dashboard, SavedReport
from smartlists.models.saved_reports import SHARE, SharedObject

SHARED = gettext_lazy("Shared with everybody who may see reports")


class NameForm(forms.Form):
    """Name and sharing of a report or a dashboard; without sharing for users who may not share."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=255, widget=forms.TextInput({"class": "ca-input", "autocomplete": "off"})
    )
    is_shared = forms.BooleanField(label=SHARED, required=False)

    def __init__(self, data: Any, by: Any, row: SharedObject | None = None) -> None:
        super().__init__(data, initial={"name": row.name, "is_shared": row.is_shared} if row else None)
        if not by.has_perm(SHARE):
            del self.fields["is_shared"]


class SaveForm(NameForm):
    """The form for saving a report."""

    follows_today = forms.BooleanField(
        label=gettext_lazy("Always up to the day it is opened, over as many days"), required=False
    )

    def __init__(self, data: Any, by: Any, row: SharedObject | None = None, follows_today: bool = True) -> None:
        super().__init__(data, by, row)
        self.initial["follows_today"] = follows_today


class PinForm(forms.Form):
    """The dashboard that a report is pinned to: an existing one or a new one."""

    dashboard = forms.ModelChoiceField(
        Dashboard.objects.none(),
        required=False,
        label=gettext_lazy("Dashboard"),
        empty_label=gettext_lazy("New dashboard"),
    )
    name = forms.CharField(required=False, max_length=255, label=gettext_lazy("Name of the new dashboard"))

    def __init__(self, data: Any, by: Any) -> None:
        super().__init__(data, auto_id="pin_%s")  # beside the form that saves the report, which has a name, too
        rows = saved_reports.visible_rows(Dashboard, by)
        changeable = [row.pk for row in rows if saved_reports.may_change(row, by)]
        self.fields["dashboard"].queryset = rows.filter(pk__in=changeable)  # type: ignore[attr-defined]
        for field in self.fields.values():
            field.widget.attrs["class"] = "ca-input"


def saving_context(saved: SavedReport | None, parameters: QueryDict, by: Any, form: SaveForm | None) -> dict[str, Any]:
    """Return what the reports page needs to save, share and pin the shown report; `form` is a rejected form."""
    is_changeable = saved is not None and saved_reports.may_change(saved, by)
    today = timezone.now().astimezone(installation.installation_zone()).date().isoformat()
    follows_today = "since" not in parameters or parameters.get("until") == today
    return {
        "save_form": form or SaveForm(None, by, saved if is_changeable else None, follows_today),
        "save_address": f"{reverse('save-report')}?{parameters.urlencode()}",
        "is_changeable": is_changeable,
        "actions": action_menu(
            MenuAction(_("Rename or share"), reverse("saved-report-settings", args=[saved.pk])),
            delete=reverse("delete-saved-report", args=[saved.pk]),
        )
        if saved and is_changeable
        else [],
        "pin_form": PinForm(None, by) if saved else None,
    }
