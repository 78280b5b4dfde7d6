"""The size of a page: it ends early when its rows as JSON reach a bound, so that no answer fills the memory."""

from collections.abc import Iterable
from itertools import accumulate, takewhile
from typing import Any

from django.conf import settings

from people.datatypes import exact_json


def count_rows_that_fit(rows: Iterable[Any]) -> int:
    """The number of first rows that fit into `API_PAGE_BYTES` together; at least one, so that paging continues."""
    sizes = (len(exact_json.dump_exact_json(row, str)) for row in rows)
    return max(1, sum(1 for _total in takewhile(lambda total: total <= settings.API_PAGE_BYTES, accumulate(sizes))))
