"""The Spanish catalogue: extraction, missing translations, and the compiled form that Django loads.

Babel extracts messages from the product's Python and templates, and from django-unfold, which has no translations.
The .po file has no source locations and is sorted, so that changes stay small.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

LANGUAGE = "es"
OWN_FOLDERS = ("people", "activities", "smartlists", "config", "templates")
KEYWORDS = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "sentence_lazy": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
_CALL = re.compile(r"""\b(?:_|n?p?gettext)\((?:u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*"|[^()'"])*\)""", re.DOTALL)


def po_file() -> Path:
    return settings.BASE_DIR / "config" / "locale" / LANGUAGE / "LC_MESSAGES" / "django.po"


def extract_messages() -> Catalog:
    """Return all messages of pages, APIs and commands that Django does not translate itself."""
    catalog = _empty()
    for file, is_ours in _sources():
        for _line, message, _comments, context in _messages_of(file):
            if is_ours or (_first(message), context) not in _django_messages():
                catalog.add(message, context=context)
    return catalog


def read_catalogue() -> Catalog:
    """Return the stored catalogue."""
    if not po_file().exists():
        return _empty()
    with po_file().open("rb") as file:
        return read_po(file, locale=LANGUAGE)


def update_catalogue() -> None:
    """Update the catalogue: add new messages without translation, remove unused ones.

    A message that has become plural or singular counts as new. The file is replaced once the new one is written whole.
    """
    fresh = merge_translations(read_catalogue(), extract_messages())
    po_file().parent.mkdir(parents=True, exist_ok=True)
    written = po_file().with_suffix(".new")
    with written.open("wb") as file:
        write_po(file, fresh, width=110, no_location=True, omit_header=True, sort_output=True)
    written.replace(po_file())


def merge_translations(stored: Catalog, fresh: Catalog) -> Catalog:
    """Return `fresh` with the translations of `stored`, message by message of the same form (singular or plural)."""
    for message in fresh:
        existing = stored.get(message.id, message.context) if message.id else None
        if existing is not None and existing.pluralizable == message.pluralizable:
            message.string = existing.string
    return fresh


def missing_translations() -> list[str]:
    """Return the messages without a Spanish translation."""
    stored = read_catalogue()
    return sorted(
        str(message.id)
        for message in extract_messages()
        if message.id and not _is_translated(stored.get(message.id, message.context))
    )


def compile_catalogue() -> None:
    """Write the compiled form that Django loads, unless it is up to date."""
    source, target = po_file(), po_file().with_suffix(".mo")
    if source.exists() and (not target.exists() or target.stat().st_mtime <= source.stat().st_mtime):
        with target.open("wb") as file:
            write_mo(file, read_catalogue())


def _empty() -> Catalog:
    return Catalog(locale=LANGUAGE, project="Custom Activities", version="", charset="utf-8")


def _is_translated(message: Message | None) -> bool:
    if message is None or message.fuzzy:
        return False
    return all(message.string) if isinstance(message.string, tuple | list) else bool(message.string)


def _sources() -> Iterator[tuple[Path, bool]]:
    for folder in OWN_FOLDERS:
        for file in sorted((settings.BASE_DIR / folder).rglob("*")):
            if file.suffix in {".py", ".html", ".txt"}:
                yield file, True
    for file in sorted(_package("unfold").rglob("*")):
        if file.suffix in {".py", ".html"}:
            yield file, False


def _messages_of(file: Path) -> Iterator[tuple[int, str | tuple[str, ...], list[str], str | None]]:
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        # templatize() leaves filler around the calls, which only xgettext can parse
        text = "\n".join(call.group() for call in _CALL.finditer(templatize(text, origin=str(file))))
    yield from extract("python", BytesIO(text.encode()), keywords=KEYWORDS)


def _first(message: str | Sequence[str]) -> str:
    return message if isinstance(message, str) else message[0]


@cache
def _django_messages() -> frozenset[tuple[str, str | None]]:
    messages: set[tuple[str, str | None]] = set()
    for folder in ("conf", "contrib/admin", "contrib/auth", "contrib/humanize"):
        name = _package("django") / folder / "locale" / LANGUAGE / "LC_MESSAGES" / "django.mo"
        with name.open("rb") as file:
            messages.update((_first(message.id), message.context) for message in read_mo(file))
    return frozenset(messages)


def _package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent
