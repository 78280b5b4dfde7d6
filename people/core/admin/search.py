"""The search box of a list page of the admin."""

from typing import Any

from django.http import HttpRequest

from people.core import words


class WordSearch:
    """Admin search: each typed word must be a prefix of a word in `search_fields`, ignoring case and accents."""

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        fields: Any = self.get_search_fields(request)  # type: ignore[attr-defined]  # ModelAdmin's
        return (words.filter_by_words(queryset, search_term, *fields) if fields else queryset), False
