"""The pages that delete, restore and erase people, with a preview of the consequences."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from people.core.admin.base import PagesAdmin, parse_number, request_source, require_rights
from people.core.admin.object_actions import show_undoable_message
from people.core.errors import RejectedError
from people.files.csv_lines import file_reply
from people.models import Person, PersonDeletion
from people.persons import deletion
from people.privacy import erasure
from people.privacy import export as privacy_export
from people.rights import DELETE_PERSON, ERASE_PERSON, EXPORT_PERSON, RESTORE_PERSON, VIEW_PERSON

PAGE = 50
State = Person.State


def deletion_urls(pages: PagesAdmin) -> list[tuple[str, Any, str]]:
    return [
        ("<int:pk>/remove/", lambda request, pk: delete_person(pages, request, pk), "remove"),
        ("<int:pk>/restore/", lambda request, pk: restore_person(pages, request, pk), "restore"),
        ("<int:pk>/erase/", lambda request, pk: erase_person(pages, request, pk), "erase"),
        ("<int:pk>/archive.json", lambda request, pk: export_person(pages, request, pk), "archive"),
        ("deleted/", lambda request: list_deleted_people(pages, request), "deleted"),
    ]


def delete_person(pages: PagesAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    require_rights(request, DELETE_PERSON)
    person = _find(pk, State.LIVE)
    if request.method == "POST":
        (outcome,) = deletion.delete_people([pk], request.user, request_source(request))
        if outcome.status is deletion.DeletionStatus.DELETED:
            may_undo = request.user.has_perm(RESTORE_PERSON)
            undo = reverse("admin:people_person_restore", args=[pk]) if may_undo else ""
            show_undoable_message(request, _("Deleted. It can be restored under “Deleted people”."), undo)
            return redirect("admin:people_person_changelist")
        messages.error(request, str(outcome.problems[0].message))
        return redirect("admin:people_person_changelist")
    lists = person.list_memberships.select_related("static_list").order_by("static_list__name")[:20]
    return pages.page(
        request,
        "delete_person",
        _("Delete %(name)s?") % {"name": person},
        person=person,
        lists=lists,
        restore_days=deletion.restore_days(),
    )


def restore_person(pages: PagesAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    require_rights(request, RESTORE_PERSON)
    _find(pk, State.DELETED)
    if request.method == "POST":
        (outcome,) = deletion.restore_people([pk], request.user, request_source(request))
        if outcome.status is deletion.DeletionStatus.RESTORED:
            messages.success(request, _("Restored, with the lists that are still there."))
            return redirect("admin:people_person_change", pk)
        messages.error(request, str(outcome.problems[0].message))
    return redirect("admin:people_person_deleted")


def erase_person(pages: PagesAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show a preview; on POST with the id typed again, erase."""
    require_rights(request, ERASE_PERSON)
    person = _find(pk, State.LIVE, State.DELETED)
    wrong = False
    if request.method == "POST":
        wrong = request.POST.get("typed", "").strip() != str(pk)
        if not wrong and pages.try_verb(
            request, lambda: erasure.erase_people([pk], request.user, request_source(request)), _("Erased for good.")
        ):
            return redirect("admin:people_person_changelist")
    preview = pages.try_verb(request, lambda: erasure.preview_erase([pk], request.user))
    if preview is None:
        return redirect("admin:people_person_changelist")
    return pages.page(
        request,
        "erase_person",
        _("Erase %(name)s for good?") % {"name": person},
        person=person,
        preview=preview,
        wrong=wrong,
        typed=request.POST.get("typed", ""),
        others=[person_id for person_id in preview.person_ids if person_id != pk],
    )


def export_person(pages: PagesAdmin, request: HttpRequest, pk: int) -> HttpResponse | StreamingHttpResponse:
    """Everything about one person, as a file."""
    require_rights(request, EXPORT_PERSON)
    if request.method != "POST":  # it writes an audit entry
        raise Http404
    try:
        pieces = privacy_export.export_person(pk, request.user)
    except RejectedError:
        raise Http404 from None
    return file_reply(pieces, f"person-{pk}.json", "application/json")


def list_deleted_people(pages: PagesAdmin, request: HttpRequest) -> HttpResponse:
    """Deleted people who can still be restored, the latest first."""
    require_rights(request, VIEW_PERSON)
    deletions = PersonDeletion.objects.restorable().select_related("person", "user")
    last = parse_number(request.GET.get("before", ""))
    if last and (before := PersonDeletion.objects.filter(pk=last).first()):
        deletions = deletions.filter(deleted_at__lte=before.deleted_at).exclude(
            pk__gte=before.pk, deleted_at=before.deleted_at
        )
    page_rows = list(deletions[: PAGE + 1])
    return pages.page(
        request,
        "deleted",
        _("Deleted people"),
        deletions=page_rows[:PAGE],
        before=page_rows[PAGE - 1].pk if len(page_rows) > PAGE else None,
        days=deletion.restore_days(),
    )


def _find(pk: int, *states: State) -> Person:
    person = Person.objects.filter(pk=pk, state__in=states).first()
    if person is None:
        raise Http404
    return person
