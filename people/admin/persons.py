"""The list of people and the page of one person."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from people.admin import bulk, delete, profile
from people.admin import duplicates as admin_duplicates
from people.admin import merge as admin_merge
from people.admin.forms import ValuesForm, list_choices
from people.core.admin.base import OwnPages, PagesAdmin, parse_number, request_source, require_rights
from people.core.admin.object_actions import MenuAction, action_menu
from people.core.admin.pagination import UncountedChangeList, UncountedPaginator
from people.core.errors import ConflictError
from people.lists import static_lists
from people.models import Person, PersonMerge, StaticList, StaticListMember
from people.persons import duplicates, upsert
from people.persons import merge as person_merge
from people.persons import size as person_size
from people.querysets import FOUND_BY
from people.templatetags.people_tags import avatar

LISTS_SHOWN = 100


class YesFilter(admin.SimpleListFilter):
    """People with the value yes in a boolean field: the rare value, which has its own index."""

    field = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(**{self.field: True}) if self.value() == "yes" else queryset


class UnsubscribedFilter(YesFilter):
    title, parameter_name, field = gettext_lazy("Unsubscribed"), "unsubscribed", "unsubscribed"


class InvalidFilter(YesFilter):
    title, parameter_name, field = gettext_lazy("Email Invalid"), "invalid", "email_invalid"


class ListFilter(admin.SimpleListFilter):
    """People on one static list."""

    title = gettext_lazy("static list")
    parameter_name = "list"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(static_list.pk), static_list.name) for static_list in list_choices()[:LISTS_SHOWN]]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.value():
            return queryset
        members = StaticListMember.objects.filter(
            static_list_id=parse_number(self.value() or ""), person_id=OuterRef("pk")
        )
        return queryset.filter(Exists(members))


@admin.register(Person)
class PersonAdmin(PagesAdmin):
    list_display = ("shown_name", "email", "company", "country")
    list_display_links = ("shown_name",)
    list_filter = (UnsubscribedFilter, InvalidFilter, ListFilter)
    search_fields = FOUND_BY
    search_help_text = gettext_lazy("Name, email or company")
    list_before_template = "people/_people_links.html"
    nothing_yet = gettext_lazy("People you import, add by hand or record activities for appear here.")
    empty_icon = "group"
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()  # newest first: another order would read all people; the members of a smart list can be sorted
    actions = ("merge_selected", "add_selected", "remove_selected", "delete_selected_people")

    def get_changelist(self, request: HttpRequest, **_options: Any) -> Any:
        return UncountedChangeList

    def get_paginator(self, request: HttpRequest, queryset: Any, per_page: int, *_args: Any, **_more: Any) -> Any:
        return UncountedPaginator.of_request(request, queryset, per_page)

    def get_queryset(self, request: HttpRequest) -> Any:
        return Person.objects.live()

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-id",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search by the index of people's words; the words of a name may be in any order."""
        return queryset.newest_beginning_with(search_term), False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "people_count": person_size.people_count()})

    def get_list_display(self, request: HttpRequest) -> Any:
        """Link names to the timeline, the first page of a profile, where the user may see activities."""
        name = "profile_link" if request.user.has_perm("activities.view_activity") else "shown_name"
        return (name, *self.list_display[1:])

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        return ("shown_name",) if "shown_name" in list_display else None

    @admin.display(description=gettext_lazy("Name"))
    def shown_name(self, person: Person) -> str:
        return format_html('<span class="ca-who">{} <bdi>{}</bdi></span>', avatar(str(person), person.pk), person)

    @admin.display(description=gettext_lazy("Name"))
    def profile_link(self, person: Person) -> str:
        timeline = reverse("admin:activities_timeline", args=[person.pk])
        return format_html('<a class="ca-link" href="{}">{}</a>', timeline, self.shown_name(person))

    @action(description=gettext_lazy("Merge…"))
    def merge_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: person_merge.MAX_LOSERS + 2])
        return redirect(admin_merge.merge_address(ids))

    @action(description=gettext_lazy("Add to a static list…"))
    def add_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return bulk.confirm_bulk_action(self, request, "add_to_list", queryset)

    @action(description=gettext_lazy("Remove from a static list…"))
    def remove_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return bulk.confirm_bulk_action(self, request, "remove_from_list", queryset)

    @action(description=gettext_lazy("Delete…"))
    def delete_selected_people(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return bulk.confirm_bulk_action(self, request, "delete", queryset)

    def get_actions(self, request: HttpRequest) -> Any:
        rights = {
            "merge_selected": person_merge.MERGE,
            "add_selected": static_lists.CHANGE,
            "remove_selected": static_lists.CHANGE,
            "delete_selected_people": "people.delete_person",
        }
        actions = super().get_actions(request)
        return {
            name: entry for name, entry in actions.items() if name in rights and request.user.has_perm(rights[name])
        }

    def own_pages(self) -> OwnPages:
        return [
            ("<int:pk>/lists/", self.lists_view, "lists"),
            *profile.urls(self),
            *delete.urls(self),
            *admin_merge.urls(self),
            *admin_duplicates.urls(self),
            *bulk.urls(self),
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
        form = ValuesForm(request.POST or None, person)
        if request.method == "POST" and form.is_valid() and self._save(request, person, form):
            messages.success(request, _("Saved."))
            return redirect("admin:people_person_change", person.pk)
        return self._person_page(request, person, form)

    def _save(self, request: HttpRequest, person: Person, form: ValuesForm) -> bool:
        require_rights(request, "people.change_person")
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
            actions=_actions(request, person),
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
            self.tried(
                request, lambda: verb(static_list, [pk], request_source(request)), done % {"list": static_list.name}
            )
        return redirect("admin:people_person_change", pk)


def _actions(request: HttpRequest, person: Person) -> list[MenuAction]:
    def address(name: str, right: str) -> str:
        return reverse(f"admin:people_person_{name}", args=[person.pk]) if request.user.has_perm(right) else ""

    return action_menu(
        MenuAction(_("Audit log"), reverse("admin:people_person_history", args=[person.pk])),
        export=(MenuAction(_("Export everything (JSON)"), address("archive", "people.export_person"), is_posted=True),),
        dangerous=(MenuAction(_("Erase for good…"), address("erase", "people.erase_person"), is_dangerous=True),),
        delete=address("remove", "people.delete_person"),
    )
