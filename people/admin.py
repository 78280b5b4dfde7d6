"""People, their fields and this installation, in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from people import changing, datatypes, installation
from people.fields import READ_ONLY, STANDARD
from people.models import Installation, Person, PersonField
from people.paging import UncountedPaginator
from people.sources import Door, Source

EDITABLE = tuple(name for name in STANDARD if name not in READ_ONLY)
SEARCHED = ("email", "first_name", "last_name", "company")


class PersonForm(forms.ModelForm):
    """A person's standard fields; `changing` decides, under the revision that the editor saw."""

    seen_revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Person
        fields = EDITABLE

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["seen_revision"].initial = self.instance.revision

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        seen = cleaned.get("seen_revision")
        if self.instance.pk and seen is not None and seen != self.instance.revision:
            raise ValidationError(
                _("Somebody else changed this person in the meantime. Look again; nothing was overwritten.")
            )
        for name in EDITABLE:
            raw = cleaned.get(name)
            if raw is not None and not datatypes.is_blank(raw):
                self._check(name, raw)
        return cleaned

    def _check(self, name: str, raw: Any) -> None:
        data_type = datatypes.BY_NAME[STANDARD[name][1]]
        try:
            data_type.parse(raw, installation.zone())
        except datatypes.BadValue as error:
            self.add_error(name, _("Expected %(expected)s.") % {"expected": error.expected})


@admin.register(Person)
class PersonAdmin(ModelAdmin):
    form = PersonForm
    list_display = ("shown_name", "email", "company", "country", "timeline")
    list_filter = ("unsubscribed",)
    search_fields = SEARCHED
    search_help_text = gettext_lazy("Beginning of e-mail, first name, last name or company")
    paginator = UncountedPaginator
    show_full_result_count = False
    actions = None

    def get_queryset(self, request: HttpRequest) -> Any:
        return Person.objects.live()

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-id",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By the beginning, on the lower-case indexes; the words of a name may come in any order."""
        for word in datatypes.text_key(search_term).split()[:5]:
            queryset = queryset.alias(**{f"lower_{name}": Lower(name) for name in SEARCHED})
            matches = Q()
            for name in SEARCHED:
                matches |= Q(**{f"lower_{name}__startswith": word})
            queryset = queryset.filter(matches)
        return queryset, False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a row is never deleted

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [(None, {"fields": (*EDITABLE, "seen_revision")})]

    @admin.display(description=gettext_lazy("Name"))
    def shown_name(self, person: Person) -> str:
        return str(person)

    @admin.display(description=gettext_lazy("Activities"))
    def timeline(self, person: Person) -> str:
        return format_html('<a href="{}">{}</a>', reverse("admin:activities_timeline", args=[person.pk]), _("Timeline"))

    def save_model(self, request: HttpRequest, obj: Person, form: PersonForm, change: bool) -> None:
        source = Source(Door.ADMIN, request.user.pk)
        values = {
            name: form.cleaned_data.get(name)
            for name in (form.changed_data if change else EDITABLE)
            if name in EDITABLE
        }
        if change:
            outcome = changing.update(Person.objects.get(pk=obj.pk), values, source, form.cleaned_data["seen_revision"])
        else:
            (outcome,) = changing.upsert([values], source, action=changing.Action.DUPLICATE)
            obj.pk = outcome.person_id
        for problem in outcome.problems:
            messages.error(request, f"{problem.path}: {problem.message}")

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Without values: the log of edits holds nothing personal."""
        names = [name for entry in message for name in entry.get("changed", {}).get("fields", [])]
        return super().log_change(request, Person(pk=obj.pk), [{"changed": {"fields": names}}])

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_addition(request, Person(pk=obj.pk), message)


@admin.register(PersonField)
class PersonFieldAdmin(ModelAdmin):
    list_display = ("label", "api_name", "data_type", "is_standard", "is_unique")
    search_fields = ("label", "api_name")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Installation)
class InstallationAdmin(ModelAdmin):
    list_display = ("company", "time_zone", "currency", "language")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        installation.forget()


from people import export_admin, import_admin  # noqa: E402, F401 (their pages register themselves)
