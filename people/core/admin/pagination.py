"""Pages of big tables: no total rather than a slow or wrong one."""

from functools import cached_property
from typing import Any

from django.contrib.admin.views.main import ORDER_VAR
from django.core.paginator import Paginator
from django.http import HttpRequest
from unfold.views import ChangeList

LOOK_AHEAD = 10


class UncountedChangeList(ChangeList):
    """A list page of the admin whose heading names no total; in its own order only where no column is sortable."""

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        if not self.sortable_by:
            self.params.pop(ORDER_VAR, None)
        ordering: list[Any] = super().get_ordering(request, queryset)
        return ordering

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count


class UncountedPaginator(Paginator):
    """Counts no further than a few pages ahead of the page that is shown."""

    page_shown = 1
    template_name = "people/_pages.html"  # where unfold looks for the links of a list page

    @cached_property
    def count(self) -> int:
        limit = self.per_page * (self.page_shown + LOOK_AHEAD)
        rows: Any = self.object_list  # a QuerySet
        return len(rows.order_by().values_list("pk")[:limit])

    @classmethod
    def of_request(cls, request: HttpRequest, queryset: Any, per_page: int) -> "UncountedPaginator":
        """The paginator of a list page of the admin, whose page is the parameter `p`."""
        paginator = cls(queryset, per_page)
        page = request.GET.get("p", "")
        paginator.page_shown = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
        return paginator
