"""Order in many types: folder and owner, and schemas that go from one installation to another."""

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from activities import exchange, lifecycle
from activities.models import ActivityType
from activities.pages import find_type, number, require, show
from people.models import Folder
from people.problems import Refused, located

LARGEST_FILE = 5_000_000  # bytes of a file with schemas


class PlaceForm(forms.Form):
    folder = forms.ModelChoiceField(
        Folder.objects.order_by("name"), required=False, label=gettext_lazy("Folder"), widget=UnfoldAdminSelectWidget
    )
    owner = forms.ModelChoiceField(
        None, required=False, label=gettext_lazy("Owner"), widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("Who is asked when something is unclear."),
    )  # fmt: skip

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        users = get_user_model().objects.filter(is_active=True, is_api_only=False).order_by("username")
        self.fields["owner"].queryset = users  # type: ignore[attr-defined]


def place(request: HttpRequest, pk: int) -> HttpResponse:
    """Put the type into a folder, and say whose it is."""
    activity_type = find_type(request, pk, lifecycle.EDIT)
    if activity_type.is_standard:
        raise PermissionDenied
    initial = {"folder": activity_type.folder_id, "owner": activity_type.owner_id}
    form = PlaceForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        lifecycle.arrange(activity_type, request.user, form.cleaned_data["folder"], form.cleaned_data["owner"])
        messages.success(request, _("Saved."))
        return redirect("admin:activities_activitytype_change", pk)
    return show(request, "place", _("Folder and owner"), activity_type=activity_type, form=form)


def export(request: HttpRequest) -> HttpResponse:
    """The schemas of the types that `type` names, or of all custom types, as one JSON file."""
    require(request, "activities.view_activitytype")
    wanted = [found for text in request.GET.getlist("type") if (found := number(text)) is not None]
    types = ActivityType.objects.existing().with_versions().order_by("pk")
    types = types.filter(pk__in=wanted) if wanted else types.custom()
    name = types[0].api_name if len(wanted) == 1 and types else "activity-types"
    text = json.dumps(exchange.document(types), indent=2, ensure_ascii=False) + "\n"
    return HttpResponse(
        text, content_type="application/json", headers={"Content-Disposition": f'attachment; filename="{name}.json"'}
    )


def bring_in(request: HttpRequest) -> HttpResponse:
    """Schemas from a file: first what would happen, then, confirmed, it happens."""
    require(request, "activities.view_activitytype", "activities.add_activitytype", lifecycle.EDIT)
    text, problems, found = "", [], []
    if request.method == "POST":
        text, problems = _sent(request)
        if not problems:
            found, problems = _read(text, request, keep="confirm" in request.POST)
        if found and not problems and "confirm" in request.POST:
            messages.success(request, _("Brought in as drafts. Approve them when they are right."))
            return redirect("admin:activities_activitytype_changelist")
    return show(
        request, "bring_in", _("Import schemas"), text=text if found else "", found=found, problems=problems,
        changes=[one for one in found if one.what != "unchanged"],
    )  # fmt: skip


def _sent(request: HttpRequest) -> tuple[str, list[str]]:
    """The text of the uploaded file, or of the page that showed it; and what is wrong with it."""
    uploaded = request.FILES.get("file")
    if uploaded is None:
        text = request.POST.get("content", "")
        return text, [] if text else [_("Choose a file first.")]
    if (uploaded.size or 0) > LARGEST_FILE:
        return "", [_("The file is too large: at most 5 MB.")]
    try:
        return uploaded.read().decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return "", [_("The file is not UTF-8 text.")]


def _read(text: str, request: HttpRequest, keep: bool) -> tuple[list[exchange.Imported], list[str]]:
    try:
        return exchange.import_types(json.loads(text), request.user, dry_run=not keep), []
    except (ValueError, RecursionError) as error:
        return [], [_("This is not JSON: %(error)s") % {"error": error}]
    except Refused as refusal:
        return [], [located(problem) for problem in refusal.problems]
