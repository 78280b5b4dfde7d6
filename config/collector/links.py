"""The short addresses of tracked links: a redirect to the destination in the link's row, and the click is kept.

The redirect never waits long for the database, and works without it for links in this process's cache: a printed
address has to lead somewhere. Clicks that could not be committed are kept here and tried again. A client with many
wrong codes gets no more answers for a while; right codes do not count.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import Protocol

from django.conf import settings
from django.utils import timezone

from activities.links.addresses import TOKEN, canonical_code, is_possible_code
from activities.links.clicks import CLICKS, ReceivedClick, read_hit
from activities.links.machines import machine_reason
from activities.links.targets import LinkTarget, find_target
from activities.links.tokens import open_token, read_token
from activities.tracking.addresses import kept_ip_address, parse_address
from activities.tracking.agents import parse_agent
from activities.tracking.wire import TOKEN as VISITOR_TOKEN
from config.client_address import network_of
from config.collector.guesses import CodeGuesses
from config.collector.http import HttpError, Reply, Request
from config.collector.known import KnownState
from config.collector.link_pages import TYPE, link_page
from config.collector.windows import CallWindows
from config.collector.writer import NotCommittedError, QueueFullError, Writer

PREFIX = "/l/"
COOKIE = "_ca"
FRESH_SECONDS = 3.0
REREAD_SECONDS = 0.25  # for which a click waits for a link that is known to be read again
CLICK_SECONDS = 1.0  # for which a redirect waits for the commit of its click
AGAIN_SECONDS = 2.0
MAX_KNOWN, MAX_UNKNOWN, MAX_LATER = 10_000, 10_000, 10_000
MAX_AGAIN = 500  # clicks that are tried again at once
HEADERS = {"Referrer-Policy": "strict-origin-when-cross-origin", "X-Robots-Tag": "noindex"}


class LinkState:
    """The links in this process's cache, clicks of each caller in a minute, and clicks to be tried again."""

    def __init__(self) -> None:
        self.known: OrderedDict[str, tuple[LinkTarget | None, float]] = OrderedDict()
        self.unknown: OrderedDict[str, tuple[LinkTarget | None, float]] = OrderedDict()
        self.clicks, self.guesses = CallWindows(), CodeGuesses()
        self.later: deque[ReceivedClick] = deque(maxlen=MAX_LATER)

    async def find(self, code: str, state: KnownState) -> LinkTarget | None:
        """The link as it was a few seconds ago, or as it was known while the database is unavailable.

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

    async def keep(self, writer: Writer, clicks: Sequence[ReceivedClick]) -> bool:
        """Wait a moment for the commit of clicks; false where it is not over, or failed.

        Those that fail, however late, are tried again.
        """
        submitted = [future for click in clicks if (future := self._submit(writer, click))]
        if not submitted:
            return False
        done, _waiting = await asyncio.wait(submitted, timeout=CLICK_SECONDS)
        return len(done) == len(clicks) and all(future.exception() is None for future in done)

    def _submit(self, writer: Writer, click: ReceivedClick) -> "asyncio.Future[None] | None":
        try:
            future = writer.submit(click)
        except QueueFullError:
            self._try_later(click)
            return None
        future.add_done_callback(lambda done: self._settle(done, click))
        return future

    def _settle(self, done: "asyncio.Future[None]", click: ReceivedClick) -> None:
        """Try a click again that was not committed; a faulty one is given up: the writer has logged why."""
        if done.cancelled() or isinstance(done.exception(), NotCommittedError):
            self._try_later(click)

    def _try_later(self, click: ReceivedClick) -> None:
        if len(self.later) == MAX_LATER:
            CLICKS.add("lost")
        self.later.append(click)

    async def try_again(self, writer: Writer) -> None:
        """Commit the clicks that could not be committed when they came, until cancelled."""
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            left = len(self.later)
            while left > 0:
                part = [self.later.popleft() for _number in range(min(left, MAX_AGAIN))]
                left -= len(part)
                if not await self.keep(writer, part):
                    break

    def hand_over(self, writer: Writer) -> None:
        """Give the writer, which is about to stop, what is left to be tried again."""
        for _number in range(len(self.later)):
            self._submit(writer, self.later.popleft())


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
    """The collector's state for every click on a tracked link."""

    known: KnownState
    links: LinkState
    link_writer: Writer


async def follow_link(collector: LinkClicks, request: Request, reply: Reply, raw_code: str) -> None:
    """Redirect to the destination in the link's row, and keep the click. It takes nothing from the request."""
    if request.method not in ("GET", "HEAD"):
        raise HttpError(405, "method_not_allowed", headers={"Allow": "GET, HEAD"}, ends=True)
    links, received, given = collector.links, timezone.now(), _token(request)
    token = read_token(given)
    caller = f"person {token.person_id}" if token is not None else network_of(request.address)
    try:
        target, wait = await _find(collector, canonical_code(raw_code.removesuffix("/")), caller)
    except HttpError as error:
        await _say(request, reply, error.status, error.headers)
        return
    if target is None:
        await _say(request, reply, 429 if wait else 404, {"Retry-After": str(wait)} if wait else {})
        return
    address = target.leads_to(received)
    if not address:
        await _say(request, reply, 410)
        return
    # more clicks than people make are not kept; right addresses are redirected
    if links.clicks.seconds_to_wait(caller, settings.LINK_CLICKS_PER_ADDRESS):
        CLICKS.add("too many")
    else:
        await links.keep(collector.link_writer, [_read_click(collector, request, target, received, given)])
    await reply.send(302, headers={**HEADERS, "Location": address})


async def _find(collector: LinkClicks, code: str, caller: str) -> tuple[LinkTarget | None, int]:
    """The link with a code, and the seconds until the caller may try again. Raises `HttpError` (503)."""
    links = collector.links
    if not is_possible_code(code):  # browsers' own requests to a host, such as favicon.ico
        return None, 0
    if wait := links.guesses.seconds_to_wait(caller, code):
        return None, wait
    target = await links.find(code, collector.known)
    if target is None:
        return None, links.guesses.note_wrong(caller)
    if wait := links.guesses.seconds_to_wait(caller, code):  # guesses that came together are answered one by one
        return None, wait
    links.guesses.note_right(caller, code)
    return target, 0


def _read_click(
    collector: LinkClicks, request: Request, target: LinkTarget, received: datetime, given: str
) -> ReceivedClick:
    headers = request.headers
    opts_out = settings.TRACKING_HONORS_GPC and "1" in (
        headers.get("sec-gpc", "").strip(),
        headers.get("dnt", "").strip(),
    )
    agent, cookie = parse_agent(headers.get("user-agent", "")), request.cookie(COOKIE)
    person_id = open_token(given, target.id, received) if given else None
    visitor = cookie if VISITOR_TOKEN.fullmatch(cookie) and not opts_out else ""
    click = ReceivedClick(
        target,
        received,
        f"{given if person_id is not None else ''} {cookie or f'{request.address} {agent.user_agent}'}",
        agent,
        machine_reason(request.method, headers, agent),
        person_id,
        visitor,
        opts_out,
        "" if opts_out else kept_ip_address(request.address),
        None if opts_out else parse_address(headers.get("referer", "")),
    )
    if visitor and person_id is None and collector.known.types is not None:
        click.hit = read_hit(click, collector.known.types)
    return click


def _token(request: Request) -> str:
    """The person's token of the address; empty where it has none, or too much of anything."""
    try:
        return request.query.get(TOKEN, "")
    except HttpError:
        return ""


async def _say(request: Request, reply: Reply, status: int, headers: dict[str, str] | None = None) -> None:
    body, own = link_page(status, request.headers.get("accept-language", ""))
    await reply.send(status, b"" if request.method == "HEAD" else body, TYPE, {**own, **(headers or {})})
