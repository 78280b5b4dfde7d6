"""Users, roles and API clients in the admin."""

from copy import copy
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.views import PasswordChangeView
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oauth2_provider.models import get_access_token_model, get_grant_model, get_id_token_model, get_refresh_token_model
from unfold.admin import ModelAdmin
from unfold.forms import AdminOwnPasswordChangeForm, AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from config.access.models import ApiClient, User
from config.access.sign_in import account, passwords
from config.access.sign_in import views as sign_in_views
from config.access.sign_in.sessions import signed_in
from config.access.users import role_audit, roles

LIBRARIES = ("account", "mfa", "socialaccount", "axes")

admin.site.unregister(Group)
for token_model in (get_access_token_model(), get_grant_model(), get_id_token_model(), get_refresh_token_model()):
    admin.site.unregister(token_model)  # tokens are ours: see clients.py
for model in [model for model in admin.site._registry if model._meta.app_label in LIBRARIES]:
    admin.site.unregister(model)  # what they keep is shown on pages of ours
if admin.site.is_registered(ApiClient):
    admin.site.unregister(ApiClient)


class OwnPassword(PasswordChangeView):
    """One's own password: the old one, then twice the new one; ends one's other sessions."""

    form_class = AdminOwnPasswordChangeForm
    template_name = "registration/password_change_form.html"
    success_url = reverse_lazy("mfa_index")

    def form_valid(self, form: Any) -> HttpResponse:
        user, password = signed_in(self.request), form.cleaned_data["new_password1"]
        passwords.change(user, password, user, keep=self.request.session.session_key)
        update_session_auth_hash(self.request, user)
        messages.success(self.request, _("Your password is changed; elsewhere you are signed out."))
        return redirect(self.get_success_url())

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return super().get_context_data(**admin.site.each_context(self.request), **more)


class PasswordOfAnother(AdminPasswordChangeForm):
    """A password that an administrator chooses for somebody, who has to change it at the next sign-in."""

    def __init__(self, *args: Any, by: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.by = by

    def save(self, commit: bool = True) -> Any:
        if not self.cleaned_data["set_usable_password"]:
            return super().save(commit)
        passwords.change(self.user, self.cleaned_data["password1"], self.by)
        return self.user


# one channel: whatever leads to the admin's login page leads to ours
admin.site.login = sign_in_views.page  # type: ignore[method-assign, assignment]  # one more kind of reply
admin.site.has_permission = sign_in_views.has_permission  # type: ignore[method-assign]
admin.site.password_change = OwnPassword.as_view()  # type: ignore[method-assign, assignment]


class RolesField(forms.ModelMultipleChoiceField):
    """Roles as boxes to tick, each with what it lets somebody do."""

    def label_from_instance(self, obj: Any) -> str:
        return roles.label(obj.name)


_SIGN_IN = ("username", "email", "first_name", "last_name")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "email", "roles", "is_active", "last_login")
    list_filter = ("is_active", "groups", "is_superuser")
    list_select_related = False
    filter_horizontal = ("user_permissions",)
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": (*_SIGN_IN, "groups", "is_active")}),
        (gettext_lazy("Language and time"), {"fields": ("language", "time_zone")}),
        (
            gettext_lazy("Further rights"),
            {"classes": ("collapse",), "fields": ("is_superuser", "user_permissions", "last_login", "date_joined")},
        ),
    )
    add_fieldsets = ((None, {"fields": (*_SIGN_IN, "groups", "usable_password", "password1", "password2")}),)
    change_form_template = "access/user.html"

    def get_urls(self) -> list[URLPattern]:
        sign_in = self.admin_site.admin_view(account.sign_in_of)
        return [path("<int:user_id>/sign-in/", sign_in, name="access_user_sign_in"), *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.must_change_password = obj.has_usable_password()
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        offered = {name: form.fields[name].queryset for name in ("groups", "user_permissions") if name in form.fields}
        # what the form could not show is kept: a save says nothing of it
        kept = {
            name: list(getattr(form.instance, name).exclude(pk__in=queryset.values("pk")))
            for name, queryset in offered.items()
        }
        super().save_related(request, form, formsets, change)
        for name, rows in kept.items():
            getattr(form.instance, name).add(*rows)
        role_audit.note_changes(form.instance, form.initial if change else {}, request.user)

    def user_change_password(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        bound: Any = copy(self)
        bound.change_password_form = partial(PasswordOfAnother, by=request.user)
        bound.log_change = lambda *_entry: None  # the verb writes one
        return super(UserAdmin, bound).user_change_password(request, *args, **options)

    @admin.display(description=gettext_lazy("name"), ordering="first_name")
    def full_name(self, user: Any) -> str:
        return user.get_full_name()

    @admin.display(description=gettext_lazy("roles"))
    def roles(self, user: Any) -> str:
        names = [roles.name(role.name) for role in user.groups.all()]
        return ", ".join([_("Superuser"), *names] if user.is_superuser else names) or _("None: cannot sign in")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(is_api_only=False).prefetch_related("groups")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # users are deactivated, never deleted

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes, or sets the password of, somebody who may do more than they themselves."""
        return super().has_change_permission(request, obj) and (obj is None or _is_within(request.user, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        kept = super().get_readonly_fields(request, obj)
        return kept if request.user.is_superuser else (*kept, "is_superuser")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "groups":
            options |= {
                "queryset": _roles_within(request.user).order_by("name"),
                "form_class": RolesField,
                "widget": UnfoldAdminCheckboxSelectMultipleWidget(),
                "label": _("Roles"),
                "help_text": _("Whoever has a role can sign in. Several add up."),
            }
        return _within(super().formfield_for_manytomany(db_field, request, **options), request.user, db_field.name)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Roles: whoever changes one can give it no right that they have not themselves."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        within = obj is None or _roles_within(request.user).filter(pk=obj.pk).exists()
        return super().has_change_permission(request, obj) and within

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        within = obj is None or _roles_within(request.user).filter(pk=obj.pk).exists()
        return super().has_delete_permission(request, obj) and within

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **options: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **options)
        return field if request is None else _within(field, request.user, db_field.name)


def _own_rights(user: Any) -> Any:
    """The rights of somebody who is no superuser, as rows."""
    return Permission.objects.filter(Q(user=user) | Q(group__user=user))


def _roles_within(user: Any) -> Any:
    if user.is_superuser:
        return Group.objects.all()
    beyond = Permission.objects.exclude(pk__in=_own_rights(user).values("pk"))
    return Group.objects.exclude(permissions__in=beyond)


def _is_within(user: Any, other: Any) -> bool:
    """Whether `other` may do nothing that `user` may not do."""
    if user.is_superuser:
        return True
    # those that are granted: Django says of somebody inactive that they may do nothing
    beyond = _own_rights(other).exclude(pk__in=_own_rights(user).values("pk"))
    return not other.is_superuser and not beyond.exists()


def _within(field: Any, user: Any, name: str) -> Any:
    """The field of rights without those that `user` could not give."""
    if field is not None and name in {"permissions", "user_permissions"} and not user.is_superuser:
        field.queryset = field.queryset.filter(pk__in=_own_rights(user).values("pk"))
    return field


from config.access.clients import admin as client_admin  # noqa: E402, F401 (its pages register themselves)
