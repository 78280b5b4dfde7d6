"""Parameters of a request in all the forms that clients use: every leniency of §A3 is here."""

import re
from decimal import Decimal
from functools import cached_property
from io import BytesIO
from typing import Any

from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from config.marketo.wire.responses import MarketoError, invalid_value, missing_parameter
from people.datatypes import exact_json
from people.datatypes import keys as datatype_keys

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
JSON = frozenset({"application/json", "text/json"})
MAX_BATCH = 300
MAX_BODY_TEXT = 8_000  # characters of a parameter in a body, as of an address (§A5)
MAX_ASSETS, ASSETS_BY_DEFAULT = 200, 20


class Parameters:
    """Query string, form and JSON of one request."""

    def __init__(self, request: HttpRequest, body: bytes) -> None:
        self.request = request
        self.body = body

    @cached_property
    def form(self) -> QueryDict:
        """Fields of the query string and of a form body together, also of a GET or a DELETE."""
        fields_of_all = self.request.GET.copy()
        if self.request.content_type in (FORM, MULTIPART):
            fields = QueryDict(self.body) if self.request.content_type == FORM else self._multipart()
            for name, texts in fields.lists():
                fields_of_all.setlist(name, [*fields_of_all.getlist(name), *texts])
        if any("\0" in text for texts in fields_of_all.lists() for text in texts[1]):
            raise MarketoError("1003", "Invalid data: the character NUL")  # no stored text contains it
        return fields_of_all

    def _multipart(self) -> QueryDict:
        try:
            fields, _files = MultiPartParser(
                self.request.META, BytesIO(self.body), [MemoryFileUploadHandler(self.request)]
            ).parse()
        except (MultiPartParserError, BadRequest):
            raise MarketoError("613", "Invalid multipart request") from None
        return fields

    @cached_property
    def json(self) -> Any:
        """The JSON body; {} if it is empty. Refuses other content types (612) and invalid JSON (609)."""
        if not self.body.strip():
            return {}
        if self.request.content_type not in JSON:
            raise MarketoError("612", "Invalid Content Type")
        try:
            return exact_json.load_exact_json(self.body)
        except exact_json.InvalidJSONError:
            raise MarketoError("609", "Invalid JSON") from None

    @property
    def json_object(self) -> dict[str, Any]:
        """The JSON body, {} if it is empty. Raises 1003 for other JSON than an object."""
        body = self.json
        if not isinstance(body, dict):
            raise MarketoError("1003", "Invalid data: a JSON object is expected")
        return body

    @property
    def has_json(self) -> bool:
        return bool(self.body.strip()) and self.request.content_type in JSON

    def rows(self, what: str, *, or_one: bool = False) -> list[Any]:
        """Return the `input` array of a JSON body: 1 to 300 entries. [I] §2.6: response-level 1003 otherwise.

        With `or_one`, an object in its place is the only entry.
        """
        body = self.json
        rows = body.get("input") if isinstance(body, dict) else None
        if or_one and isinstance(rows, dict):
            rows = [rows]
        if not isinstance(rows, list) or not rows:
            raise MarketoError("1003", f"{what.capitalize()} not specified")
        if len(rows) > MAX_BATCH:
            raise MarketoError("1003", f"Invalid data: at most {MAX_BATCH} {what} in one call, got {len(rows)}")
        return rows

    def take_json(self, *names: str) -> None:
        """Use these members of a JSON body, texts, numbers or lists of them, as parameters. Raises 1001, 1003."""
        body = self.json if isinstance(self.json, dict) else {}
        for name in names:
            value = body.get(name)
            if value is None:
                continue
            texts = value if isinstance(value, list) else [value]
            if not all(isinstance(text, str) or type(text) is int for text in texts):
                raise invalid_value(value, "String")
            if any("\0" in str(text) for text in texts):
                raise MarketoError("1003", "Invalid data: the character NUL")
            self.form.setlist(name, [str(text)[:MAX_BODY_TEXT] for text in texts])

    def text(self, name: str) -> str:
        return self.form.get(name, "").strip()

    def needed(self, name: str) -> str:
        """Return a required parameter. Raises 1002 without it ([I] §2.2)."""
        text = self.text(name)
        if not text:
            raise missing_parameter(name)
        return text

    def not_blank(self, name: str) -> str:
        """Return a required parameter of the asset API. Raises 701 without it."""
        text = self.text(name)
        if not text:
            raise MarketoError("701", f"{name} cannot be blank")
        return text

    @property
    def is_backfill(self) -> bool:
        """Return `backfill`, the product's own parameter. Raises an error unless it is true, false or missing."""
        text = self.text("backfill").lower()
        if text not in ("", "true", "false"):
            raise invalid_value(text, "Boolean")
        return text == "true"

    def flag(self, name: str) -> bool:
        """Return whether a parameter is `true` in any case: Python clients send `True`."""
        return self.text(name).lower() == "true"

    def values(self, name: str) -> list[str]:
        """Return a list parameter: comma list, repeated or mixed.

        [I] §A3: also accepts `name[0]=a`, and `a&name=b` inside one value, as a public client writes it.
        """
        indexed = re.compile(rf"{re.escape(name)}(?:\[\d{{0,4}}\])?")
        texts = [text for key in self.form if indexed.fullmatch(key) for text in self.form.getlist(key)]
        parts = [part.strip() for text in texts for part in re.split(rf",|&{re.escape(name)}=", text)]
        return [part for part in parts if part]

    def numbers(self, name: str) -> list[int]:
        """Return a list parameter of ids. Raises 1001."""
        return [_number(text) for text in self.values(name)]

    def id(self, name: str) -> int | None:
        numbers = self.numbers(name)
        return numbers[0] if numbers else None

    def ids(self) -> list[Any]:
        """Return ids of people in the query, a form, or JSON `input` rows (§3), unchanged, in order, at most 300."""
        if self.has_json:
            return [row.get("id") if isinstance(row, dict) else row for row in self.rows("leads")]
        texts = self.values("id")
        if not texts:
            raise missing_parameter("id")
        if len(texts) > MAX_BATCH:
            raise MarketoError("1003", f"Invalid data: at most {MAX_BATCH} leads in one call, got {len(texts)}")
        return texts

    def batch_size(self) -> int:
        """§A5: return the batch size, 300 by default; [I] §A3: a larger one becomes 300."""
        numbers = self.numbers("batchSize")
        return min(max(numbers[0], 1), MAX_BATCH) if numbers else MAX_BATCH

    def window(self) -> tuple[int, int]:
        """Return (offset, maxReturn) of an asset search (§A3)."""
        limit, offset = self.numbers("maxReturn"), self.numbers("offset")
        if limit and limit[0] > MAX_ASSETS:
            raise MarketoError("701", f"maxReturn cannot be greater than {MAX_ASSETS}")
        return offset[0] if offset else 0, limit[0] or ASSETS_BY_DEFAULT if limit else ASSETS_BY_DEFAULT


def text_member(body: dict[str, Any], member: str) -> str:
    """Return a member of a JSON object that is text, "" without it. Raises 1003."""
    value = body.get(member)
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value or (not value.isprintable() and member != "description"):
        raise MarketoError("1003", f"Invalid data for '{member}': text is expected")
    return value.encode("utf-8", "replace").decode()


def parse_person_id(value: Any) -> int | None:
    """Return the id in JSON or a parameter, a number or its text; None if no person can have it."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) <= 12:
        value = int(value)
    elif isinstance(value, float | Decimal) and datatype_keys.is_id(value):
        value = int(value)  # 5.0 is the integer 5, here as everywhere
    is_id = type(value) is int and 0 < value <= datatype_keys.MAX_ID
    return value if is_id else None


def restore_plus(email: str) -> str:
    """Return an e-mail address with its blanks as `+`: an unencoded `+` reads as a blank, which no address has."""
    return email.strip().replace(" ", "+") if "@" in email else email


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise invalid_value(text, "Integer")
    return min(int(text), datatype_keys.MAX_ID)
