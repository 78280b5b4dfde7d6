"""The collector's addresses, as an ASGI program."""

import asyncio
import logging
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from activities.inbound.keeping import keep_calls
from activities.inbound.reading import ReceivedCall
from activities.intake.keeping import KeptRequest, keep_requests
from activities.links.clicks import keep_clicks
from activities.sources.addresses import parse_munchkin_id
from activities.sources.authentication import KeyRejectedError, Sender
from activities.sources.origins import is_allowed_origin, origin_of_address
from activities.tracking import munchkin_wire, scripts, wire
from activities.tracking.pixel import read_view
from activities.tracking.reading import ReceivedEvent
from activities.tracking.script import files
from activities.tracking.senders import MUNCHKIN, KnownKey
from activities.tracking.submissions import Submission
from config.collector import inbound
from config.collector.calls import cors_headers
from config.collector.clients import client_of
from config.collector.cloudevents import answer_handshake, is_cloudevents_path, is_handshake, serve_cloudevents
from config.collector.http import ClientGoneError, HttpError, Receive, Reply, Request, Send
from config.collector.intake import IntakeRoom, keep_processing
from config.collector.known import KnownState, unavailable_error
from config.collector.links import LinkState, follow_link, link_code
from config.collector.segment import is_segment_path, serve_segment
from config.collector.sending import send_file
from config.collector.windows import CallWindows
from config.collector.writer import Committable, NotCommittedError, QueueFullError, Writer
from config.observability import outages
from people.core.codes import Code
from people.core.errors import RejectedError

logger = logging.getLogger(__name__)

COOKIE = "_ca"
YEAR = 31_536_000
SCRIPT_SECONDS = 300
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
NO_STATUSES: Mapping[Code, int] = {}
_STATUS = {Code.UNKNOWN_WRITE_KEY: 401, Code.KEY_EXPIRED: 401, Code.SOURCE_OFF: 403, Code.ORIGIN_REFUSED: 403}
_SCRIPT_OF_SITE = re.compile(r"/s/(cab_[a-z0-9]{24})\.js")
_SCRIPT_OF_VERSION = re.compile(r"/s/([\w.-]{1,40})/([a-z]{1,10}\.js(?:\.map)?)")
_MUNCHKIN_SCRIPT = re.compile(r"/munchkin/([\w-]{1,20})\.js")
READY_SECONDS = 3.0  # for the database to answer whether it is there
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


class Collector:
    """The ASGI program. Its writer and its `KnownState` live as long as it serves."""

    writer: Writer
    request_writer: Writer  # of programs' requests, kept as they came
    call_writer: Writer  # of webhooks' calls, which are larger and wait for no visitor
    link_writer: Writer  # of clicks on links, whose redirects do not wait behind hits

    def __init__(self) -> None:
        self.known = KnownState()
        self.call_windows, self.wrong_calls = CallWindows(), CallWindows()
        self.links = LinkState()
        self.room = IntakeRoom()
        self.requests = 0

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(Request(scope, receive), send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        loop, size = asyncio.get_running_loop(), settings.COLLECTOR_QUEUE
        self.writer = Writer(loop, size)
        self.request_writer = Writer(loop, size, keep_requests)
        self.call_writer = Writer(loop, size, keep_calls)
        self.link_writer = Writer(loop, size, keep_clicks)
        for writer in self._writers():
            writer.start()
        upkeep = [
            asyncio.create_task(self.known.keep_current(self._state)),
            asyncio.create_task(self.room.keep_current(self.known)),
            *(asyncio.create_task(keep_processing()) for _number in range(settings.INTAKE_PROCESSES)),
            asyncio.create_task(self.links.try_again(self.link_writer)),
        ]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in upkeep:
            task.cancel()
        self.links.hand_over(self.link_writer)
        for writer in self._writers():
            await asyncio.to_thread(writer.stop)
        await asyncio.wait(upkeep)
        self.known.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _writers(self) -> tuple[Writer, ...]:
        return self.writer, self.request_writer, self.call_writer, self.link_writer

    def _state(self) -> dict[str, int]:
        return {"waiting": self.writer.waiting, "requests": self.requests}

    async def _serve(self, request: Request, send: Send) -> None:
        self.requests += 1
        try:
            cors = await self._cors_headers(request)
            await self._route(request, Reply(send, cors))
        except ClientGoneError:
            pass
        except HttpError as error:
            await self._refuse(request, send, error)
        except Exception:
            logger.exception("a request failed")
            await self._refuse(request, send, HttpError(500, "error", ends=True))
        finally:
            self.requests -= 1

    async def _refuse(self, request: Request, send: Send, error: HttpError) -> None:
        try:
            cors = await self._cors_headers(request)
        except HttpError:
            cors = {}
        value = {"error": {"code": error.code, "message": error.message}}
        await Reply(send, cors).json(error.status, value, error.headers)

    async def _route(self, request: Request, reply: Reply) -> None:
        path = _path_of(request)
        if (code := link_code(request)) is not None:
            await follow_link(self, request, reply, code)
        elif is_cloudevents_path(path) and is_handshake(request):
            await answer_handshake(self, request, reply)
        elif request.method == "OPTIONS":
            await reply.send(204)
        elif path == "/e":
            await self._take_batch(_only(request, "POST"), reply)
        elif path == "/p.gif":
            await self._take_pixel(_only(request, "GET"), reply)
        elif path == "/id":
            await self._set_cookie(_only(request, "GET"), reply)
        elif path.startswith("/webevents/"):
            await self._take_munchkin(_only(request, "GET", "POST"), reply, path.removeprefix("/webevents/"))
        elif is_segment_path(path):
            await serve_segment(self, request, reply, path)
        elif path.startswith(inbound.PREFIX):
            await inbound.take_call(self, request, reply, path.removeprefix(inbound.PREFIX))
        elif is_cloudevents_path(path):
            await serve_cloudevents(self, _only(request, "POST"), reply)
        elif path == "/healthz":
            is_alive = all(writer.is_alive() for writer in self._writers())
            await reply.send(200 if is_alive else 503, b"ok\n", "text/plain")
        elif path == "/readyz":
            await self._require_database()
            await reply.send(200, b"ready\n", "text/plain")
        else:
            await self._send_script(_only(request, "GET", "HEAD"), reply, path)

    async def _require_database(self) -> None:
        """Raise `HttpError` (503) where the database does not answer, as one that hangs, or its disk is full."""
        try:
            await asyncio.wait_for(self.known.in_database(_ask_database), READY_SECONDS)
        except TimeoutError:
            raise unavailable_error() from None
        if not outages.has_room():
            raise unavailable_error(outages.DISK_FULL)

    # --- Requests --------------------------------------------------------------------------------------------

    async def _take_batch(self, request: Request, reply: Reply) -> None:
        received, size, query = timezone.now(), request.size, request.query
        sender = await self.sender(request, query.get("k", ""), size)
        body = await request.body()
        try:
            batch = wire.parse_batch(body)
        except RejectedError as refusal:
            raise HttpError(400, refusal.code, str(refusal)) from None
        types = await self.known.current_types(batch.type_names())
        items = wire.read_batch(batch, client_of(request, sender, received), types)
        await self.commit(Submission(sender.source.pk, size or len(body), items))
        if query.get("v") != "1":
            await reply.send(204)
            return
        refused = [_described(item) for item in items if item.problems]
        await reply.json(200, {"accepted": len(items) - len(refused), "refused": refused})

    async def _take_pixel(self, request: Request, reply: Reply) -> None:
        received, query = timezone.now(), request.query
        sender = await self.sender(request, query.get("k", ""), len(request.query_string))
        item = read_view(
            query.get("u") or request.headers.get("referer", ""),
            request.cookie(COOKIE),
            client_of(request, sender, received),
            await self.known.current_types(),
        )
        await self.commit(Submission(sender.source.pk, len(request.query_string), [item]))
        await reply.send(200, PIXEL, "image/gif")

    async def _take_munchkin(self, request: Request, reply: Reply, name: str) -> None:
        if name not in munchkin_wire.ACTS:
            raise HttpError(404, "not_found")
        received, query = timezone.now(), request.query
        size = len(request.query_string) + request.size
        sender = await self.sender(request, f"{MUNCHKIN}{munchkin_wire.munchkin_account(query)}", size)
        await request.body()
        client, types = client_of(request, sender, received), await self.known.current_types()
        item = munchkin_wire.read_event(name, query, request.query_string, client, types)
        await self.commit(Submission(sender.source.pk, size, [item]))
        await reply.send(200, PIXEL, "image/gif")

    async def commit(self, submission: Submission) -> None:
        """Wait for the commit. Raises `HttpError` where it is to be sent again."""
        await _committed(self.writer, submission)
        if submission.is_over_quota:
            raise _quota_error("This event source has brought as many new visitors as it may today (UTC).")

    async def keep(self, request: KeptRequest) -> None:
        """Wait until the request is kept. Raises `HttpError` where it is to be sent again."""
        self.room.take(request)
        await _committed(self.request_writer, request)

    async def commit_call(self, call: ReceivedCall) -> None:
        """Wait for the commit of a webhook's call. Raises `HttpError` where it is to be sent again."""
        await _committed(self.call_writer, call)

    async def sender(
        self,
        request: Request,
        key: str,
        size: int,
        *,
        is_in_address: bool = True,
        statuses: Mapping[Code, int] = NO_STATUSES,
    ) -> Sender:
        """The sender, before any of the body is read. Raises `HttpError` (401, 403, 429, 503)."""
        known, headers = await self.known.find_key(key), request.headers
        try:
            return known.sender(
                headers.get("origin"),
                headers.get("referer"),
                size,
                fetch_site=headers.get("sec-fetch-site"),
                is_in_address=is_in_address,
            )
        except KeyRejectedError as refusal:
            came_from = origin_of_address(headers.get("origin") or headers.get("referer") or "")
            self.known.note_refusal(known, refusal, came_from or "")
            if refusal.code == Code.QUOTA_REACHED:
                raise _quota_error(str(refusal)) from None
            status = statuses.get(Code(refusal.code)) or _STATUS[Code(refusal.code)]
            raise HttpError(status, refusal.code, str(refusal), ends=request.method == "POST") from None

    # --- Answers ---------------------------------------------------------------------------------------------

    async def _set_cookie(self, request: Request, reply: Reply) -> None:
        """Keep the visitor's token in a cookie of the server, which browsers keep longer than one of a script."""
        query = request.query
        sender = await self.sender(request, query.get("k", ""), 0)
        if client_of(request, sender, timezone.now()).is_refused_by_signal:
            await reply.send(204)
            return
        known = request.cookie(COOKIE)
        token = known if wire.TOKEN.fullmatch(known) else secrets.token_hex(16)
        parts = [f"{COOKIE}={token}", f"Max-Age={scripts.COOKIE_DAYS * 86_400}", "Path=/", "SameSite=Lax"]
        host, domain = request.headers.get("host", "").partition(":")[0].lower(), query.get("d", "").lower()
        if _DOMAIN.fullmatch(domain) and (host == domain or host.endswith(f".{domain}")):
            parts.append(f"Domain={domain}")
        parts += ["Secure"] if request.is_https else []
        await reply.send(204, headers={"Set-Cookie": "; ".join(parts)})

    async def _send_script(self, request: Request, reply: Reply, path: str) -> None:
        if match := _SCRIPT_OF_VERSION.fullmatch(path):
            script = files.fixed_file(*match.groups())
            if script is not None:
                headers = {"Cache-Control": f"public, max-age={YEAR}, immutable", "Access-Control-Allow-Origin": "*"}
                await send_file(request, reply, script, files.TYPES[Path(match[2]).suffix], headers)
                return
        elif match := _SCRIPT_OF_SITE.fullmatch(path):
            await self._send_script_of_site(request, reply, match[1], files.SCRIPT)
            return
        elif match := _MUNCHKIN_SCRIPT.fullmatch(path):
            await self._send_script_of_site(request, reply, f"{MUNCHKIN}{parse_munchkin_id(match[1])}", files.MUNCHKIN)
            return
        raise HttpError(404, "not_found", "There is nothing at this address.")

    async def _send_script_of_site(self, request: Request, reply: Reply, text: str, name: str) -> None:
        known = await self.known.find_key(text, oldest=inf)  # pages keep their script while the database is unavailable
        key = known.key
        if key is None or not (key.is_live and key.source.is_on and key.source.is_browser):
            raise HttpError(404, "not_found", "There is no such web site.")
        script, tag = scripts.configured_script(key.lookup, key.source, name, known.forms)
        headers = {"Cache-Control": f"public, max-age={SCRIPT_SECONDS}"}
        await send_file(request, reply, script, files.TYPES[".js"], headers, tag)

    async def _cors_headers(self, request: Request) -> dict[str, str]:
        """The headers that let an allowed origin read the answer; never with credentials."""
        path = _path_of(request)
        if link_code(request) is not None:  # redirects whatever the rest of its address
            return {}
        if is_segment_path(path) or is_cloudevents_path(path):
            return cors_headers(request)
        sent = request.headers.get("origin")
        if sent is None:
            return {}
        key = request.query.get("k") or ""
        if not key and "_mchId" in request.query_string:
            key = f"{MUNCHKIN}{munchkin_wire.munchkin_account(request.query)}"
        known: KnownKey | None = await self.known.find_key(key) if key else None
        origin = origin_of_address(sent)
        if (
            known is None
            or known.key is None
            or origin is None
            or not is_allowed_origin(origin, known.key.source.origins)
        ):
            return {"Vary": "Origin"}
        headers = {"Vary": "Origin", "Access-Control-Allow-Origin": sent}
        headers["Access-Control-Expose-Headers"] = "Retry-After"
        if request.method == "OPTIONS":
            headers["Access-Control-Allow-Methods"] = "GET, POST"
            headers["Access-Control-Allow-Headers"] = "Content-Type, Content-Encoding"
            headers["Access-Control-Max-Age"] = "86400"
        return headers


async def _committed(writer: Writer, submission: Committable) -> None:
    try:
        await writer.submit(submission)
    except QueueFullError:
        raise HttpError(503, "busy", "Too much is waiting.", {"Retry-After": "2"}) from None
    except NotCommittedError as error:
        raise unavailable_error(error.outage) from None


def _only(request: Request, *methods: str) -> Request:
    if request.method not in methods:
        raise HttpError(405, "method_not_allowed", headers={"Allow": ", ".join(methods)}, ends=True)
    return request


def _described(item: ReceivedEvent) -> dict[str, Any]:
    problem = item.problems[0]
    return {"id": item.id, "code": str(problem.code), "message": str(problem.message), "path": list(problem.path)}


def _quota_error(message: str) -> HttpError:
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    wait = min(3_600, max(1, round((midnight - now).total_seconds())))
    return HttpError(429, Code.QUOTA_REACHED, message, {"Retry-After": str(wait)}, ends=True)


def _path_of(request: Request) -> str:
    return request.path.removeprefix(settings.COLLECTOR_BASE)


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select 1")
