"""Person fields in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from people.admin.forms import PersonFieldForm, field_label
from people.core import references
from people.core.admin.base import OwnPages, PagesAdmin, require_rights, state_badge
from people.core.errors import RejectedError
from people.fields import editing as field_editing
from people.models import PersonField
from people.rights import DELETE_PERSONFIELD

FILLED_BY_LINKS = ("label", "api_name", "data_type")
MAX_FILLED = 255


@admin.register(PersonField)
class PersonFieldAdmin(PagesAdmin):
    sortable_by = ()
    list_display = ("shown_label", "data_type", "api_name", "marks")
    list_filter = ("is_standard", "data_type", "is_unique", "is_hidden")
    search_fields = ("label", "api_name")
    list_per_page = 200
    ordering = ("is_standard", "pk")

    @admin.display(description=gettext_lazy("Label"))
    def shown_label(self, field: PersonField) -> str:
        return field_label(field)

    @admin.display(description=gettext_lazy("Properties"))
    def marks(self, field: PersonField) -> Any:
        """Chips for what is special about the field; nothing for most."""
        special = (
            (field.is_standard, _("Standard")),
            (field.is_unique, pgettext("person field", "Unique")),
            (field.is_hidden, pgettext("person field", "Hidden")),
        )
        return format_html_join(" ", "{}", ((state_badge(label),) for is_so, label in special if is_so)) or None

    def own_pages(self) -> OwnPages:
        return [("<int:pk>/remove/", self.remove_view, "remove")]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        # a link may fill in some of the form, as from a trait in the inbox
        filled = {name: request.GET[name][:MAX_FILLED] for name in FILLED_BY_LINKS if name in request.GET}
        form = PersonFieldForm(request.POST or None, initial=filled)
        if request.method == "POST" and form.is_valid():
            values = form.values
            try:
                field_editing.create_person_field(values.pop("label"), values.pop("data_type"), request.user, **values)
            except RejectedError as refusal:
                form.show(refusal.problems)
            else:
                messages.success(request, _("Added. It now shows on every person's page."))
                return redirect("admin:people_personfield_changelist")
        return self.page(request, "field_form", _("New person field"), form=form)

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        field = self._find(request, pk)
        may_change = self.has_change_permission(request, field)
        form = PersonFieldForm(request.POST or None, field)
        if request.method == "POST" and may_change and form.is_valid():
            try:
                field_editing.change_person_field(field, request.user, **form.values)
            except RejectedError as refusal:
                form.show(refusal.problems)
            else:
                messages.success(request, _("Saved."))
                return redirect("admin:people_personfield_change", field.pk)
        return self.page(
            request,
            "field_form",
            field_label(field),
            form=form,
            field=field,
            may_change=may_change,
            uses=references.uses_of(field),
        )

    def remove_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the consequences and the hindrances of deleting the field; delete it on POST."""
        require_rights(request, DELETE_PERSONFIELD)
        field = self._find(request, pk)
        if request.method == "POST":
            done = _("Deleted. Its values are being cleared.")
            if self.try_verb(request, lambda: field_editing.delete_person_field(field, request.user), done):
                return redirect("admin:people_personfield_changelist")
        title = _("Delete %(name)s?") % {"name": field_label(field)}
        return self.page(request, "delete_field", title, field=field, uses=references.uses_of(field))

    def _find(self, request: HttpRequest, pk: int) -> PersonField:
        if not self.has_view_permission(request):
            raise PermissionDenied
        field = PersonField.objects.filter(pk=pk).first()
        if field is None:
            raise Http404
        return field
