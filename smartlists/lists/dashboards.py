"""Dashboards: pages of saved reports, pinned and arranged by hand."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import audit
from people.core.codes import Code
from people.core.errors import NotFoundError, Problem, RejectedError
from smartlists.lists import saved_reports
from smartlists.models import Dashboard, DashboardTile, SavedReport

MOST_TILES = 12  # each is a request of its own when the page opens
NAME_IS_UNIQUE = "dashboard_name_is_unique"

audit.register_actions(
    {
        "report_pinned": (2, gettext_lazy("Pinned report %(report)s")),
        "report_unpinned": (2, gettext_lazy("Unpinned report %(report)s")),
        "tiles_arranged": (2, gettext_lazy("Arranged the reports")),
    }
)


@transaction.atomic
def create_dashboard(name: Any, by: Any, *, is_shared: bool = False) -> Dashboard:
    """Create an empty dashboard of `by`. Raises `RejectedError` (`name_taken`, …), `NotAllowedError`."""
    dashboard = Dashboard()
    saved_reports.create_row(dashboard, name, by, is_shared, NAME_IS_UNIQUE)
    return dashboard


@transaction.atomic
def change_dashboard(dashboard: Dashboard, by: Any, *, name: Any = None, is_shared: bool | None = None) -> Dashboard:
    """Rename, share or make private. Raises `RejectedError` (`name_taken`, `conflict`), `NotAllowedError`."""
    dashboard = saved_reports.lock_row(dashboard, by)
    if is_shared:
        saved_reports.refuse_private_reports(dashboard)
    saved_reports.change_row(dashboard, by, name, is_shared, NAME_IS_UNIQUE, [])
    return dashboard


@transaction.atomic
def delete_dashboard(dashboard: Dashboard, by: Any) -> None:
    """Delete a dashboard; its reports stay. Raises `NotAllowedError`, `NotFoundError`."""
    dashboard = saved_reports.lock_row(dashboard, by)
    audit.write_audit_entry(by, dashboard, "deleted")
    dashboard.delete()


@transaction.atomic
def pin_report(dashboard: Dashboard, report: SavedReport, by: Any) -> DashboardTile:
    """Put a report at the end of a dashboard; one that is there stays where it is.

    Raises `RejectedError` (`conflict` for a private report on a shared dashboard, `too_many_values`),
    `NotAllowedError`.
    """
    # the dashboard first, in every verb: two that pin and share at once cannot wait for each other
    dashboard = saved_reports.lock_row(dashboard, by)
    visible_report = (
        saved_reports.visible_rows(SavedReport, by).select_for_update(of=("self",)).filter(pk=report.pk).first()
    )
    if visible_report is None:
        raise NotFoundError(Problem(Code.NOT_FOUND, _("There is nothing at this address.")))
    if dashboard.is_shared and not visible_report.is_shared:
        message = _("Everybody sees this dashboard. Share the report before you pin it here.")
        raise RejectedError(Problem(Code.CONFLICT, message, ("dashboard",)))
    tiles = list(dashboard.tiles.all())
    if present := next((tile for tile in tiles if tile.report_id == visible_report.pk), None):
        return present
    if len(tiles) >= MOST_TILES:
        message = _("A dashboard shows at most %(limit)s reports.") % {"limit": MOST_TILES}
        raise RejectedError(Problem(Code.TOO_MANY_VALUES, message, ("dashboard",)))
    position = tiles[-1].position + 1 if tiles else 0
    tile = DashboardTile.objects.create(dashboard=dashboard, report=visible_report, position=position)
    audit.write_audit_entry(by, dashboard, "report_pinned", report=visible_report.name)
    return tile


@transaction.atomic
def unpin_report(dashboard: Dashboard, tile_id: int, by: Any) -> None:
    """Take a report off a dashboard; ignores a deleted tile. Raises `NotAllowedError`, `NotFoundError`."""
    dashboard = saved_reports.lock_row(dashboard, by)
    tile = dashboard.tiles.select_related("report").filter(pk=tile_id).first()
    if tile is not None:
        tile.delete()
        audit.write_audit_entry(by, dashboard, "report_unpinned", report=tile.report.name)


@transaction.atomic
def move_tile(dashboard: Dashboard, tile_id: int, by: Any, *, places: int) -> None:
    """Move a tile by so many places, negative ones to the front, as far as there are any.

    Raises `NotAllowedError`, `NotFoundError`; ignores a deleted tile.
    """
    dashboard = saved_reports.lock_row(dashboard, by)
    tiles = list(dashboard.tiles.all())
    before = [tile.pk for tile in tiles]
    tile = next((tile for tile in tiles if tile.pk == tile_id), None)
    if tile is None:
        return
    place = min(max(before.index(tile_id) + places, 0), len(tiles) - 1)
    tiles.remove(tile)
    tiles.insert(place, tile)
    if [tile.pk for tile in tiles] == before:
        return
    for position, moved in enumerate(tiles):
        moved.position = position
    DashboardTile.objects.bulk_update(tiles, ["position"])
    audit.write_audit_entry(by, dashboard, "tiles_arranged")


@transaction.atomic
def set_tile_width(dashboard: Dashboard, tile_id: int, by: Any, *, is_wide: bool) -> None:
    """Give a tile the whole width or half of it. Raises `NotAllowedError`, `NotFoundError`."""
    dashboard = saved_reports.lock_row(dashboard, by)
    if dashboard.tiles.filter(pk=tile_id).exclude(is_wide=is_wide).update(is_wide=is_wide):
        audit.write_audit_entry(by, dashboard, "tiles_arranged")
