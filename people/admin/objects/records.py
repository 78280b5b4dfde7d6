"""Object records in the admin: the list of one type, the page of one record with its history, those of one person."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from people.admin.objects.forms import RecordForm, changed_fields
from people.admin.objects.record_list import cells_of_record, show_records
from people.admin.persons import person_actions
from people.core.admin.base import OwnPages, PagesAdmin, parse_number, problem_text, request_source, require_rights
from people.core.admin.object_actions import MenuAction, action_menu
from people.core.errors import ConflictError, RejectedError
from people.datatypes.display import localized_value
from people.datatypes.keys import MAX_BIG_ID, MAX_ID
from people.models import ObjectChange, ObjectRecord, ObjectType, Person
from people.objects import queries, records, removal
from people.objects.outcomes import RecordAction, RecordKey, RecordOutcome
from people.objects.schema import ObjectSchema, live_schema, schema_of_record
from people.rights import VIEW_PERSON

TEMPLATES = "people/objects"
SHOWN_FIELDS = 6  # of each record on the page of a person
_KIND = ObjectChange.Kind
ICONS: dict[int, str] = {
    _KIND.ADDED: "add",
    _KIND.CHANGED: "edit",
    _KIND.REMOVED: "delete",
    _KIND.RESTORED: "restore_from_trash",
    _KIND.JOINED: "person_check",
    _KIND.LINKED: "link",
}


@admin.register(ObjectRecord)
class ObjectRecordAdmin(PagesAdmin):
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        require_rights(request, records.VIEW)
        return redirect("admin:people_objecttype_changelist")  # records are listed by type

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a record is added to a type, on a page of its own

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        require_rights(request, records.VIEW, *([records.CHANGE] if request.method == "POST" else []))
        record = _record_or_404(pk)
        schema = live_schema(record.object_type_id)
        may_change = request.user.has_perm(records.CHANGE) and record.deleted_at is None
        may_change = may_change and record.object_type.is_recordable
        form = RecordForm(schema, request.POST or None, record)
        if request.method == "POST" and form.is_valid() and _save(request, record, form):
            messages.success(request, _("Saved."))
            return redirect("admin:people_objectrecord_change", pk)
        return self.page(
            request,
            f"{TEMPLATES}/record.html",
            record.name,
            opts=ObjectType._meta,
            original=record.object_type,
            record=record,
            object_type=record.object_type,
            version=record.object_type.live_or_draft,
            form=form,
            person=_shown_person(request, record),
            linked=_records().filter(pk=record.linked_id).first() if record.linked_id else None,
            replaced_by=(replaced_by := _replacing(record)),
            may_restore=_may_restore(request, record, replaced_by),
            linking=queries.linked_records(record),
            values=[] if may_change else _shown_values(record, schema),
            may_change=may_change,
            **_history(record, parse_number(request.GET.get("before")) or None),
            actions=_actions(request, record),
        )

    def own_pages(self) -> OwnPages:
        return (
            ("of/<int:type_id>/", show_records, "of_type"),
            ("of/<int:type_id>/add/", add_record, "add_to_type"),
            ("of-person/<int:person_id>/", show_records_of_person, "of_person"),
            ("<int:pk>/delete-record/", delete_record, "remove"),
            ("<int:pk>/restore/", restore_record, "restore"),
            ("<int:pk>/undo/<int:change_id>/", undo_change, "undo"),
        )


def _save(request: HttpRequest, record: ObjectRecord, form: RecordForm) -> bool:
    require_rights(request, records.CHANGE)
    try:
        outcome = records.update_record(
            record,
            form.changes,
            request_source(request),
            form.cleaned_data["seen_revision"],
            zone=timezone.get_current_timezone(),
        )
    except RejectedError as refusal:
        form.show(refusal.problems)
        return False
    form.show(outcome.problems)
    return not outcome.problems


def add_record(request: HttpRequest, type_id: int) -> HttpResponse:
    """A new record of a type."""
    require_rights(request, records.VIEW, records.ADD)
    object_type = get_object_or_404(ObjectType.objects.recordable().select_related("live"), pk=min(type_id, MAX_ID))
    schema = live_schema(object_type)
    form = RecordForm(schema, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            (outcome,) = records.upsert_records(
                object_type,
                [form.changes],
                request_source(request),
                action=RecordAction.CREATE,
                zone=timezone.get_current_timezone(),
            )
        except RejectedError as refusal:
            form.show(refusal.problems)
        else:
            if outcome.record_id:
                messages.success(request, _("Added."))
                return redirect("admin:people_objectrecord_change", outcome.record_id)
            form.show(outcome.problems)
    title = _("New record: %(type)s") % {"type": object_type}
    page: PagesAdmin = admin.site._registry[ObjectRecord]  # type: ignore[assignment]
    return page.page(
        request,
        f"{TEMPLATES}/new_record.html",
        title,
        opts=ObjectType._meta,
        original=object_type,
        object_type=object_type,
        version=object_type.live,
        form=form,
    )


def delete_record(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a record, which can be restored; a POST."""
    require_rights(request, records.VIEW, records.DELETE)
    record = _record_or_404(pk)
    if request.method == "POST":
        rows = [{"id": record.pk}]
        _run(
            request,
            lambda: removal.delete_records(record.object_type_id, rows, request_source(request), key=RecordKey.ID)[0],
            _("Deleted. The record and its history stay, and it can be restored."),
        )
    return redirect("admin:people_objectrecord_change", pk)


def restore_record(request: HttpRequest, pk: int) -> HttpResponse:
    """Restore a deleted record; a POST."""
    require_rights(request, records.VIEW, records.DELETE)
    record = _record_or_404(pk)
    if request.method == "POST":
        _run(
            request,
            lambda: removal.restore_records(record.object_type_id, [pk], request_source(request))[0],
            _("Restored."),
        )
    return redirect("admin:people_objectrecord_change", pk)


def undo_change(request: HttpRequest, pk: int, change_id: int) -> HttpResponse:
    """Take one change back; a POST."""
    require_rights(request, records.VIEW, records.CHANGE)
    change = get_object_or_404(ObjectChange, record_id=_record_or_404(pk).pk, pk=min(change_id, MAX_BIG_ID))
    if change.kind != ObjectChange.Kind.CHANGED:
        require_rights(request, records.DELETE)
    if request.method == "POST":
        _run(request, lambda: removal.undo_change(change, request_source(request)), _("Taken back."))
    return redirect("admin:people_objectrecord_change", pk)


@require_safe
def show_records_of_person(request: HttpRequest, person_id: int) -> HttpResponse:
    """The tab of a person with the records of one type, 50 a page."""
    require_rights(request, records.VIEW, VIEW_PERSON)
    person = get_object_or_404(Person.objects.live(), pk=min(person_id, MAX_ID))
    types = queries.types_of_person(person.pk)
    chosen = next(
        (row for row in types if str(row.object_type.pk) == request.GET.get("type")), types[0] if types else None
    )
    rows: list[ObjectRecord] = []
    fields: list[Any] = []
    if chosen is not None:
        schema = live_schema(chosen.object_type)
        before = parse_number(request.GET.get("before")) or None
        rows = queries.records_of_person(person.pk, chosen.object_type.pk, before, queries.PAGE + 1)
        fields = [field for field in schema.fields.values() if not field.is_dedupe and not field.link_to][:SHOWN_FIELDS]
    page: PagesAdmin = admin.site._registry[ObjectRecord]  # type: ignore[assignment]
    return page.page(
        request,
        f"{TEMPLATES}/of_person.html",
        str(person),
        person=person,
        original=person,
        opts=Person._meta,
        types=types,
        chosen=chosen,
        fields=fields,
        rows=[(row, cells_of_record(row, fields)) for row in rows[: queries.PAGE]],
        next_before=rows[queries.PAGE - 1].pk if len(rows) > queries.PAGE else None,
        actions=person_actions(request, person),
    )


def _records() -> QuerySet[ObjectRecord]:
    """Records with a page: those of types that are not deleted."""
    return ObjectRecord.objects.filter(object_type__deleted_at__isnull=True).select_related("object_type__live")


def _record_or_404(pk: int) -> ObjectRecord:
    return get_object_or_404(_records(), pk=min(pk, MAX_BIG_ID))


def _replacing(record: ObjectRecord) -> ObjectRecord | None:
    """The record that replaced a deleted one."""
    if record.replaced_by_id is None or record.deleted_at is None:
        return None
    return _records().filter(pk=record.replaced_by_id).first()


def _may_restore(request: HttpRequest, record: ObjectRecord, replaced_by: ObjectRecord | None) -> bool:
    """True if the record is deleted, the user may restore it, and no other record has its dedupe values."""
    is_free = replaced_by is None or replaced_by.deleted_at is not None
    return record.deleted_at is not None and is_free and request.user.has_perm(records.DELETE)


def _shown_person(request: HttpRequest, record: ObjectRecord) -> Person | None:
    """The person of a record, for those who may see people."""
    if record.person_id is None or not request.user.has_perm(VIEW_PERSON):
        return None
    return Person.objects.filter(pk=record.person_id).first()


def _shown_values(record: ObjectRecord, schema: ObjectSchema) -> list[tuple[str, str | None]]:
    """(name, localized value) of each field of the live version."""
    values = queries.shown_values(record, schema)
    return [(field.name, localized_value(values.get(name), field.name)) for name, field in schema.fields.items()]


def _history(record: ObjectRecord, before: int | None) -> dict[str, Any]:
    """A page of the changes, each as (change, icon, changed fields), and the id that the next page begins before."""
    changes = queries.history_of_record(record.pk, before, queries.PAGE + 1)
    shown, schema = changes[: queries.PAGE], schema_of_record(record)
    return {
        "history": [(change, ICONS[change.kind], _shown_changes(change, schema)) for change in shown],
        "next_before": shown[-1].pk if len(changes) > len(shown) else None,
    }


def _shown_changes(change: ObjectChange, schema: ObjectSchema) -> list[tuple[str, str | None, str | None]]:
    rows = changed_fields(change.changes, schema)
    return [(name, localized_value(old, name), localized_value(new, name)) for name, old, new in rows]


def _actions(request: HttpRequest, record: ObjectRecord) -> list[MenuAction]:
    may_delete = request.user.has_perm(records.DELETE) and record.deleted_at is None
    if not may_delete:
        return []
    url = reverse("admin:people_objectrecord_remove", args=[record.pk])
    return action_menu(MenuAction(_("Delete"), url, is_posted=True, is_dangerous=True))


def _run(request: HttpRequest, verb: Any, done: str) -> None:
    """Call `verb`, which returns an outcome, and show `done` or the problems as messages."""
    try:
        outcome: RecordOutcome = verb()
    except (ConflictError, RejectedError) as refusal:
        problems = refusal.problems
    else:
        problems = outcome.problems
    for problem in problems:
        messages.error(request, problem_text(problem))
    if not problems:
        messages.success(request, done)
