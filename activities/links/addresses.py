"""Addresses of links: the short one that is in print, and the whole one that it leads to.

Where a link leads comes from its row alone, never from a request, so there is no open redirect.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from django.conf import settings

from activities.models import TrackedLink
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _

MAX_ADDRESS = 2_000
CODE_LENGTH = 7
# without letters and digits that look like others in print
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_CODE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")
MIN_CODE = 3
RESERVED = frozenset(
    {
        *("admin", "api", "account", "login", "logout", "rest", "bulk", "static", "media", "healthz", "readyz"),
        *("metrics", "favicon", "robots", "sitemap", "index", "well-known", "munchkin", "webevents"),
        *("unsubscribe", "link", "links", "www", "mail", "help", "qr", "null", "undefined"),
    }
)
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
TOKEN = "p"  # the parameter of a short address with a person's token
# RFC 3986: characters that have a meaning in a path, query or fragment; a percent sign starts an escape
_KEPT = "%/:@!$&'()*+,;=~?-._[]"


def new_code() -> str:
    """A random code: 27 billion of them, typed in easily, in no order that could be followed."""
    return "".join(secrets.choice(_LETTERS) for _place in range(CODE_LENGTH))


def canonical_code(text: str) -> str:
    """A code as it is stored: letters are the same in any case, as people type what they read in print."""
    return text.strip().lower()


def is_possible_code(code: str) -> bool:
    """True for what can be a stored code; nothing else is ever looked up."""
    return MIN_CODE <= len(code) <= 50 and _CODE.fullmatch(code) is not None


def parse_code(raw: object) -> str:
    """The code that a user chose. Raises `RejectedError` (`bad_name`)."""
    text = canonical_code(raw) if isinstance(raw, str) else ""
    if not is_possible_code(text) or "--" in text:
        expected = _("3 to 50 letters, digits and hyphens, such as spring-sale")
        raise RejectedError(bad_value(Code.BAD_NAME, expected, raw, "code"))
    if text in RESERVED:
        raise RejectedError(Problem(Code.BAD_NAME, _("This word is reserved. Choose another one."), ("code",)))
    return text


def short_address(link: TrackedLink, token: str = "") -> str:
    """The address to put in print; with a person's token, the one for that person alone."""
    address = f"{settings.LINKS_URL}/{link.code}"
    return f"{address}?{TOKEN}={token}" if token else address


def parse_destination(raw: object, path: str) -> str:
    """A whole web address in ASCII, as it stands in the header of a redirect. Raises `RejectedError` (`bad_url`).

    Refused: any scheme but http and https, a user name before the host, blanks and control characters, backslashes,
    hosts without a dot, and this installation's own short addresses, which would lead in a circle.
    """
    text = raw.strip() if isinstance(raw, str) else ""
    address = _ascii_address(text) if len(text) <= MAX_ADDRESS else text
    if address is None:
        expected = _("a whole web address, such as https://www.example.com/offer")
        raise RejectedError(bad_value(Code.BAD_URL, expected, raw, path))
    if len(address) > MAX_ADDRESS:
        expected = _("at most %(count)s characters") % {"count": MAX_ADDRESS}
        raise RejectedError(bad_value(Code.TOO_LONG, expected, text, path))
    if _is_own(address):
        message = _("A tracked link can't lead to another tracked link.")
        raise RejectedError(Problem(Code.BAD_URL, message, (path,)))
    return address


def _ascii_address(text: str) -> str | None:
    if not text.isprintable() or any(character.isspace() for character in text) or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or "@" in parts.netloc:
        return None
    if not re.fullmatch(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", host):
        return None
    if "." not in host and host != "localhost":
        return None
    place = host if port is None else f"{host}:{port}"
    rest = [
        quote(part.encode("utf-8", "replace"), safe=_KEPT) for part in (parts.path or "/", parts.query, parts.fragment)
    ]
    return urlunsplit((parts.scheme, place, *rest))


def _is_own(address: str) -> bool:
    return f"{address.partition('://')[2].lower()}/".startswith(f"{settings.LINKS_URL.partition('://')[2].lower()}/")


def tagged_address(destination: str, tags: Mapping[str, str]) -> str:
    """The destination with UTM parameters after its own query, which stays as it is, and before its fragment."""
    tag_values = [(name, tags[name]) for name in UTM if tags.get(name)]
    if not tag_values:
        return destination
    parts = urlsplit(destination)
    query = "&".join(part for part in (parts.query.strip("&"), urlencode(tag_values, quote_via=quote)) if part)
    return urlunsplit(parts._replace(query=query))


def target_address(link: TrackedLink) -> str:
    """The address that the link leads to while it is on: its destination with its UTM parameters."""
    return tagged_address(link.destination, {name: getattr(link, name) for name in UTM})


def repeated_tags(destination: str, tags: Iterable[str]) -> list[str]:
    """The UTM parameters that the destination has already."""
    names = {name.lower() for name, _value in parse_qsl(urlsplit(destination).query, keep_blank_values=True)}
    return [name for name in tags if name in names]
