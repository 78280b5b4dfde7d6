"""Pages that organize types: folder and owner, picture, deleted types, export and import of schemas."""

import json
from functools import partial

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from activities import icons
from activities.admin.base import find_type, show_type_page
from activities.admin.type_wizard import chosen_picture
from activities.models import ActivityType
from activities.rights import ADD_ACTIVITYTYPE, VIEW_ACTIVITYTYPE
from activities.types import files as type_files
from activities.types import pictures
from activities.types.definition import DELETE, EDIT
from people.admin.forms import PlaceForm
from people.core import words
from people.core.admin.base import json_fault, parse_number, require_rights
from people.core.errors import RejectedError, located_message
from people.definitions import lifecycle
from people.files.csv_lines import file_reply

DELETED_SHOWN = 100
LARGEST_FILE = 5_000_000  # bytes of a file with schemas


def place_type(request: HttpRequest, pk: int) -> HttpResponse:
    """Set the folder and the owner of the type."""
    activity_type = find_type(request, pk, EDIT)
    if activity_type.is_standard:
        raise PermissionDenied
    back = reverse("admin:activities_activitytype_change", args=[pk])
    form = PlaceForm(request.POST or None, activity_type)
    if request.method == "POST" and form.place(
        request.user, partial(lifecycle.set_folder_and_owner, activity_type, request.user)
    ):
        messages.success(request, _("Saved."))
        return redirect(back)
    title = _("Folder and owner: %(name)s") % {"name": activity_type}
    return show_type_page(request, "people/place.html", title, activity_type=activity_type, form=form, back=back)


def choose_picture(request: HttpRequest, pk: int) -> HttpResponse:
    """Choose the icon and the colour of a type; they apply at once, to all versions."""
    activity_type = find_type(request, pk, pictures.EDIT)
    if activity_type.is_standard:
        raise PermissionDenied
    if request.method == "POST":
        pictures.set_picture(activity_type, request.user, *chosen_picture(request.POST))
        messages.success(request, _("Saved."))
        return redirect("admin:activities_activitytype_change", pk)
    return show_type_page(
        request,
        "picture",
        _("Icon and colour: %(name)s") % {"name": activity_type},
        activity_type=activity_type,
        icons=icons.WORDS,
        colours=range(icons.COLOURS),
        icon=activity_type.icon,
        colour=activity_type.colour,
        proposed_icon=icons.propose_icon(str(activity_type), activity_type.api_name),
    )


def list_deleted_types(request: HttpRequest) -> HttpResponse:
    """Types deleted after an approval, the latest first; a button undeletes a type."""
    require_rights(request, VIEW_ACTIVITYTYPE, DELETE)
    deleted_types = (
        ActivityType.objects.exclude(deleted_at=None).select_related("live", "owner").order_by("-deleted_at")
    )
    problem = ""
    if request.method == "POST":
        activity_type = get_object_or_404(deleted_types, pk=parse_number(request.POST.get("type")))
        try:
            lifecycle.undelete_definition(activity_type, request.user)
        except RejectedError as refusal:
            problem = str(refusal)
        else:
            messages.success(request, _("Brought back, with everything that was recorded."))
            return redirect("admin:activities_activitytype_change", activity_type.pk)
    query = request.GET.get("q", "").replace("\0", " ").strip()
    if query:
        deleted_types = words.filter_by_words(deleted_types, query, "live__name", "api_name")
    types = list(deleted_types[: DELETED_SHOWN + 1])
    return show_type_page(
        request,
        "deleted",
        _("Deleted activity types"),
        types=types[:DELETED_SHOWN],
        query=query,
        problem=problem,
        more=len(types) > DELETED_SHOWN,
    )


def export_schemas(request: HttpRequest) -> StreamingHttpResponse:
    """The schemas of the types in the parameter `type`, or of all custom types, as one JSON file."""
    require_rights(request, VIEW_ACTIVITYTYPE)
    type_ids = [type_id for text in request.GET.getlist("type") if (type_id := parse_number(text))]
    types = ActivityType.objects.existing().with_versions().order_by("pk")
    types = types.filter(pk__in=type_ids) if type_ids else types.custom()
    name = types[0].api_name if len(type_ids) == 1 and types else "activity-types"
    return file_reply(type_files.document_pieces(types), f"{name}.json", "application/json")


def import_schemas(request: HttpRequest) -> HttpResponse:
    """Import schemas from a file: a preview first, then, once confirmed, the import."""
    require_rights(request, VIEW_ACTIVITYTYPE, ADD_ACTIVITYTYPE, EDIT)
    text = ""
    problems: list[str] = []
    results: list[type_files.ImportedType] = []
    if request.method == "POST":
        text, problems = _sent(request)
        if not problems:
            results, problems = _read(text, request, keep="confirm" in request.POST)
        if results and not problems and "confirm" in request.POST:
            messages.success(request, _("Imported as drafts. Approve them when they are ready."))
            return redirect("admin:activities_activitytype_changelist")
    return show_type_page(
        request,
        "bring_in",
        _("Import schemas"),
        text=text if results else "",
        types=results,
        problems=problems,
        changes=[result for result in results if result.what != "unchanged"],
    )


def _sent(request: HttpRequest) -> tuple[str, list[str]]:
    """The text of the uploaded file, or of the confirmed preview; and its problems."""
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


def _read(text: str, request: HttpRequest, keep: bool) -> tuple[list[type_files.ImportedType], list[str]]:
    try:
        return type_files.import_types(json.loads(text), request.user, dry_run=not keep), []
    except (ValueError, RecursionError) as error:
        return [], [json_fault(error)]
    except RejectedError as refusal:
        return [], [located_message(problem) for problem in refusal.problems]
