"""Keyset pagination: a page starts after the last row of the previous page, unaffected by concurrent writes."""

import base64
import binascii
import json
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _
from rest_framework.pagination import BasePagination
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from people.core.codes import Code
from people.core.errors import BadQueryError, NotFoundError, Problem, bad_value, quoted_value

DEFAULT_SIZE, MAX_SIZE = 100, 1_000


class KeysetPagination(BasePagination):
    """Parameters: `page_size`, `ordering` (one of the view's `orderings`), `cursor` of the previous page.

    An unchanged row is on exactly one page. A new row is on a later page when it sorts after the cursor.
    """

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        self.request, self.view = request, view
        size = self.size()
        ordering = self.ordering()
        field, is_descending = ordering.lstrip("-"), ordering.startswith("-")
        key = view.key
        cursor = self.decoded()
        if cursor is not None:
            queryset = queryset.filter(self._after(queryset.model, ordering, field, key, is_descending, cursor))
        order = dict.fromkeys((field, key))
        rows = list(queryset.order_by(*(f"-{name}" if is_descending else name for name in order))[: size + 1])
        self.has_more = len(rows) > size
        rows = rows[:size]
        self.cursor = self.cursor_after(rows[-1]) if rows else None
        return rows

    def cursor_after(self, row: Any) -> str:
        """The cursor of the page that starts after `row`."""
        ordering = self.ordering()
        names = dict.fromkeys((ordering.lstrip("-"), self.view.key))
        return self.encoded([ordering, *(_json_value(getattr(row, name)) for name in names)])

    def end_after(self, row: Any) -> None:
        """End the page early: the next one starts after `row`."""
        self.has_more, self.cursor = True, self.cursor_after(row)

    def size(self) -> int:
        text = self.request.query_params.get("page_size", str(DEFAULT_SIZE))
        if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_SIZE):
            raise BadQueryError(bad_value(Code.OUT_OF_RANGE, _("a number from 1 to 1,000"), text, "page_size"))
        return int(text)

    def encoded(self, state: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(state, separators=(",", ":")).encode()).decode().rstrip("=")

    def decoded(self) -> list[Any] | None:
        """The state in the cursor, checked for its form only; None without a cursor."""
        text = self.request.query_params.get("cursor")
        if text is None:
            return None
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            state = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, binascii.Error, RecursionError):
            raise self.bad_cursor() from None
        if not isinstance(state, list) or len(state) < 2:
            raise self.bad_cursor()
        return state

    def bad_cursor(self) -> NotFoundError:
        message = _("There is no such page: this cursor is not one of this list, in this order.")
        return NotFoundError(
            Problem(Code.BAD_CURSOR, message, (), "", quoted_value(self.request.query_params["cursor"]))
        )

    def ordering(self) -> str:
        ordering = self.request.query_params.get("ordering", self.view.orderings[0])
        if ordering not in self.view.orderings:
            raise BadQueryError(bad_value(Code.UNKNOWN_ORDERING, ", ".join(self.view.orderings), ordering, "ordering"))
        return ordering

    def _after(self, model: Any, ordering: str, field: str, key: str, is_descending: bool, cursor: Any) -> Q:
        names = list(dict.fromkeys((field, key)))
        if len(cursor) != len(names) + 1 or cursor[0] != ordering:
            raise self.bad_cursor()
        try:
            values = [
                model._meta.get_field(name).to_python(value) for name, value in zip(names, cursor[1:], strict=True)
            ]
        except (ValidationError, ValueError, TypeError):
            raise self.bad_cursor() from None
        if None in values:
            raise self.bad_cursor()
        beyond = "lt" if is_descending else "gt"
        if len(names) == 1:
            return Q(**{f"{field}__{beyond}": values[0]})
        # the index serves the first condition
        return Q(**{f"{field}__{beyond}e": values[0]}) & (
            Q(**{f"{field}__{beyond}": values[0]}) | Q(**{f"{key}__{beyond}": values[1]})
        )

    def get_paginated_response(self, data: Any) -> Response:
        following = None
        if self.has_more:
            following = replace_query_param(self.request.build_absolute_uri(), "cursor", self.cursor)
        return Response({"results": data, "next": following, "cursor": self.cursor})

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["results", "next", "cursor"],
            "properties": {
                "results": schema,
                "next": {
                    "type": ["string", "null"],
                    "format": "uri",
                    "description": "The URL of the next page; null on the last page.",
                },
                "cursor": {"type": ["string", "null"], "description": "The cursor of the next page."},
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            _parameter(
                "cursor",
                {"type": "string", "pattern": "^[A-Za-z0-9_=-]+$"},
                "The value returned with the previous page.",
            ),
            _parameter(
                "page_size", {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": DEFAULT_SIZE}, ""
            ),
            _parameter(
                "ordering",
                {"type": "string", "enum": list(view.orderings), "default": view.orderings[0]},
                "The order of the results; prefix with - for descending.",
            ),
        ]


def _json_value(value: Any) -> Any:
    return value if isinstance(value, int | str) or value is None else value.isoformat()


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
