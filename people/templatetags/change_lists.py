"""Template tags for the admin's lists."""

import re
from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from people.core.admin.pagination import UncountedPaginator

register = template.Library()
_THEME_CLASSES = re.compile(r'class="((?:field-|action-)\S+)[^"]*"', re.ASCII)
_LABEL = re.compile(r'data-label="(.)')


@register.filter
def known_count(changelist: Any) -> int | None:
    """The number of rows in all pages of a list; None where it was not counted to the end."""
    paginator, count = changelist.paginator, int(changelist.result_count)
    is_partial = isinstance(paginator, UncountedPaginator) and count >= paginator.limit
    return None if is_partial else count


@register.filter
def plain_cell(cell: SafeString) -> SafeString:
    """A cell of a list without the theme's classes, which are most of a page, and with its label as a heading."""
    plain = _THEME_CLASSES.sub(r'class="\1"', cell, count=1)
    return SafeString(_LABEL.sub(lambda match: f'data-label="{match[1].upper()}', plain, count=1))


@register.filter
def sparkline(counts: Sequence[int]) -> SafeString:
    """A small chart of `counts`, a bar each; hidden from screen readers, which read the sum beside it."""
    most = max([1, *counts])
    bars = "".join(
        f"M{2 * number + 1} 20v-{max(1.5, round(18 * count / most, 1))}" for number, count in enumerate(counts) if count
    )
    return format_html(
        '<svg class="ca-spark" viewBox="0 0 {} 20" preserveAspectRatio="none" aria-hidden="true">'
        '<path d="{}" stroke="currentColor" stroke-width="1.5"/></svg>',
        2 * len(counts),
        bars,
    )
