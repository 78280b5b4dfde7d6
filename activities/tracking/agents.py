"""What a User-Agent header says of the browser, and whether it is a program's."""

from dataclasses import dataclass
from functools import lru_cache

import ua_parser
from crawlerdetect import CrawlerDetect

MAX_AGENT = 1_000
_detector = CrawlerDetect()


@dataclass(frozen=True, slots=True)
class Agent:
    """`bot_pattern`: the word that gave a program away."""

    user_agent: str
    device: str = ""
    platform: str = ""
    browser: str = ""
    is_bot: bool = False
    bot_pattern: str = ""

    def values(self) -> dict[str, object]:
        """By the API names of the standard types' fields."""
        bot = {"is_bot": True, "bot_pattern": self.bot_pattern} if self.is_bot else {"is_bot": False}
        names = ("user_agent", "device", "platform", "browser")
        return {name: getattr(self, name) for name in names if getattr(self, name)} | bot


def parse_agent(header: str) -> Agent:
    """The agent of a header; a browser always sends one, so none is a program."""
    return _parse("".join(filter(str.isprintable, header[:MAX_AGENT])).strip())


@lru_cache(maxsize=10_000)
def _parse(text: str) -> Agent:
    if not text:
        return Agent("", is_bot=True, bot_pattern="no user agent")
    is_bot = _detector.is_crawler(text)
    pattern = (_detector.get_matches() or "") if is_bot else ""
    known = ua_parser.parse(text)
    device, platform, browser = (part.family if part else "" for part in (known.device, known.os, known.user_agent))
    return Agent(text, device, platform, browser, is_bot, pattern)
