"""Installation of the script on a web site: the line to paste, recipes for common systems, and a check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import EventSource
from activities.sources.addresses import munchkin_address, script_address
from activities.sources.keys import live_keys
from activities.sources.origins import origin_of_address, parse_origin
from activities.tracking.script.files import queue_tag, script_tag

_start_pages: list[Callable[[EventSource], str]] = []
CHECK = "_ca_check"  # the parameter of a page's address that the script sends along with the visit
BELIEVE_PROXY = "TRUST_PROXY=1"  # the address that a proxy reports is the client's; `config.settings`
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
SIGNED_IN = """customActivities.identify(
  {email: "ada@example.com"},
  {signature: "<HMAC-SHA256 of the email address, in hex>"},
);"""
# name, title, where to paste
_RECIPES = (
    (
        "html",
        gettext_lazy("HTML pages"),
        gettext_lazy("Paste this line before </head> in every page, or in the template that all pages share."),
    ),
    (
        "tag-manager",
        gettext_lazy("Tag manager"),
        gettext_lazy(
            "In Google Tag Manager, create a tag of the type Custom HTML, paste both lines, choose the trigger "
            "Initialization – All Pages, and publish. Tags that call functions of the script fire after this one."
        ),
    ),
    (
        "wordpress",
        gettext_lazy("WordPress"),
        gettext_lazy(
            "Add the code to functions.php of your child theme, or paste the lines with a plugin for headers and "
            "footers."
        ),
    ),
    (
        "single-page",
        gettext_lazy("Single-page app"),
        gettext_lazy(
            "Paste both lines into the head of index.html. Each change of the address counts as a page view by itself. "
            "When somebody has signed in, say who it is; your server signs the address with the identity secret."
        ),
    ),
    (
        "own-host",
        gettext_lazy("Through your own host"),
        gettext_lazy(
            "A path of your own site that leads here keeps cookies longer in Safari. Add this location to nginx, and "
            "load the script from there. Without the setting, all visitors have your server's address; a proxy in "
            "front of the collector has to believe your server, too."
        ),
    ),
    (
        "munchkin",
        "Munchkin",
        gettext_lazy(
            "Pages that were made for Munchkin keep their calls: replace the address of munchkin.js by this one."
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Code to be copied as a whole into one place, in one language; `label` names the place."""

    label: str
    code: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to install the script: where to paste, and what."""

    name: str
    title: str
    explanation: str
    blocks: Sequence[CodeBlock]


def site_origins(address: str) -> list[str]:
    """The origins of a web site for a typed address, with and without www; empty if it is not an address."""
    text = address.strip()
    if not text or any(character.isspace() for character in text):
        return []
    if "://" not in text:
        host = text.partition("/")[0].partition(":")[0].lower()
        text = f"{'http' if host in LOCAL_HOSTS else 'https'}://{text}"
    origin = parse_origin(origin_of_address(text) or "")
    if origin is None or "*" in origin:
        return []
    scheme, _separator, host = origin.partition("://")
    name = host.partition(":")[0]
    digits = name.replace(".", "")
    if name in LOCAL_HOSTS or host.startswith("[") or (digits.isascii() and digits.isdigit()):
        return [origin]
    if "." not in name:
        return []
    if host.startswith("www."):
        return [origin, f"{scheme}://{host.removeprefix('www.')}"]
    return [origin, f"{scheme}://www.{host}"] if name.count(".") == 1 else [origin]


def check_address(page: str, nonce: str) -> str:
    """The address of a page with the number of a check added to its query."""
    parts = urlsplit(page if page.startswith(("http://", "https://")) else "")
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != CHECK]
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", urlencode([*query, (CHECK, nonce)]), ""))


def openable_page(website: EventSource) -> str:
    """The page to open on the first origin that is one host; empty where each stands for several hosts."""
    origin = next((origin for origin in website.origins if "*" not in origin), "")
    path = next((path for find in _start_pages if (path := find(website))), "")
    return f"{origin}{path}" if origin else ""


def register_start_page(find: Callable[[EventSource], str]) -> None:
    """Register `find`: it returns the path of a web site's first page with the script, else empty; at start."""
    _start_pages.append(find)


def script_line(website: EventSource) -> str:
    """The line of HTML that installs the script; empty without a live key."""
    address = site_script_address(website)
    return script_tag(address) if address else ""


def site_script_address(website: EventSource) -> str:
    """The address of the script with the web site's newest live key; empty if there is none."""
    key = live_keys(website).first()
    return script_address(key) if key else ""


def installation_recipes(website: EventSource) -> list[Recipe]:
    """Ways to install the script, the simplest first; empty without a live key."""
    line = script_line(website)
    if not line:
        return []
    both = f"{queue_tag()}\n{line}"  # calls that a page makes before the script has arrived wait in the first one
    early = CodeBlock(_("Before it, if your pages call functions of the script"), queue_tag())
    blocks = {
        "html": [CodeBlock(_("In the head"), line), early],
        "tag-manager": [CodeBlock(_("In the tag"), both)],
        "wordpress": [
            CodeBlock(_("In functions.php"), _wordpress_action(both)),
            CodeBlock(_("In a plugin for headers"), both),
        ],
        "single-page": [
            CodeBlock(_("In the head of index.html"), both),
            CodeBlock(_("In your code, after signing in"), SIGNED_IN),
        ],
        "own-host": [
            CodeBlock(_("In the server block of nginx"), _nginx_location(site_script_address(website))),
            CodeBlock(_("In the head of your pages"), script_tag(urlsplit(site_script_address(website)).path)),
            CodeBlock(_("In the settings of the collector"), BELIEVE_PROXY),
        ],
        "munchkin": [CodeBlock(_("The new address"), address) for address in [munchkin_address(website)] if address],
    }
    return [Recipe(name, str(title), str(text), blocks[name]) for name, title, text in _RECIPES if blocks[name]]


def _wordpress_action(html: str) -> str:
    """PHP that prints lines of HTML, which hold no quotation mark of its own, first in the head of each page."""
    return f"add_action('wp_head', function () {{\n    echo '{html}\n';\n}}, 1);"


def _nginx_location(script: str) -> str:
    """An nginx location that passes the collector's path on to it."""
    parts: Any = urlsplit(script)
    path = parts.path.rpartition("/s/")[0] + "/"
    return (
        f"location {path} {{\n    proxy_pass {parts.scheme}://{parts.netloc};\n"
        "    proxy_set_header Host $host;\n"
        "    proxy_ssl_server_name on;\n"
        "    proxy_set_header X-Forwarded-For $remote_addr;\n"
        "    proxy_set_header X-Forwarded-Proto $scheme;\n}"
    )
