"""One visit of a page in one variant: its picture, and what a machine can find fault with."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import TimeoutError as PageTimeoutError

from tests.screenshots.pages import Page

THEMES, WIDTHS, LANGUAGES = ("light", "dark"), (1440, 390), ("en", "es")
HEIGHTS = {1440: 900, 390: 844}
TALLEST = 4_000  # pixels of a picture
PATIENCE = 3_000  # milliseconds for what a page loads by itself
SAMPLES = 5  # of each kind of finding
# words that no Spanish text has
ENGLISH = re.compile(r"\b(the|and|with|your|this|that|from|was|were|has|have|not|of|for|is|are)\b", re.IGNORECASE)
TEXTS = """() => {
    const texts = [], shown = (element) => element.checkVisibility({visibilityProperty: true, opacityProperty: true});
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.textContent.trim(), parent = walker.currentNode.parentElement;
        if (text && parent && !parent.closest("script,style,pre,code,noscript,.material-symbols-outlined,.ca-icon") && shown(parent)) texts.push(text);
    }
    for (const element of document.querySelectorAll("[placeholder],[aria-label],[title]"))
        for (const name of ["placeholder", "aria-label", "title"])
            if (element.getAttribute(name)) texts.push(element.getAttribute(name));
    return texts;
}"""
CUT = """() => [...document.querySelectorAll("body *")].filter((element) => {
    const style = getComputedStyle(element), hides = style.overflowX === "hidden" || style.overflowX === "clip";
    return hides && element.textContent.trim() && ![...element.children].some((child) => child.children.length) && element.clientWidth > 1 && element.scrollWidth > element.clientWidth + 1
        && element.checkVisibility({visibilityProperty: true});
}).map((element) => element.textContent.trim().replace(/\\s+/g, " ").slice(0, 80))"""
TALL = "Math.max(...[...document.querySelectorAll('body, #page, #main')].map((part) => part.scrollHeight))"
OUTSIDE = """() => [...document.querySelectorAll("main *, #main *")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.right > window.innerWidth + 1 && element.checkVisibility()
        && !element.closest(".overflow-x-auto, .ca-scroll, pre, [class*='overflow']");
}).map((element) => element.tagName + "." + element.className).slice(0, 3)"""


@dataclass(frozen=True, slots=True)
class Variant:
    theme: str
    width: int
    language: str

    def __str__(self) -> str:
        return f"{self.theme}-{self.width}-{self.language}"


class Visitor:
    """A browser's contexts for one variant, one for each user."""

    def __init__(
        self, browser: Any, address: str, variant: Variant, sessions: dict[str, str], known: "KnownTexts"
    ) -> None:
        self.variant, self.known, self._complaints = variant, known, list[str]()
        self._pages = {user: self._open(browser, address, session) for user, session in {"": "", **sessions}.items()}

    def _open(self, browser: Any, address: str, session: str) -> Any:
        variant = self.variant
        context = browser.new_context(
            base_url=address,
            locale={"en": "en-GB", "es": "es-ES"}[variant.language],
            timezone_id="Europe/Madrid",
            color_scheme=variant.theme,
            reduced_motion="reduce",
            viewport={"width": variant.width, "height": HEIGHTS[variant.width]},
        )
        cookies = {"django_language": variant.language, **({"sessionid": session} if session else {})}
        context.add_cookies([{"name": name, "value": value, "url": address} for name, value in cookies.items()])
        page = context.new_page()
        page.on("pageerror", lambda error: self._complaints.append(f"script error: {error}"))
        page.on("console", lambda line: self._complaints.append(line.text) if line.type == "error" else None)
        return page

    def close(self) -> None:
        for page in self._pages.values():
            page.context.close()

    def visit(self, page: Page, picture: Path) -> list[str]:
        """Photograph the page, and return what was found on it."""
        opened = self._pages[page.user]
        opened.set_viewport_size({"width": self.variant.width, "height": HEIGHTS[self.variant.width]})
        self._complaints.clear()
        reply = opened.goto(page.address, wait_until="load")
        with suppress(PageTimeoutError):  # a page that polls is photographed as it is
            opened.wait_for_load_state("networkidle", timeout=PATIENCE)
        found = [] if page.name[:3] == str(reply.status) or reply.status < 400 else [f"status {reply.status}"]
        if reply.status < 400:
            found += [f"console: {complaint}" for complaint in self._complaints]
        found += self._geometry(opened)
        if self.variant.language == "es":
            found += _samples("English", self.known.english(opened.evaluate(TEXTS)))
        # the frame scrolls its middle: what lies below is in the picture only if the window is as tall
        tall = opened.evaluate(TALL)
        height = min(max(tall, HEIGHTS[self.variant.width]), TALLEST)
        opened.set_viewport_size({"width": self.variant.width, "height": height})
        opened.screenshot(path=picture)
        return found

    def _geometry(self, opened: Any) -> Iterator[str]:
        over = opened.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if over > 1:
            yield f"scrolls sideways by {over} px: {', '.join(opened.evaluate(OUTSIDE))}"
        yield from _samples("cut", opened.evaluate(CUT))


class KnownTexts:
    """The messages of the catalogue, and texts that are data."""

    def __init__(self, data_texts: Sequence[str]) -> None:
        from config.translations import read_catalogue

        plain = [message for message in read_catalogue() if message.id and not message.pluralizable]
        translated = [(message.id, message.string) for message in plain]
        spanish = {msgstr for _msgid, msgstr in translated}
        self._messages = {msgid for msgid, msgstr in translated if msgid != msgstr and msgid not in spanish}
        self._data = data_texts

    def english(self, texts: Sequence[str]) -> list[str]:
        """Return those texts of a Spanish page that are English and no user's data."""
        texts = [text for text in dict.fromkeys(texts) if not any(data in text for data in self._data)]
        return [text for text in texts if text in self._messages or len(ENGLISH.findall(text)) >= 2]


def _samples(kind: str, texts: Sequence[str]) -> list[str]:
    different = list(dict.fromkeys(texts))
    more = [f"{kind}: and {len(different) - SAMPLES} more"] if len(different) > SAMPLES else []
    return [f"{kind}: {text[:100]}" for text in different[:SAMPLES]] + more
