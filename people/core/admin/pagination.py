"""Pagination of big tables without a total, which would be slow or wrong."""

from functools import cached_property
from typing import Any

from django.contrib.admin.views.main import ORDER_VAR
from django.core.paginator import Paginator
from django.http import HttpRequest
from unfold.views import ChangeList

LOOK_AHEAD = 10


class UncountedChangeList(ChangeList):
    """List page of the admin without a total in its heading; its order is fixed where no column is sortable."""

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        if not self.sortable_by:
            self.params.pop(ORDER_VAR, None)
        ordering: list[Any] = super().get_ordering(request, queryset)
        return ordering

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count


class UncountedPaginator(Paginator):
    """Paginator that counts only a few pages ahead of the current page."""

    page_shown = 1
    template_name = "people/_pages.html"  # the template of unfold for the links of a list page

    @property
    def limit(self) -> int:
        """The maximum number of rows that are counted."""
        return self.per_page * (self.page_shown + LOOK_AHEAD)

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list  # a QuerySet
        return len(rows.order_by().values_list("pk")[: self.limit])

    @classmethod
    def of_request(cls, request: HttpRequest, queryset: Any, per_page: int) -> "UncountedPaginator":
        """The paginator of a list page of the admin, with its page number from the parameter `p`."""
        paginator = cls(queryset, per_page)
        page = request.GET.get("p", "")
        paginator.page_shown = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
        return paginator
