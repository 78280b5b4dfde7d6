"""Saved reports: saved under a name, private to their owner or shared, changed and deleted.

A private object is seen and changed by its owner alone. A shared one is seen by all users who may see reports, and
changed by those who may share. An API client has what its owner has.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from people.core import audit
from people.core.codes import Code
from people.core.errors import NotAllowedError, NotFoundError, Problem, RejectedError
from people.core.permissions import owner_of, require_permission
from people.datatypes import naming
from smartlists.lists.reports import RIGHTS
from smartlists.models import Dashboard, SavedReport
from smartlists.models.saved_reports import SHARE, SharedObject

MOST_OWNED = 200
LONGEST_VALUE = 64
SHOWN_NAMES = 5

S = TypeVar("S", bound=SharedObject)


def visible_rows(model: type[S], by: Any) -> QuerySet[S]:
    """The rows that `by` may see, by name. Raises `NotAllowedError` without the rights to see reports."""
    require_report_rights(by)
    rows: QuerySet[S] = model._default_manager.select_related("owner").order_by(Lower("name"), "pk")
    return rows if by is None else rows.filter(Q(is_shared=True) | Q(owner=owner_of(by)))


def may_change(row: SharedObject, by: Any) -> bool:
    """Return whether `by` may change, arrange and delete `row`."""
    return by is None or row.owner_id == owner_of(by).pk or (row.is_shared and by.has_perm(SHARE))


@transaction.atomic
def save_report(name: Any, parameters: Mapping[str, Any], by: Any, *, is_shared: bool = False) -> SavedReport:
    """Save the parameters of a report as a new one of `by`.

    Raises `RejectedError` (`name_taken`, `too_many_values`, …), `NotAllowedError`.
    """
    report = SavedReport(parameters=_checked(parameters))
    create_row(report, name, by, is_shared, "saved_report_name_is_unique")
    return report


@transaction.atomic
def change_report(
    report: SavedReport,
    by: Any,
    *,
    name: Any = None,
    parameters: Mapping[str, Any] | None = None,
    is_shared: bool | None = None,
) -> SavedReport:
    """Change the given members. A report on a shared dashboard of another user stays shared.

    Raises `RejectedError` (`name_taken`, `conflict`), `NotAllowedError`, `NotFoundError`.
    """
    report = lock_row(report, by)
    if is_shared is False and report.is_shared:
        shown_on = Dashboard.objects.filter(is_shared=True, tiles__report=report).order_by(Lower("name"))
        names = list(shown_on.values_list("name", flat=True))
        _refuse_names(names, _("The report is on a shared dashboard: %(names)s. Unpin it there first."))
    if parameters is not None:
        report.parameters = _checked(parameters)
    change_row(report, by, name, is_shared, "saved_report_name_is_unique", ["parameters"] if parameters else [])
    return report


@transaction.atomic
def delete_report(report: SavedReport, by: Any) -> None:
    """Delete a report; it leaves the dashboards that show it. Raises `NotAllowedError`, `NotFoundError`."""
    report = lock_row(report, by)
    audit.write_audit_entry(by, report, "deleted")
    report.delete()


def dashboards_with(report: SavedReport, by: Any) -> list[Dashboard]:
    """The dashboards that show the report, as far as `by` may see them."""
    return list(visible_rows(Dashboard, by).filter(tiles__report=report))


@transaction.atomic
def hand_over(row: SharedObject, owner: Any, by: Any) -> None:
    """Give a saved report or a dashboard another owner; a name that the owner has already is numbered."""
    taken_names = type(row)._default_manager.filter(owner=owner).values_list("name", flat=True)
    row.name, row.owner = naming.numbered_name(row.name, taken_names, " ({})"), owner
    row.save(update_fields=["name", "owner", "updated_at"])
    audit.write_audit_entry(by, row, "changed", what="owner")


def require_report_rights(by: Any) -> None:
    """Raise `NotAllowedError` unless `by` may see reports."""
    for right in RIGHTS:
        require_permission(by, right)


def lock_row(row: S, by: Any) -> S:
    """The current row, locked for a change. Raises `NotFoundError`; `NotAllowedError` if `by` may only see it."""
    locked = visible_rows(type(row), by).select_for_update(of=("self",)).filter(pk=row.pk).first()
    if locked is None:
        raise NotFoundError(Problem(Code.NOT_FOUND, _("There is nothing at this address.")))
    if not may_change(locked, by):
        message = _("It belongs to %(name)s. Who may share reports can change it.") % {"name": locked.owner}
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, (), SHARE))
    return locked


def change_row(
    row: SharedObject, by: Any, name: Any, is_shared: bool | None, constraint: str, changed: list[str]
) -> None:
    """Save a locked row with a new name or sharing; `changed` are the columns that the caller has set already.

    Only its owner makes a shared object private: for all others it would vanish.
    """
    changed = list(changed)
    if name is not None and (checked := naming.parse_name(name)) != row.name:
        row.name = checked
        changed.append("name")
    if is_shared is not None and is_shared != row.is_shared:
        if is_shared:
            require_permission(by, SHARE)
        elif by is not None and row.owner_id != owner_of(by).pk:
            message = _("Only %(name)s, its owner, can make it private.") % {"name": row.owner}
            raise RejectedError(Problem(Code.CONFLICT, message, ("is_shared",)))
        row.is_shared = is_shared
        changed.append("is_shared")
    if changed:
        with naming.refuse_taken_name(constraint, _taken(row)):
            row.save(update_fields=[*changed, "updated_at"])
        audit.write_audit_entry(by, row, "changed", what=", ".join(sorted(changed)))


def refuse_private_reports(dashboard: Dashboard) -> None:
    """Raise `RejectedError` (`conflict`) for private reports on a dashboard that is to be shared."""
    # locked: none of them can be made private before the dashboard is shared
    reports = SavedReport.objects.filter(tiles__dashboard=dashboard).order_by("pk").select_for_update(of=("self",))
    private = sorted(report.name for report in reports if not report.is_shared)
    _refuse_names(private, _("Everybody sees the reports of a shared dashboard. Share these first: %(names)s."))


def _refuse_names(names: Sequence[str], message: str) -> None:
    if names:
        shown = ", ".join(names[:SHOWN_NAMES])
        raise RejectedError(Problem(Code.CONFLICT, message % {"names": shown}, ("is_shared",)))


def create_row(row: SharedObject, name: Any, by: Any, is_shared: bool, constraint: str) -> None:
    """Check and insert a new row of `by`. Raises `RejectedError` (`name_taken`, …), `NotAllowedError`."""
    require_report_rights(by)
    if is_shared:
        require_permission(by, SHARE)
    row.name, row.owner, row.is_shared = naming.parse_name(name), owner_of(by), is_shared
    if type(row)._default_manager.filter(owner=row.owner).count() >= MOST_OWNED:
        message = _("At most %(limit)s can be kept. Delete some first.") % {"limit": MOST_OWNED}
        raise RejectedError(Problem(Code.TOO_MANY_VALUES, message, ("name",)))
    with naming.refuse_taken_name(constraint, _taken(row)):
        row.save()
    audit.write_audit_entry(by, row, "created")


def _taken(row: SharedObject) -> str:
    if isinstance(row, Dashboard):
        return _("You have a dashboard of this name already.")
    return _("You have a report of this name already.")


def _checked(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Short text by name: the form of the reports page checks what they mean each time they are used."""
    filled_in = {name: str(value) for name, value in parameters.items() if value not in (None, "")}
    if too_long := [name for name, value in filled_in.items() if len(value) > LONGEST_VALUE]:
        raise RejectedError(Problem(Code.TOO_LONG, _("The value is too long."), (too_long[0],)))
    return filled_in
