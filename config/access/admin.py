"""Users, roles and API clients in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.views import PasswordChangeView
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from oauth2_provider.models import get_access_token_model, get_grant_model, get_id_token_model, get_refresh_token_model
from unfold.admin import ModelAdmin
from unfold.forms import AdminOwnPasswordChangeForm

from config.access import sessions
from config.access.clients import offered_rights
from config.access.models import ApiClient
from config.access.sessions import signed_in_user
from config.access.sign_in import passwords
from config.access.sign_in import views as sign_in_views
from config.access.users import limits

LIBRARIES = ("account", "mfa", "socialaccount", "axes")

admin.site.unregister(Group)
for token_model in (get_access_token_model(), get_grant_model(), get_id_token_model(), get_refresh_token_model()):
    admin.site.unregister(token_model)  # tokens have their own pages: see config.access.clients
for model in [model for model in admin.site._registry if model._meta.app_label in LIBRARIES]:
    admin.site.unregister(model)  # the product's own pages show their data
if admin.site.is_registered(ApiClient):
    admin.site.unregister(ApiClient)


class OwnPassword(PasswordChangeView):
    """Change of the user's own password: the old one, then the new one twice; ends the user's other sessions."""

    form_class = AdminOwnPasswordChangeForm
    template_name = "registration/password_change_form.html"
    success_url = reverse_lazy("mfa_index")

    def form_valid(self, form: Any) -> HttpResponse:
        user, password = signed_in_user(self.request), form.cleaned_data["new_password1"]
        passwords.change_password(user, password, user, keep=self.request.session.session_key)
        update_session_auth_hash(self.request, user)
        messages.success(self.request, _("Your password was changed; all other sessions were signed out."))
        return redirect(self.get_success_url())

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return super().get_context_data(**admin.site.each_context(self.request), **more)


def _models_of_an_app(request: HttpRequest, app_label: str | None = None) -> list[Any]:
    """The models of one app, for its page; none without an app.

    Django lists all models with the user's rights for the context of every page. The menu is `config.pages.navigation`,
    nothing shows that list, and it took a quarter of the time of a page.
    """
    return AdminSite.get_app_list(admin.site, request, app_label) if app_label else []


# one sign-in page: every address of the admin's login page leads to the product's
admin.site.login = sign_in_views.page  # type: ignore[method-assign, assignment]  # one more kind of reply
admin.site.has_permission = sign_in_views.has_permission  # type: ignore[method-assign]
admin.site.get_app_list = _models_of_an_app  # type: ignore[method-assign]
admin.site.password_change = OwnPassword.as_view()  # type: ignore[method-assign, assignment]


class RoleRightsField(forms.ModelMultipleChoiceField):
    """Rights as check boxes, labelled in the reader's language."""

    def label_from_instance(self, obj: Any) -> str:
        return offered_rights.right_label(obj)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """A team's own roles. An editor can give a role only rights that the editor has."""

    filter_horizontal = ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        within = obj is None or limits.roles_grantable_by(request.user).filter(pk=obj.pk).exists()
        return super().has_change_permission(request, obj) and within

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        within = obj is None or limits.roles_grantable_by(request.user).filter(pk=obj.pk).exists()
        return super().has_delete_permission(request, obj) and within

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *arguments: Any, **more: Any) -> Any:
        """Require a confirmed session for adding permissions to a role: a role outlives a session."""
        if request.method == "POST":
            role = self.get_object(request, object_id) if object_id else None
            permission_ids = {str(pk) for pk in role.permissions.values_list("pk", flat=True)} if role else set()
            is_wider = not set(request.POST.getlist("permissions")) <= permission_ids
            if is_wider and (confirmation := sessions.confirmation_redirect(request)):
                return confirmation
        return super().changeform_view(request, object_id, *arguments, **more)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **options: Any) -> Any:
        """The offered rights and those that the role has, limited to the editor's own."""
        if request is None:
            return super().formfield_for_manytomany(db_field, request, **options)
        role_id = request.resolver_match.kwargs.get("object_id", "") if request.resolver_match else ""
        of_role = Q(group=int(role_id)) if str(role_id).isdecimal() and len(str(role_id)) < 10 else Q(pk=None)
        offered = (
            Permission.objects.filter(offered_rights.offered_rights_condition() | of_role)
            .select_related("content_type")
            .distinct()
        )
        if not request.user.is_superuser:
            offered = offered.filter(pk__in=limits.granted_rights(request.user).values("pk"))
        options |= {"queryset": offered, "form_class": RoleRightsField, "widget": forms.CheckboxSelectMultiple}
        return super().formfield_for_manytomany(db_field, request, **options)


from config.access import user_admin  # noqa: E402, F401
from config.access.clients import admin as client_admin  # noqa: E402, F401 (registers its pages)
