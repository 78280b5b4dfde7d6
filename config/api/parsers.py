"""Parser and renderers of the native API: JSON with exact numbers."""

from typing import Any

import orjson
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer

from people.core.codes import Code
from people.datatypes import exact_json
from people.datatypes.canonical import canonical_text, plain_decimal


class ExactJSONParser(BaseParser):
    """Parses JSON without loss of digits."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return exact_json.load_exact_json(stream.read(), mark_repeats=True)
        except exact_json.InvalidJSONError as error:
            raise ParseError(_("The body is not JSON: %(fault)s") % {"fault": error}, Code.INVALID_JSON) from None


class ExactJSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else dump_exact_json(data)


def dump_exact_json(data: Any) -> bytes:
    """JSON text: amounts as numbers with all digits, dates as text."""
    return exact_json.dump_exact_json(data, _exact_value)


def _exact_value(value: Any) -> Any:
    if isinstance(value, dict | list | tuple):  # subclasses, which orjson does not serialize
        return dict(value) if isinstance(value, dict) else list(value)
    if hasattr(value, "adjusted"):
        return orjson.Fragment(plain_decimal(value))
    return canonical_text(value)


class PageRenderer(BrowsableAPIRenderer):
    """Replies as pages, for users with a session; without forms, which the documentation page has."""

    def get_default_renderer(self, view: Any) -> Any:
        return ExactJSONRenderer()

    def get_content(self, renderer: Any, data: Any, accepted_media_type: str | None, renderer_context: Any) -> str:
        return "" if data is None else exact_json.dump_exact_json(data, _exact_value, orjson.OPT_INDENT_2).decode()

    def show_form_for_method(self, view: Any, method: str, request: Any, obj: Any) -> bool:
        return False

    def get_filter_form(self, data: Any, view: Any, request: Any) -> None:
        return None
