"""The list of people and the page of one person."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from people.admin import bulk, delete, people_actions, people_list, profile
from people.admin import duplicates as admin_duplicates
from people.admin import merge as admin_merge
from people.admin.forms import ValuesForm, list_choices
from people.core.admin.base import OwnPages, PagesAdmin, parse_number, request_source, require_rights
from people.core.admin.object_actions import MenuAction, action_menu
from people.core.errors import ConflictError
from people.lists import static_lists
from people.models import Person, PersonMerge, StaticList
from people.persons import duplicates, upsert
from people.persons import merge as person_merge
from people.querysets import FOUND_BY
from people.rights import CHANGE_PERSON, DELETE_PERSON, ERASE_PERSON, EXPORT_PERSON

LISTS_SHOWN = 100


@admin.register(Person)
class PersonAdmin(PagesAdmin):
    search_fields = FOUND_BY

    def get_queryset(self, request: HttpRequest) -> Any:
        return Person.objects.live()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return people_actions.run_action(self, request)
        return people_list.show_people(self, request)

    def own_pages(self) -> OwnPages:
        return [
            ("<int:pk>/lists/", self.lists_view, "lists"),
            *people_actions.action_urls(self),
            *profile.profile_urls(self),
            *delete.deletion_urls(self),
            *admin_merge.merge_urls(self),
            *admin_duplicates.duplicate_urls(self),
            *bulk.bulk_urls(self),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ValuesForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            (outcome,) = upsert.upsert_people(
                [form.changes],
                request_source(request),
                action=upsert.UpsertAction.DUPLICATE,
                zone=timezone.get_current_timezone(),
            )
            if outcome.person_id:
                messages.success(request, _("Added."))
                return redirect("admin:people_person_change", outcome.person_id)
            form.show(outcome.problems)
        return self.page(request, "new_person", _("New person"), form=form)

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        person = Person.objects.filter(pk=pk).select_related("merged_into").first()
        if person is None or person.state == Person.State.ERASED:
            raise Http404
        if person.state == Person.State.MERGED:
            messages.info(request, _("Person %(id)s was merged into this one.") % {"id": person.pk})
            return redirect("admin:people_person_change", person.merged_into_id)
        if not person.is_live:
            return self.page(request, "deleted_person", str(person), person=person)
        form = ValuesForm(request.POST or None, person, is_disabled=not self.has_change_permission(request, person))
        if request.method == "POST" and form.is_valid() and self._save(request, person, form):
            messages.success(request, _("Saved."))
            return redirect("admin:people_person_change", person.pk)
        return self._person_page(request, person, form)

    def _save(self, request: HttpRequest, person: Person, form: ValuesForm) -> bool:
        require_rights(request, CHANGE_PERSON)
        try:
            outcome = upsert.update_person(
                person,
                form.changes,
                request_source(request),
                form.cleaned_data["seen_revision"],
                zone=timezone.get_current_timezone(),
            )
        except ConflictError as conflict:
            form.show(conflict.problems)
            return False
        form.show(outcome.problems)
        return not outcome.problems

    def _person_page(self, request: HttpRequest, person: Person, form: ValuesForm) -> HttpResponse:
        members = person.list_memberships.select_related("static_list", "user").order_by("static_list__name")
        merge = PersonMerge.objects.standing().filter(winner=person).first()
        return self.page(
            request,
            "person",
            str(person),
            person=person,
            form=form,
            members=members[:LISTS_SHOWN],
            lists=list_choices() if request.user.has_perm(static_lists.CHANGE) else (),
            suspicions=duplicates.duplicates_of_person(person),
            merge=merge,
            merge_hindrance=person_merge.undo_problem(merge) if merge else None,
            may_change=self.has_change_permission(request, person),
            actions=person_actions(request, person),
        )

    def lists_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Add one person to a list, or remove them from it."""
        require_rights(request, static_lists.CHANGE)
        verb = {"add": static_lists.add_members, "remove": static_lists.remove_members}.get(
            request.POST.get("verb", "")
        )
        static_list = StaticList.objects.filter(pk=parse_number(request.POST.get("static_list", ""))).first()
        if verb is None or static_list is None:
            messages.error(request, _("Choose a static list."))
        else:
            done = _("Added to “%(list)s”.") if verb is static_lists.add_members else _("Removed from “%(list)s”.")
            self.try_verb(
                request, lambda: verb(static_list, [pk], request_source(request)), done % {"list": static_list.name}
            )
        return redirect("admin:people_person_change", pk)


def person_actions(request: HttpRequest, person: Person) -> list[MenuAction]:
    """The menu of a person, the same on every tab."""

    def address(name: str, right: str) -> str:
        return reverse(f"admin:people_person_{name}", args=[person.pk]) if request.user.has_perm(right) else ""

    return action_menu(
        MenuAction(_("Audit log"), reverse("admin:people_person_history", args=[person.pk])),
        export=(MenuAction(_("Export everything (JSON)"), address("archive", EXPORT_PERSON), is_posted=True),),
        dangerous=(MenuAction(_("Erase for good…"), address("erase", ERASE_PERSON), is_dangerous=True),),
        delete=address("remove", DELETE_PERSON),
    )
