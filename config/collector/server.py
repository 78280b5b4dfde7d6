"""Runs the collector on uvicorn until it is told to stop; what was accepted by then is committed and answered."""

import logging
import resource
import signal

import uvicorn
from django.conf import settings
from django.db import connection

from config.collector.application import Collector
from config.collector.protocol import BoundedProtocol
from config.observability import outages
from people.core import counters

STATEMENT_SECONDS = 10.0
CONNECT_SECONDS = 5
GRACE_SECONDS = 20


def run_collector() -> None:
    """Serve until SIGTERM or SIGINT."""
    outages.limit_statements(STATEMENT_SECONDS)
    connection.settings_dict["OPTIONS"]["connect_timeout"] = CONNECT_SECONDS
    _raise_file_limit()
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it warns of each request that is no HTTP
    config = uvicorn.Config(
        Collector(),
        host=settings.BIND,
        port=settings.COLLECTOR_PORT,
        http=BoundedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=1024,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signal again once it has ended
        signal.signal(number, signal.SIG_IGN)
    try:
        uvicorn.Server(config).run()
    finally:
        counters.stop_flusher()


def _raise_file_limit() -> None:
    """A connection has a socket."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.COLLECTOR_CONNECTIONS + 256
    if soft != resource.RLIM_INFINITY and soft < needed:
        limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
