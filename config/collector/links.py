"""The short addresses of tracked links: a redirect to where the link's row says, and the click is kept.

The redirect never waits long for the database, and works without it for links that this process knows: what is in
print has to lead somewhere. Clicks that could not be committed are kept here and tried again.
"""

import asyncio
from collections import OrderedDict, deque
from contextlib import suppress
from time import monotonic
from typing import Protocol

from django.conf import settings
from django.utils import timezone

from activities.links.addresses import TOKEN, canonical_code, is_possible_code
from activities.links.clicks import ReceivedClick, read_hit
from activities.links.machines import machine_reason
from activities.links.targets import LinkTarget, find_target
from activities.links.tokens import open_token
from activities.tracking.addresses import kept_ip_address, parse_address
from activities.tracking.agents import parse_agent
from activities.tracking.wire import TOKEN as VISITOR_TOKEN
from config.collector.http import HttpError, Reply, Request
from config.collector.inbound import CallWindows
from config.collector.known import KnownState
from config.collector.link_pages import TYPE, page
from config.collector.writer import NotCommittedError, QueueFullError, Writer

PREFIX = "/l/"
COOKIE = "_ca"
FRESH_SECONDS = 3.0
REREAD_SECONDS = 0.25  # for which a click waits for a link that is known to be read again
CLICK_SECONDS = 1.0  # for which a redirect waits for the commit of its click
AGAIN_SECONDS = 2.0
MAX_KNOWN, MAX_UNKNOWN, MAX_LATER = 10_000, 10_000, 10_000
MAX_WRONG = 30  # codes in a minute that one network address may get wrong: codes are not to be guessed
HEADERS = {"Referrer-Policy": "strict-origin-when-cross-origin", "X-Robots-Tag": "noindex"}


class LinkState:
    """The links that this process knows, clicks of each network address in a minute, and clicks to be tried again."""

    def __init__(self) -> None:
        self.known: OrderedDict[str, tuple[LinkTarget | None, float]] = OrderedDict()
        self.unknown: OrderedDict[str, tuple[LinkTarget | None, float]] = OrderedDict()
        self.clicks, self.wrong = CallWindows(), CallWindows()
        self.later: deque[ReceivedClick] = deque(maxlen=MAX_LATER)

    async def find(self, code: str, state: KnownState) -> LinkTarget | None:
        """The link as it was a few seconds ago, or as it was known while the database is away.

        Raises `HttpError` (503) if it is not known and cannot be read.
        """
        kept = self.known.get(code) or self.unknown.get(code)
        if kept is not None and monotonic() - kept[1] < FRESH_SECONDS:
            return kept[0]
        reading = state.read_link(lambda: find_target(code), is_known=kept is not None and kept[0] is not None)
        if kept is None or kept[0] is None:
            return self._keep(code, await reading)
        with suppress(HttpError, TimeoutError):
            return self._keep(code, await asyncio.wait_for(reading, REREAD_SECONDS))
        return kept[0]

    def _keep(self, code: str, target: LinkTarget | None) -> LinkTarget | None:
        self.known.pop(code, None)
        self.unknown.pop(code, None)
        cache, size = (self.unknown, MAX_UNKNOWN) if target is None else (self.known, MAX_KNOWN)
        cache[code] = (target, monotonic())
        while len(cache) > size:
            cache.popitem(last=False)
        return target

    async def try_again(self, writer: Writer) -> None:
        """Commit the clicks that could not be committed when they came, until cancelled."""
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            for _number in range(len(self.later)):
                click = self.later.popleft()
                if not await _committed(writer, click):
                    self.later.append(click)
                    break


def link_code(request: Request) -> str | None:
    """The code in the address of a request; None for an address of something else.

    With a short domain of its own for links (LINKS_URL), the code follows the host directly.
    """
    if request.path.startswith(PREFIX):
        return request.path.removeprefix(PREFIX)
    host, _slash, path = settings.LINKS_URL.partition("://")[2].partition("/")
    is_own_host = host != settings.COLLECTOR_URL.partition("://")[2].partition("/")[0]
    if is_own_host and request.headers.get("host", "").lower() == host.lower():
        prefix = f"/{path}/" if path else "/"
        return request.path.removeprefix(prefix) if request.path.startswith(prefix) else ""
    return None


class LinkClicks(Protocol):
    """What the collector has for every click on a tracked link."""

    known: KnownState
    links: LinkState
    link_writer: Writer


async def follow_link(collector: LinkClicks, request: Request, reply: Reply, raw_code: str) -> None:
    """Lead to where the link's row says, and keep the click. Nothing of the request gets into the address."""
    if request.method not in ("GET", "HEAD"):
        raise HttpError(405, "method_not_allowed", headers={"Allow": "GET, HEAD"}, ends=True)
    links, code = collector.links, canonical_code(raw_code.removesuffix("/"))
    caller = hash(("link", request.address))
    if wait := links.clicks.seconds_to_wait(caller, settings.LINK_CLICKS_PER_ADDRESS):
        await _say(request, reply, 429, {"Retry-After": str(wait)})
        return
    try:
        target = await links.find(code, collector.known) if is_possible_code(code) else None
    except HttpError as error:
        await _say(request, reply, error.status, error.headers)
        return
    if target is None:
        wait = links.wrong.seconds_to_wait(caller, MAX_WRONG)
        await _say(request, reply, 429 if wait else 404, {"Retry-After": str(wait)} if wait else {})
        return
    received = timezone.now()
    address = target.leads_to(received)
    if not address:
        await _say(request, reply, 410)
        return
    click = await _read_click(collector, request, target)
    if not await _committed(collector.link_writer, click):
        links.later.append(click)
    await reply.send(302, headers={**HEADERS, "Location": address})


async def _read_click(collector: LinkClicks, request: Request, target: LinkTarget) -> ReceivedClick:
    headers, received = request.headers, timezone.now()
    opts_out = settings.TRACKING_HONORS_GPC and "1" in (
        headers.get("sec-gpc", "").strip(),
        headers.get("dnt", "").strip(),
    )
    agent, cookie, given = parse_agent(headers.get("user-agent", "")), request.cookie(COOKIE), _token(request)
    person_id = open_token(given, target.id, received) if given else None
    token = cookie if VISITOR_TOKEN.fullmatch(cookie) and not opts_out else ""
    click = ReceivedClick(
        target,
        received,
        f"{given if person_id is not None else ''} {cookie or f'{request.address} {agent.user_agent}'}",
        agent,
        machine_reason(request.method, headers, agent),
        person_id,
        token,
        opts_out,
        "" if opts_out else kept_ip_address(request.address),
        None if opts_out else parse_address(headers.get("referer", "")),
    )
    if token and person_id is None and collector.known.types is not None:
        click.hit = read_hit(click, collector.known.types)
    return click


def _token(request: Request) -> str:
    """The person's token of the address; empty where it has none, or too much of anything."""
    try:
        return request.query.get(TOKEN, "")
    except HttpError:
        return ""


async def _committed(writer: Writer, click: ReceivedClick) -> bool:
    """Wait a moment for the commit; false where it failed. One that takes longer goes on by itself."""
    try:
        await asyncio.wait_for(asyncio.shield(writer.submit(click)), CLICK_SECONDS)
    except TimeoutError:
        return True
    except (QueueFullError, NotCommittedError):
        return False
    return True


async def _say(request: Request, reply: Reply, status: int, headers: dict[str, str] | None = None) -> None:
    body, own = page(status, request.headers.get("accept-language", ""))
    await reply.send(status, b"" if request.method == "HEAD" else body, TYPE, {**own, **(headers or {})})
