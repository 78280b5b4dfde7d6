"""Static lists in the admin: their list, the page of one list with its members, and folders."""

from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.admin.forms import ListForm, PasteForm
from people.core import references
from people.core.admin.base import (
    OwnPages,
    PagesAdmin,
    parse_ids,
    parse_number,
    problem_text,
    request_source,
    require_rights,
)
from people.core.admin.object_actions import MenuAction, action_menu, folder_actions, show_undoable_message
from people.core.errors import RejectedError
from people.core.models import Folder
from people.lists import folders, static_lists
from people.models import StaticList, StaticListCount, StaticListMember
from people.persons import bulk
from people.rights import DELETE_STATICLIST, VIEW_PERSON, VIEW_STATICLIST
from people.templatetags.moments import moment

MEMBERS = 50
STEPS = {"archive": static_lists.archive_static_list, "unarchive": static_lists.unarchive_static_list}


@admin.register(StaticList)
class StaticListAdmin(PagesAdmin):
    sortable_by = ()
    list_display = ("name", "shown_count", "folder", "owner", "is_archived", "created")
    list_filter = ("is_archived", "folder", ("owner", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("folder", "owner")
    search_fields = ("name", "description")
    nothing_yet = gettext_lazy("A static list holds people you add by hand, from a file or from a program.")
    empty_icon = "list_alt"

    def list_actions(self, request: HttpRequest) -> list[MenuAction]:
        return folder_actions(request)

    def get_queryset(self, request: HttpRequest) -> Any:
        size = StaticListCount.objects.filter(static_list_id=OuterRef("pk")).order_by().values("static_list_id")
        lists = super().get_queryset(request).annotate(size=Subquery(size.annotate(sum=Sum("people")).values("sum")))
        return lists.order_by("is_archived", Lower("name"))

    @admin.display(description=gettext_lazy("People"))
    def shown_count(self, static_list: Any) -> str:
        return str(intcomma(static_list.size or 0))

    @admin.display(description=gettext_lazy("Created"))
    def created(self, static_list: StaticList) -> Any:
        return moment(static_list.created_at)

    def own_pages(self) -> OwnPages:
        return [
            ("<int:pk>/edit/", self.edit_view, "edit"),
            ("<int:pk>/members/", self.members_view, "members"),
            ("<int:pk>/step/<str:step>/", self.step_view, "step"),
            ("<int:pk>/remove/", self.remove_view, "remove"),
            ("folders/", self.folders_view, "folders"),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ListForm(request.POST or None, owner=request.user.pk)
        if request.method == "POST" and form.is_valid():
            created = _tried(
                form,
                lambda: static_lists.create_static_list(
                    form.cleaned_data["name"],
                    request.user,
                    description=form.cleaned_data["description"],
                    folder=form.folder_for(request.user),
                    owner=form.cleaned_data["owner"],
                ),
            )
            if created:
                return redirect("admin:people_staticlist_change", created.pk)
        return self.page(request, "list_form", _("New static list"), form=form)

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        require_rights(request, static_lists.CHANGE)
        static_list = self._find(request, pk)
        values = {"name": static_list.name, "description": static_list.description}
        form = ListForm(request.POST or None, static_list, **values)
        if request.method == "POST" and form.is_valid():
            changed = _tried(
                form,
                lambda: static_lists.change_static_list(
                    static_list,
                    request.user,
                    name=form.cleaned_data["name"],
                    description=form.cleaned_data["description"],
                    folder=form.folder_for(request.user),
                    owner=form.cleaned_data["owner"],
                ),
            )
            if changed:
                return redirect("admin:people_staticlist_change", pk)
        title = _("Change %(name)s") % {"name": static_list}
        return self.page(request, "list_form", title, form=form, static_list=static_list)

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The list with a page of its members, by person id; search by the beginning of names and addresses."""
        static_list = self._find(request, pk)
        search = request.GET.get("q", "").replace("\0", " ")
        members = _members(static_list, search)
        after = parse_number(request.GET.get("after", ""))
        if after:
            members = members.filter(person_id__gt=after)
        if not request.user.has_perm(VIEW_PERSON):  # the number of members is no secret, their identity is
            members = members.none()
        page_members = list(members[: MEMBERS + 1])
        return self.page(
            request,
            "list",
            str(static_list),
            static_list=static_list,
            members=page_members[:MEMBERS],
            search=search,
            after=page_members[MEMBERS - 1].person_id if len(page_members) > MEMBERS else None,
            form=PasteForm(),
            count=static_lists.static_list_size(static_list),
            uses=references.uses_of(static_list),
            path=folders.folder_path(static_list.folder) if static_list.folder else (),
            actions=_actions(request, static_list),
        )

    def members_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Add pasted people, or remove the chosen ones."""
        require_rights(request, static_lists.CHANGE)
        static_list = self._find(request, pk)
        if request.method == "POST" and "remove" in request.POST:
            self._remove(request, static_list, parse_ids(request.POST.getlist("people")))
            return redirect("admin:people_staticlist_change", pk)
        form = PasteForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            pasted = _tried(form, lambda: static_lists.find_pasted_people(form.cleaned_data["people"]), "people")
            if pasted and pasted.person_ids:
                self._add(request, static_list, pasted.person_ids)
            for problem in pasted.problems[:10] if pasted else ():
                self.message_user(request, problem_text(problem), "WARNING")
            if pasted and len(pasted.problems) > 10:
                self.message_user(request, _("%(count)s more.") % {"count": len(pasted.problems) - 10}, "WARNING")
        return redirect("admin:people_staticlist_change", pk)

    def _add(self, request: HttpRequest, static_list: StaticList, person_ids: Any) -> None:
        """Add people: a few at once, many by a job."""
        if len(person_ids) <= bulk.PART:
            added = self.try_verb(
                request, lambda: static_lists.add_members(static_list, person_ids, request_source(request))
            )
            if added:
                self.message_user(
                    request, _("Added: %(count)s.") % {"count": added.count(static_lists.Membership.ADDED)}
                )
        elif self.try_verb(
            request, lambda: bulk.start_bulk_action("add_to_list", person_ids, request.user, static_list)
        ):
            self.message_user(request, _("They are being added; see “Bulk actions”."))

    def _remove(self, request: HttpRequest, static_list: StaticList, person_ids: list[int]) -> None:
        removed = self.try_verb(
            request, lambda: static_lists.remove_members(static_list, person_ids, request_source(request))
        )
        if removed is not None and removed is not True:
            count = removed.count(static_lists.Membership.REMOVED)
            self.message_user(request, _("Removed: %(count)s. They stay in the database.") % {"count": count})

    def step_view(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        if request.method != "POST" or step not in STEPS:
            raise Http404
        static_list = self._find(request, pk)
        if self.try_verb(request, lambda: STEPS[step](static_list, request.user)):
            reverse_step = "archive" if step == "unarchive" else "unarchive"
            done = _("Unarchived.") if step == "unarchive" else _("Archived.")
            show_undoable_message(request, done, reverse("admin:people_staticlist_step", args=[pk, reverse_step]))
        return redirect("admin:people_staticlist_change", pk)

    def remove_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the consequences and the hindrances of deleting the list; delete it on POST."""
        require_rights(request, DELETE_STATICLIST)
        static_list = self._find(request, pk)
        if request.method == "POST":
            done = _("The list is deleted; its people stay.")
            if self.try_verb(request, lambda: static_lists.delete_static_list(static_list, request.user), done):
                return redirect("admin:people_staticlist_changelist")
        count = static_lists.static_list_size(static_list)
        title = _("Delete %(name)s?") % {"name": static_list}
        return self.page(
            request, "delete_list", title, static_list=static_list, uses=references.uses_of(static_list), count=count
        )

    def folders_view(self, request: HttpRequest) -> HttpResponse:
        """All folders; create, rename or delete one."""
        require_rights(request, VIEW_STATICLIST)
        if request.method == "POST":
            self._change_folder(request)
            return redirect("admin:people_staticlist_folders")
        return self.page(request, "folders", _("Folders"), folders=folders.folder_tree())

    def _change_folder(self, request: HttpRequest) -> None:
        folder = Folder.objects.filter(pk=parse_number(request.POST.get("folder", ""))).first()
        name, step = request.POST.get("name", ""), request.POST.get("step")
        if step == "create":
            self.try_verb(request, lambda: folders.create_folder(name, request.user, folder), _("Done."))
        elif folder is not None and step == "rename":
            self.try_verb(request, lambda: folders.rename_folder(folder, request.user, name), _("Done."))
        elif folder is not None and step == "delete":
            self.try_verb(request, lambda: folders.delete_folder(folder, request.user), _("Done."))

    def _find(self, request: HttpRequest, pk: int) -> StaticList:
        require_rights(request, VIEW_STATICLIST)
        static_list = StaticList.objects.select_related("folder", "owner", "created_by").filter(pk=pk).first()
        if static_list is None:
            raise Http404
        return static_list


def _actions(request: HttpRequest, static_list: StaticList) -> list[MenuAction]:
    def address(name: str, right: str, *more: str) -> str:
        return (
            reverse(f"admin:people_staticlist_{name}", args=[static_list.pk, *more])
            if request.user.has_perm(right)
            else ""
        )

    step = "unarchive" if static_list.is_archived else "archive"
    return action_menu(
        place=address("edit", static_lists.CHANGE),
        archive=address("step", static_lists.CHANGE, step),
        is_archived=static_list.is_archived,
        delete=address("remove", DELETE_STATICLIST),
    )


def _members(static_list: StaticList, search: str) -> Any:
    """Members with a name or address that begins with each word of `search`."""
    members = StaticListMember.objects.of_list(static_list.pk).select_related("person", "user")
    return members.beginning_with(search)


def _tried(form: Any, verb: Any, place: str | None = None) -> Any:
    """The result of `verb`; None where it refused, with the errors added to the form."""
    try:
        with transaction.atomic():  # a refusal of the list rolls back a new folder, too
            return verb()
    except RejectedError as refusal:
        for problem in refusal.problems:
            field = place or (str(problem.path[0]) if problem.path else "")
            form.add_error(field if field in form.fields else None, problem_text(problem))
        return None
