"""Browser, platform and device of a User-Agent header, and detection of bots."""

from dataclasses import dataclass
from functools import lru_cache

import ua_parser
from crawlerdetect import CrawlerDetect

MAX_AGENT = 1_000
_detector = CrawlerDetect()


@dataclass(frozen=True, slots=True)
class Agent:
    """A parsed User-Agent header. `bot_pattern`: the text in it that marks a bot; empty for a browser."""

    user_agent: str
    device: str = ""
    platform: str = ""
    browser: str = ""
    is_bot: bool = False
    bot_pattern: str = ""

    def values(self) -> dict[str, object]:
        """The values by the API names of the standard types' fields."""
        bot = {"is_bot": True, "bot_pattern": self.bot_pattern} if self.is_bot else {"is_bot": False}
        names = ("user_agent", "device", "platform", "browser")
        return {name: getattr(self, name) for name in names if getattr(self, name)} | bot


def parse_agent(header: str) -> Agent:
    """Parse a header; an empty one counts as a bot's, as every browser sends one."""
    return _parse("".join(filter(str.isprintable, header[:MAX_AGENT])).strip())


@lru_cache(maxsize=10_000)
def _parse(text: str) -> Agent:
    if not text:
        return Agent("", is_bot=True, bot_pattern="no user agent")
    is_bot = _detector.is_crawler(text)
    pattern = (_detector.get_matches() or "") if is_bot else ""
    parsed = ua_parser.parse(text)
    parts = (parsed.device, parsed.os, parsed.user_agent)
    device, platform, browser = (part.family if part else "" for part in parts)
    return Agent(text, device, platform, browser, is_bot, pattern)
