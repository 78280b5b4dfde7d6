"""What an import left: the people whom it created, a list of them, and the page that takes it back."""

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

from people.core.admin.base import number, require
from people.core.errors import NotAllowedError, RejectedError
from people.fields.catalog import catalogue
from people.files.imports import traces
from people.files.imports.targets import TARGETS
from people.lists import static_lists
from people.models import Import, Person, StaticList
from people.persons import bulk, deletion, import_undo

PAGE = 50


class ReasonForm(forms.Form):
    """Why an import is taken back."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["reason"] = forms.CharField(
            label=_("Why?"),
            help_text=_("Kept in the log of edits."),
            max_length=import_undo.MAX_REASON,
            widget=forms.TextInput(attrs={"class": "ca-input"}),
        )


def take_back(pages: Any, request: HttpRequest, job: Import) -> HttpResponse:
    """Show what would go and what would stay; on POST with a reason, take the import back."""
    form = ReasonForm(request.POST or None)
    try:
        preview = import_undo.preview(job, request.user)
        if request.method == "POST" and form.is_valid():
            import_undo.take_back(job, form.cleaned_data["reason"], request.user)
            return redirect("admin:people_import_change", job.pk)
    except NotAllowedError:
        raise PermissionDenied from None
    except RejectedError as refusal:
        messages.error(request, str(refusal))
        return redirect("admin:people_import_change", job.pk)
    labels = {name: info.shown_label for name, info in catalogue().items()}
    named = Person.objects.in_bulk([change.person_id for change in preview.changes])
    return pages.page(
        request,
        "import_undo",
        _("Take back %(name)s?") % {"name": job.name},
        job=job,
        form=form,
        preview=preview,
        restore_days=deletion.restore_days(),
        kept=import_undo.reasons(preview.kept),
        kept_people=[(one, import_undo.reason(table)) for one, table in preview.kept_people],
        changes=[(change, named.get(change.person_id), labels.get(change.field)) for change in preview.changes],
        into=_into(job),
    )


def people(pages: Any, request: HttpRequest, job: Import) -> HttpResponse:
    """The people whom the import created, as far as they are still there."""
    require(request, "people.view_person")
    after = number(request.GET.get("after", ""))
    some = traces.of_log().created(job, after, PAGE + 1, is_live=True)
    known = Person.objects.live().in_bulk([created.person_id for created in some[:PAGE]])
    return pages.page(
        request,
        "import_people",
        _("People created by %(name)s") % {"name": job.name},
        job=job,
        people=[known[created.person_id] for created in some[:PAGE] if created.person_id in known],
        after=some[PAGE - 1].activity_id if len(some) > PAGE else None,
        may_make_list=request.user.has_perms(("people.add_staticlist", static_lists.CHANGE)),
    )


def make_list(request: HttpRequest, job: Import) -> HttpResponse:
    """Make a static list of the people whom the import created; they are put on it in the background."""
    name = _("%(file)s, %(date)s") % {"file": job.name, "date": f"{localtime(job.created_at):%Y-%m-%d %H:%M}"}
    try:
        with transaction.atomic():
            made = static_lists.create(name[:255], request.user)
            action = bulk.start("add_to_list", traces.people_created(job), request.user, made)
    except NotAllowedError:
        raise PermissionDenied from None
    except RejectedError as refusal:
        messages.error(request, str(refusal))
        return redirect("admin:people_import_people", job.pk)
    return redirect("admin:people_person_bulk_action", action.pk)


def _into(job: Import) -> StaticList | None:
    """The list on which the plan of the import put everybody."""
    pk: int | None = (job.plan or {}).get("static_list")
    return StaticList.objects.filter(pk=pk).first() if pk else None


def summary(job: Import) -> dict[str, Any] | None:
    """How the import was taken back, for its page."""
    if not job.undo:
        return None
    return {
        **job.undo,
        "kept": import_undo.reasons(job.undo["kept"]),
        "is_under_way": job.wish == Import.Wish.UNDO,
        "has_failed": import_undo.has_failed(job),
    }


def links(job: Import, user: Any) -> list[tuple[str, str]]:
    """(label, address) of what can be looked at or done with what was imported."""
    found = [] if job.is_running or not job.plan else TARGETS[job.kind].links(job, user)
    if job.created and not job.is_running and job.first_id is not None and user.has_perm("people.view_person"):
        found.append((_("See the people created"), reverse("admin:people_import_people", args=[job.pk])))
    if (job.state != Import.State.TAKEN_BACK or import_undo.has_failed(job)) and import_undo.may(job, user):
        found.append((_("Take the import back"), reverse("admin:people_import_take_back", args=[job.pk])))
    return found
