"""Results of an import: the created people, a list of them, and the page that undoes the import."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from people.core.admin.base import parse_number, require_rights
from people.core.errors import NotAllowedError, RejectedError
from people.fields.catalog import field_catalogue
from people.files.imports import traces, undoing
from people.files.imports.targets import TARGETS
from people.lists import static_lists
from people.models import Import, Person, StaticList
from people.persons import bulk, deletion, import_undo
from people.rights import ADD_STATICLIST, VIEW_PERSON

PAGE = 50


class ReasonForm(forms.Form):
    """The reason for undoing an import."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["reason"] = forms.CharField(
            label=_("Why?"),
            help_text=_("Noted in the audit log."),
            max_length=import_undo.MAX_REASON,
            widget=forms.TextInput(attrs={"class": "ca-input"}),
        )


def undo_import(pages: Any, request: HttpRequest, job: Import) -> HttpResponse:
    """Show a preview of the undo; on POST with a reason, undo the import."""
    form = ReasonForm(request.POST or None)
    try:
        preview = import_undo.preview_import_undo(job, request.user)
        if request.method == "POST" and form.is_valid():
            import_undo.request_import_undo(job, form.cleaned_data["reason"], request.user)
            return redirect("admin:people_import_change", job.pk)
    except NotAllowedError as refusal:
        raise PermissionDenied(refusal.problems[0].expected) from None
    except RejectedError as refusal:
        messages.error(request, str(refusal))
        return redirect("admin:people_import_change", job.pk)
    labels = {name: info.shown_label for name, info in field_catalogue().items()}
    people_by_id = Person.objects.in_bulk([change.person_id for change in preview.changes])
    return pages.page(
        request,
        "import_undo",
        _("Undo %(name)s?") % {"name": job.name},
        job=job,
        form=form,
        preview=preview,
        restore_days=deletion.restore_days(),
        kept=import_undo.kept_reasons(preview.kept),
        kept_people=[(person, import_undo.kept_reason(table)) for person, table in preview.kept_people],
        changes=[(change, people_by_id.get(change.person_id), labels.get(change.field)) for change in preview.changes],
        into=_into(job),
        kept_reasons=undoing.reason_counts(preview.records.kept),
    )


def show_created_people(pages: Any, request: HttpRequest, job: Import) -> HttpResponse:
    """The people created by the import who are live."""
    require_rights(request, VIEW_PERSON)
    after = parse_number(request.GET.get("after", ""))
    rows = traces.log_traces().created(job, after, PAGE + 1, is_live=True)
    people_by_id = Person.objects.live().in_bulk([created.person_id for created in rows[:PAGE]])
    return pages.page(
        request,
        "import_people",
        _("People created by %(name)s") % {"name": job.name},
        job=job,
        people=[people_by_id[created.person_id] for created in rows[:PAGE] if created.person_id in people_by_id],
        after=rows[PAGE - 1].activity_id if len(rows) > PAGE else None,
        may_make_list=request.user.has_perms((ADD_STATICLIST, static_lists.CHANGE)),
    )


def create_list_of_people(request: HttpRequest, job: Import) -> HttpResponse:
    """Create a static list of the people created by the import; a job adds them."""
    name = _("%(file)s, %(date)s") % {"file": job.name, "date": f"{localtime(job.created_at):%Y-%m-%d %H:%M}"}
    try:
        with transaction.atomic():
            static_list = static_lists.create_static_list(name[:255], request.user)
            action = bulk.start_bulk_action("add_to_list", traces.people_created(job), request.user, static_list)
    except NotAllowedError as refusal:
        raise PermissionDenied(refusal.problems[0].expected) from None
    except RejectedError as refusal:
        messages.error(request, str(refusal))
        return redirect("admin:people_import_people", job.pk)
    return redirect("admin:people_person_bulk_action", action.pk)


def _into(job: Import) -> StaticList | None:
    """The list to which the plan of the import added all people."""
    pk: int | None = (job.plan or {}).get("static_list")
    return StaticList.objects.filter(pk=pk).first() if pk else None


def undo_summary(job: Import) -> dict[str, Any] | None:
    """The record of the import's undo, for its page; None without one."""
    if not job.undo:
        return None
    return {
        **job.undo,
        "kept": import_undo.kept_reasons(job.undo["kept"]),
        "kept_records": undoing.reason_counts(job.undo.get("records_kept", {})),
        "is_under_way": job.wish == Import.Wish.UNDO,
        "has_failed": import_undo.has_failed(job),
    }


def result_links(job: Import, user: Any) -> list[tuple[str, str]]:
    """(label, address) of the pages about the imported rows and of the actions on them."""
    links = [] if job.is_running or not job.plan else TARGETS[job.kind].links(job, user)
    if job.created and not job.is_running and job.first_id is not None and user.has_perm(VIEW_PERSON):
        links.append((_("See the people created"), reverse("admin:people_import_people", args=[job.pk])))
    if (job.state != Import.State.TAKEN_BACK or import_undo.has_failed(job)) and import_undo.may_undo_import(job, user):
        links.append((_("Undo the import"), reverse("admin:people_import_take_back", args=[job.pk])))
    return links
