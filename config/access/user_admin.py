"""The pages of users: list with roles, invitation, change, deactivation."""

from copy import copy
from functools import partial
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm

from config.access import roles, sessions
from config.access.models import Invitation, User
from config.access.rights import CHANGE_USER
from config.access.sign_in import account, mfa, passwords
from config.access.users import deactivation, editing, invitations
from config.access.users.forms import InvitationForm, UserForm
from config.access.users.limits import has_rights_of
from people.core import audit, words
from people.core.admin.base import OwnPages, PagesAdmin, parse_number, require_rights
from people.core.admin.object_actions import MenuAction
from people.core.errors import NotAllowedError, RejectedError

PER_PAGE = 100


class OtherUsersPasswordForm(AdminPasswordChangeForm):
    """A password that an administrator chooses for another user, who must change it at the next sign-in."""

    def __init__(self, *args: Any, by: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.by = by

    def save(self, commit: bool = True) -> Any:
        if not self.cleaned_data["set_usable_password"]:
            return super().save(commit)
        passwords.change_password(self.user, self.cleaned_data["password1"], self.by)
        return self.user


@admin.register(User)
class UserAdmin(PagesAdmin, DjangoUserAdmin):
    """Django's admin serves the page of another user's password and the history; the other pages are the product's."""

    form = UserChangeForm
    list_filter = ()

    search_fields = ("username", "first_name", "last_name", "email")
    change_password_form = AdminPasswordChangeForm

    def own_pages(self) -> OwnPages:
        return (
            ("<int:user_id>/sign-in/", account.user_sign_in_page, "sign_in"),
            ("<int:pk>/deactivate/", self.deactivate_view, "deactivate"),
            ("<int:pk>/activate/", self.activate_view, "activate"),
            ("invitations/<int:pk>/", self.invitation_view, "invitation"),
        )

    def get_queryset(self, request: HttpRequest) -> Any:
        """Users without programs and without the user in whose name the product itself acts."""
        return super().get_queryset(request).filter(is_api_only=False).exclude(username=audit.SYSTEM_USERNAME)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse to change a user, or their password, who has more rights than the editor."""
        return super().has_change_permission(request, obj) and (obj is None or has_rights_of(request.user, obj))

    def user_change_password(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        require_rights(request, CHANGE_USER)
        if confirmation := sessions.confirmation_redirect(request):
            return confirmation
        bound: Any = copy(self)
        bound.change_password_form = partial(OtherUsersPasswordForm, by=request.user)
        bound.log_change = lambda *_entry: None  # `passwords.change_password` writes one
        return super(UserAdmin, bound).user_change_password(request, *args, **options)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """List invitations, then users; `status=deactivated` shows deactivated users."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        is_active = request.GET.get("status") != "deactivated"
        query = request.GET.get("q", "").replace("\0", "").strip()[: words.MAX_LENGTH]
        users = self.get_queryset(request).filter(is_active=is_active).prefetch_related("groups")
        users = words.filter_by_words(users, query, *self.search_fields)
        page = Paginator(users.order_by("first_name", "last_name", "username"), PER_PAGE).get_page(request.GET.get("p"))
        secured = set(
            Authenticator.objects.filter(user__in=[user.pk for user in page], type__in=mfa.FACTORS).values_list(
                "user_id", flat=True
            )
        )
        waiting = Invitation.objects.select_related("invited_by").prefetch_related("groups").order_by("-pk")
        return self.page(
            request,
            "users",
            _("Users"),
            rows=[(user, _role_names(user), user.pk in secured, _purposes(user)) for user in page],
            page=page,
            q=query,
            is_active=is_active,
            invitations=[(row, _role_names(row), _purposes(row)) for row in waiting]
            if is_active and not query and page.number == 1
            else [],
            may_invite=request.user.has_perm(invitations.INVITE),
        )

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Create an invitation; the response shows its link, only once."""
        require_rights(request, invitations.INVITE)
        if confirmation := sessions.confirmation_redirect(request):
            return confirmation
        form = InvitationForm(request.POST or None, editor=request.user, initial={"role": "Marketer"})
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                issued = invitations.invite_user(
                    request.user, data["email"], form.groups, name=data["name"], language=request.LANGUAGE_CODE
                )
            except NotAllowedError as refusal:
                raise PermissionDenied(refusal.problems[0].expected) from None
            except RejectedError as refusal:
                form.show(refusal.problems)
            else:
                return self._issued(request, issued)
        return self.page(request, "invite", _("Invite someone"), form=form)

    def invitation_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show one invitation; POST resends it with a new link, shown only once, or revokes it."""
        require_rights(request, invitations.INVITE)
        invitation = get_object_or_404(Invitation.objects.prefetch_related("groups"), pk=pk)
        if request.method == "POST" and "revoke" in request.POST:
            done = _("Invitation revoked. Its link no longer works.")
            self.try_verb(request, lambda: invitations.revoke_invitation(invitation, request.user), done)
            return redirect("admin:access_user_changelist")
        if request.method == "POST":
            if confirmation := sessions.confirmation_redirect(request):
                return confirmation
            issued = self.try_verb(request, lambda: invitations.renew_invitation(invitation, request.user))
            return self._issued(request, issued) if issued else redirect("admin:access_user_changelist")
        return self.page(request, "invitation", _("Invitation"), invitation=invitation, roles=_role_names(invitation))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        user = self._find(request, object_id)
        may_change = self.has_change_permission(request, user)
        if request.method == "POST" and not may_change:
            raise PermissionDenied
        form = UserForm(request.POST or None, user=user, editor=request.user)
        if request.method == "POST" and form.is_valid():
            values = {name: form.cleaned_data[name] for name in editing.FIELDS}
            is_wider = editing.is_access_wider(user, form.groups, values["email"])
            if is_wider and (confirmation := sessions.confirmation_redirect(request)):
                return confirmation
            try:
                editing.change_user(user, request.user, form.groups, **values)
            except NotAllowedError as refusal:
                raise PermissionDenied(refusal.problems[0].expected) from None
            except RejectedError as refusal:
                form.show(refusal.problems)
            else:
                messages.success(request, _("Saved."))
                return redirect("admin:access_user_changelist")
        return self.page(
            request,
            "user",
            user.get_full_name() or user.get_username(),
            form=form,
            account=user,
            roles=_role_names(user),
            purposes=_purposes(user),
            actions=self._actions(user, request.user) if may_change else (),
            may_change=may_change,
            has_second_step=mfa.has_second_step(user),
        )

    def _actions(self, user: Any, by: Any) -> list[MenuAction]:
        """The menu of a user; deactivating comes last."""
        password = MenuAction(_("Set a new password"), reverse("admin:auth_user_password_change", args=[user.pk]))
        deactivate = MenuAction(
            _("Deactivate…"), reverse("admin:access_user_deactivate", args=[user.pk]), is_dangerous=True
        )
        return [
            *([password] if user.has_usable_password() else []),
            MenuAction(_("Audit log"), reverse("admin:access_user_history", args=[user.pk])),
            *([deactivate] if user.is_active and user != by else []),
        ]

    def deactivate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the effects of deactivating and a choice of successors; POST deactivates."""
        require_rights(request, deactivation.CHANGE)
        user = self._find(request, str(pk))
        if request.method == "POST":
            successor = User.objects.filter(pk=parse_number(request.POST.get("successor", ""))).first()
            hands_over = successor is not None and deactivation.has_clients(user)
            if hands_over and (confirmation := sessions.confirmation_redirect(request)):
                return confirmation
            done = _("Deactivated and signed out everywhere.")
            if (
                self.try_verb(request, lambda: deactivation.deactivate_user(user, successor, request.user), done)
                is not None
            ):
                return redirect("admin:access_user_changelist")
        return self.page(
            request,
            "deactivate",
            _("Deactivate %(name)s?") % {"name": user.get_full_name() or user.get_username()},
            account=user,
            owned=deactivation.owned_counts(user),
            successors=deactivation.possible_successors(user)[:1000],
        )

    def activate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        require_rights(request, deactivation.CHANGE)
        user = self._find(request, str(pk))
        if request.method == "POST":
            back = reverse("admin:access_user_change", args=[user.pk])
            if confirmation := sessions.confirmation_redirect(request, back):
                return confirmation
            self.try_verb(request, lambda: deactivation.activate_user(user, request.user), _("Active again."))
        return redirect("admin:access_user_change", user.pk)

    def _issued(self, request: HttpRequest, issued: invitations.IssuedInvitation) -> HttpResponse:
        """Send the link by e-mail if that is set up, and show it here: no session and no redirect keeps its token."""
        address = f"{reverse('join')}?invitation={issued.token}"
        link = request.build_absolute_uri(address)
        is_sent = invitations.mail_invitation(issued, link)
        return self.page(
            request,
            "invitation",
            _("Invitation"),
            invitation=issued.invitation,
            roles=_role_names(issued.invitation),
            link=link,
            is_sent=is_sent,
        )

    def _find(self, request: HttpRequest, object_id: str) -> Any:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        user = self.get_queryset(request).filter(pk=parse_number(object_id)).first()
        if user is None:
            raise Http404
        return user


def _role_names(holder: Any) -> list[str]:
    """The names of the roles of a user or an invitation, in the order of the roles."""
    names = sorted((group.name for group in holder.groups.all()), key=_role_order)
    full = [_("Full access")] if getattr(holder, "is_superuser", False) else []
    return [*full, *(roles.role_name(name) for name in names)]


def _purposes(holder: Any) -> list[str]:
    """The purposes of the roles of a user or an invitation as sentences, in the order of the roles."""
    if getattr(holder, "is_superuser", False):
        return [_("Everything: created at the command line")]
    names = sorted((group.name for group in holder.groups.all()), key=_role_order)
    return [purpose[:1].upper() + purpose[1:] for purpose in map(roles.role_purpose, names) if purpose]


def _role_order(name: str) -> tuple[int, str]:
    ordered = [*roles.ROLES, roles.ADMINISTRATOR]
    return (ordered.index(name) if name in ordered else len(ordered)), name
