"""The parameters of the list of people: its view, filters, order, columns and position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from django.http import QueryDict

from people.core.admin.base import parse_number
from people.directory import columns as directory_columns
from people.directory import views as people_views
from people.directory.filters import KINDS
from people.directory.pages import Position
from people.directory.query import FIELD, PeopleQuery
from people.fields.catalog import FieldInfo
from people.models import PeopleListSettings, PeopleView

EVERYBODY = "all"  # marks an address without filters, so that no default view opens
_OWN = frozenset({"q", "sort", FIELD, EVERYBODY, "unsubscribed", "invalid", "after", "before", "new"})


@dataclass(frozen=True, slots=True)
class PeopleRequest:
    """The filters, columns and order that a request names, restricted to what exists."""

    query: PeopleQuery
    columns: Sequence[str]
    place: Position
    is_back: bool
    view: PeopleView | None
    views: Sequence[PeopleView]
    settings: PeopleListSettings
    has_own_columns: bool  # in its address

    @classmethod
    def of(cls, parameters: QueryDict, by: Any, fields: Mapping[str, FieldInfo]) -> Self:
        """Parse an address. Without filters in it a chosen view, or the user's default view, has its own."""
        views, settings = people_views.views_of_user(by), people_views.people_list_settings(by)
        is_own = any(name in parameters for name in (*_OWN, *KINDS))
        view_id = parse_number(parameters.get("view", ""))
        if not view_id and not is_own and "view" not in parameters:
            view_id = settings.default_view_id or 0
        view = next((row for row in views if row.pk == view_id), None)
        query = PeopleQuery.load(view.query) if view and not is_own else PeopleQuery.of_address(parameters)
        known_names = {*fields, *directory_columns.computed_columns(by)}
        in_address = [name for name in parameters.get("columns", "").split(",") if name in known_names]
        fallback = settings.columns if settings.columns is not None else directory_columns.default_columns(by)
        names = in_address or (view.columns if view else fallback)
        return cls(
            query,
            [name for name in dict.fromkeys(names) if name in known_names][: directory_columns.MOST_COLUMNS],
            Position.of(parameters.get("before", "") or parameters.get("after", "")),
            "before" in parameters,
            view,
            views,
            settings,
            bool(in_address),
        )

    @property
    def is_changed(self) -> bool:
        """True if the view in force does not show what it was saved with."""
        return self.view is not None and (self.query.dump(), list(self.columns)) != (self.view.query, self.view.columns)

    def address(self, query: PeopleQuery | None = None, **more: str) -> str:
        """The address of this list with another query or further parameters; begins at the first page."""
        shown = self.query if query is None else query
        parameters = {"columns": ",".join(self.columns) if self.has_own_columns else "", **more}
        if self.view is not None:
            parameters["view"] = str(self.view.pk)
        if shown == PeopleQuery():
            parameters[EVERYBODY] = "1"
        return f"?{shown.address(**parameters)}"

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The parameters of `address`, for forms."""
        return [(name, value) for name, values in QueryDict(self.address()[1:]).lists() for value in values]

    def sorted_by(self, order: str) -> str:
        return self.address(replace(self.query, order=order))
