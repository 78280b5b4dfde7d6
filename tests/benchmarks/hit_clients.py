"""Browsers that send one hit a request and wait for its answer: python -m tests.benchmarks.hit_clients PORT KEY SECONDS."""

import asyncio
import json
import sys
import time
import uuid
from statistics import quantiles

CONNECTIONS = 64
SITE = "https://www.example.com"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"


def request(key: str, visitor: str, number: int) -> bytes:
    now = int(time.time() * 1000)
    page = {"url": f"{SITE}/page/{number % 100}?utm_source=mail&b=1", "title": f"Page {number}", "referrer": SITE}
    hit = {"id": str(uuid.uuid4()), "type": "page", "at": now - 1_000, "data": {}, **page}
    batch = {"v": 1, "sent": now, "visitor": visitor, "consent": "granted", "script": "1", "hits": [hit]}
    body = json.dumps(batch).encode()
    head = (
        f"POST /_a/e?k={key} HTTP/1.1\r\nHost: collector\r\nOrigin: {SITE}\r\nUser-Agent: {AGENT}\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def browse(port: int, key: str, until: float, durations: list[float]) -> None:
    """One connection on which one visitor after the other views ten pages."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    number = 0
    while time.monotonic() < until:
        if number % 10 == 0:
            visitor = uuid.uuid4().hex
        sent = request(key, visitor, number)
        started = time.perf_counter()
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        durations.append(time.perf_counter() - started)
        assert head.startswith(b"HTTP/1.1 204"), head
        number += 1
    writer.close()


async def main(port: int, key: str, seconds: float) -> None:
    durations: list[float] = []
    started = time.monotonic()
    await asyncio.gather(*(browse(port, key, started + seconds, durations) for _number in range(CONNECTIONS)))
    took = time.monotonic() - started
    figures = {"hits": len(durations), "rate": len(durations) / took, "p95_ms": quantiles(durations, n=20)[-1] * 1000}
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
