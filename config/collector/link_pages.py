"""The pages for those who follow a link that leads nowhere: drawn once in each language, and loading nothing."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from django.utils.translation.trans_real import get_supported_language_variant, parse_accept_lang_header

STYLE = Path(settings.BASE_DIR) / "config" / "static" / "css" / "public-form.css"
TYPE = "text/html; charset=utf-8"
MAX_HEADER = 200
# title and text by status
TEXTS = {
    404: (gettext_lazy("There is no such link"), gettext_lazy("Check the address: a letter may be missing.")),
    410: (gettext_lazy("This link is over"), gettext_lazy("What it led to is no longer there.")),
    429: (gettext_lazy("Too many clicks at this moment"), gettext_lazy("Wait a minute, and open the link again.")),
    503: (gettext_lazy("Just a moment"), gettext_lazy("The link can't be opened right now. Try again in a minute.")),
}


def link_page(status: int, accept_language: str) -> tuple[bytes, dict[str, str]]:
    """The page in the reader's language as UTF-8, and its headers."""
    body, style_hash = _drawn(status, _language(accept_language))
    policy = f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; frame-ancestors 'none'"
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
    return body, headers


@cache
def _drawn(status: int, language: str) -> tuple[bytes, str]:
    style = STYLE.read_text()
    with translation.override(language):
        title, text = (str(part) for part in TEXTS[status])
        html = render_to_string("links/over.html", {"title": title, "text": text, "style": mark_safe(style)})
    return html.encode(), b64encode(sha256(style.encode()).digest()).decode()


def _language(header: str) -> str:
    """The first language of the header that the product speaks."""
    for name, _weight in parse_accept_lang_header(header[:MAX_HEADER]):
        try:
            return get_supported_language_variant(name)
        except LookupError:
            continue
    return settings.LANGUAGE_CODE
