"""Web addresses without secrets, the campaigns and searches in them, and shortened network addresses.

Values that are secrets or identify a person are removed from an address before anything else reads it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from django.conf import settings

from activities.types.standard_shapes import UTM_FIELDS
from people.core.codes import Code
from people.core.errors import Problem, bad_value
from people.datatypes.parsing import EMAIL

MAX_ADDRESS = 20_000
MAX_REMEMBERED = 500
MAX_CAMPAIGN_QUERY = 2_000
MAX_PARAMETERS = 1_000
MAX_SHOWN = 40
WEB = frozenset({"http", "https"})
SCHEMES = WEB | {"mailto", "tel"}
# of advertisers and newsletters, as posthog-js lists them
CLICK_IDS = (
    *("gclid", "gad_source", "gclsrc", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "twclid", "li_fat_id"),
    *("mc_cid", "igshid", "ttclid", "rdt_cid", "epik", "qclid", "sccid", "irclid", "_kx"),
)
CAMPAIGN_NAMES = (*UTM_FIELDS, *CLICK_IDS)
# names without their punctuation; the second: ends of names
_SECRET_NAMES = frozenset(
    {
        *(
            "code",
            "pass",
            "pwd",
            "passwd",
            "pin",
            "otp",
            "sig",
            "signature",
            "auth",
            "authorization",
            "jwt",
            "key",
            "sid",
        ),
        *(
            "session",
            "phpsessid",
            "jsessionid",
            "ticket",
            "samlresponse",
            "hash",
            "mail",
            "email",
            "emailaddress",
            "phone",
        ),
        *("emailaddress", "ssn", "iban", "card", "cardnumber", "cvv", "cvc", "mkttok"),
    }
)
_SECRET_ENDS = ("token", "password", "secret", "apikey", "sessionid", "email", "signature")
_PUNCTUATION = re.compile(r"[^a-z0-9]")
_SESSION_IN_PATH = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;?#]*", re.IGNORECASE)
_BAD = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# the parameter with the words, by the engine's name in its host
_SEARCH = {
    **dict.fromkeys(("google", "bing", "duckduckgo", "ecosia", "qwant", "brave", "ask", "aol"), "q"),
    **{"yahoo": "p", "yandex": "text", "baidu": "wd", "startpage": "query", "naver": "query", "seznam": "q"},
}


@dataclass(frozen=True, slots=True)
class Address:
    """A web address without secrets; `host` and what follows are empty for mailto: and tel:."""

    url: str
    scheme: str
    host: str = ""
    path: str = ""
    query: str = ""


def parse_address(text: object) -> Address | None:
    """The address without its secrets; None for anything but http, https, mailto and tel."""
    if not isinstance(text, str) or len(text) > MAX_ADDRESS:
        return None
    return _parse(text) if len(text) > MAX_REMEMBERED else _parse_remembered(text)


def _parse(text: str) -> Address | None:
    try:
        parts = urlsplit(_BAD.sub("", text).strip().replace(" ", "%20"))
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if parts.scheme not in SCHEMES:
        return None
    if parts.scheme not in WEB:
        url = f"{parts.scheme}:{parts.path}"
        return Address(url, parts.scheme) if parts.path else None
    if not host:
        return None
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port is not None else ""
    path = _SESSION_IN_PATH.sub("", parts.path) or "/"
    query = _without_secrets(parts.query)
    # single-page applications keep their path there, and providers of sign-in their tokens
    fragment = parts.fragment if "=" not in parts.fragment else _fragment_without_secrets(parts.fragment)
    url = f"{parts.scheme}://{place}{path}" + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")
    return Address(url, parts.scheme, place, path, query)


_parse_remembered = lru_cache(maxsize=2_000)(_parse)  # visitors see the same pages


def masked_contact(text: str) -> str:
    """An email address or phone number as pages show it: enough to recognize one's own, too little to write to it."""
    name, at, domain = text.strip().rpartition("@")
    return f"{name[:1]}…@{domain[:MAX_SHOWN]}" if at else f"{text.strip()[:2]}…"


def bad_address(expected: str, value: object, *path: str) -> Problem:
    """The problem of a value that is not such an address; parts of it that may be secret are not quoted."""
    shown = re.split(r"[?#;]", value, maxsplit=1)[0].rpartition("@")[2] if isinstance(value, str) else value
    return bad_value(Code.BAD_URL, expected, shown, *path)


def campaign_values(address: Address) -> dict[str, str]:
    """The UTM values and the first click id of a page's address, by the API names of the standard types' fields."""
    query_values = _values_by_name(address.query)
    values = {name: query_values[name][0] for name in UTM_FIELDS if name in query_values}
    for name in CLICK_IDS:
        if name in query_values:
            return values | {"click_id": query_values[name][0], "click_id_type": name}
    return values


def campaign_query(address: Address) -> str:
    """The part of a page's query that `campaign_values` reads; empty where that is more than a page sends along."""
    query_values = _values_by_name(address.query)
    query = urlencode({name: query_values[name][0] for name in CAMPAIGN_NAMES if name in query_values})
    return query if len(query) <= MAX_CAMPAIGN_QUERY else ""


def search_values(referrer: Address | None) -> dict[str, str]:
    """The search engine of a referrer, and the search words if the referrer contains them."""
    if referrer is None or not referrer.host:
        return {}
    for label in referrer.host.split(".")[:-1]:
        if label in _SEARCH:
            words = _values_by_name(referrer.query).get(_SEARCH[label])
            return {"search_engine": label.capitalize(), **({"search_query": words[0]} if words else {})}
    return {}


def _values_by_name(query: str) -> dict[str, list[str]]:
    """The decoded values of a query, without NUL characters, which the database takes in no text.

    Empty for more parameters than any page has.
    """
    try:
        values = parse_qs(query, max_num_fields=MAX_PARAMETERS) if query else {}
    except ValueError:
        return {}
    return {name: kept for name, raw in values.items() if (kept := [t for v in raw if (t := v.replace("\0", ""))])}


def kept_ip_address(text: str) -> str:
    """A network address as it is kept: without its last octet (IPv6: its last 80 bits), unless set otherwise."""
    return "" if settings.TRACKING_IP_ADDRESSES == "none" else _kept_ip_address(text, settings.TRACKING_IP_ADDRESSES)


@lru_cache(maxsize=10_000)
def _kept_ip_address(text: str, kept: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if kept == "whole":
        return str(address)
    return str(ip_network(f"{address}/{24 if address.version == 4 else 48}", strict=False).network_address)


def _without_secrets(query: str) -> str:
    return "&".join(part for part in query.split("&") if part and not _is_secret(part))


def _fragment_without_secrets(fragment: str) -> str:
    path, mark, query = fragment.rpartition("?")
    return f"{path}{mark}{_without_secrets(query)}".rstrip("?")


def _is_secret(part: str) -> bool:
    name, _equals, value = part.partition("=")
    plain = _PUNCTUATION.sub("", unquote_plus(name).lower())
    return plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDS) or EMAIL.fullmatch(unquote_plus(value)) is not None
