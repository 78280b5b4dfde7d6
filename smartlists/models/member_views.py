"""Saved views of members: a user's named columns and order, for the members of every list."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.datatypes import naming
from people.fields import catalog

MOST_COLUMNS, MOST_VIEWS = 20, 50


class MemberView(models.Model):
    """A user's saved columns and order, with a name."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(gettext_lazy("name"), max_length=255)
    columns = models.JSONField(default=list)  # API names of person fields
    order = models.CharField(max_length=101, blank=True)  # an API name, with a minus when descending; empty: arrival

    class Meta:
        db_table = "member_view"
        default_permissions = ()
        constraints = [models.UniqueConstraint("user", Lower("name"), name="member_view_name_is_unique")]

    def __str__(self) -> str:
        return self.name


@transaction.atomic
def save_member_view(name: Any, columns: Sequence[str], order: str, by: Any) -> MemberView:
    """Save a view for the user `by`; replaces a view of the same name.

    Raises `RejectedError` (`missing_value`, `unknown_field`, `too_many_values`).
    """
    checked = naming.parse_name(name)
    fields = catalog.field_catalogue()
    if unknown := [column for column in (*columns, order.removeprefix("-")) if column and column not in fields]:
        raise RejectedError(
            Problem(Code.UNKNOWN_FIELD, _("There is no such person field."), ("columns",), "", unknown[0][:80])
        )
    if len(columns) > MOST_COLUMNS:
        message = _("At most %(limit)s columns can be shown.") % {"limit": MOST_COLUMNS}
        raise RejectedError(Problem(Code.TOO_MANY_VALUES, message, ("columns",)))
    mine = MemberView.objects.select_for_update().filter(user=by)
    view = mine.filter(name__iexact=checked).first()
    if view is None and mine.count() >= MOST_VIEWS:
        message = _("At most %(limit)s views can be saved.") % {"limit": MOST_VIEWS}
        raise RejectedError(Problem(Code.TOO_MANY_VALUES, message, ("name",)))
    view = view or MemberView(user=by)
    view.name, view.columns, view.order = checked, list(columns), order
    with naming.refuse_taken_name("member_view_name_is_unique", _("There is already a view of this name.")):
        view.save()
    return view


def member_views_of_user(by: Any) -> Sequence[MemberView]:
    """The saved views of the user, by name."""
    return list(MemberView.objects.filter(user=by).order_by(Lower("name")))


def delete_member_view(view_id: int, by: Any) -> None:
    """Delete a view of the user; ignores views of other users and unknown ids."""
    MemberView.objects.filter(pk=view_id, user=by).delete()
