"""Runs the collector on uvicorn until SIGTERM; requests accepted by then are committed and answered."""

import errno
import logging
import resource
import signal
import socket
import time

import uvicorn
from django.conf import settings
from django.db import connection

from config.collector.application import Collector
from config.collector.protocol import BoundedProtocol
from config.observability import outages
from config.server.garbage import spare_loaded_objects
from people.core import counters

STATEMENT_SECONDS = 10.0
CONNECT_SECONDS = 5
GRACE_SECONDS = 20
TAKEN_SECONDS = 5
BACKLOG = 1024
logger = logging.getLogger(__name__)


def run_collector() -> None:
    """Serve until SIGTERM or SIGINT."""
    outages.limit_statements(STATEMENT_SECONDS)
    connection.settings_dict["OPTIONS"]["connect_timeout"] = CONNECT_SECONDS
    _raise_file_limit()
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it logs a warning for each request that is not HTTP
    config = uvicorn.Config(
        Collector(),
        http=BoundedProtocol,
        ws="none",
        loop="auto",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    spare_loaded_objects()
    listener = listen(settings.BIND, settings.COLLECTOR_PORT)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signal again once it has ended
        signal.signal(number, signal.SIG_IGN)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        counters.stop_flusher()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; retried while another program uses the port, as giving up would end `make run`."""
    while True:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
            # accepted sockets inherit it; asyncio sets it only on sockets made with the number of the protocol. Without
            # it the body of an answer waits some 40 ms for the client's acknowledgement of its head
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return listener
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            logger.warning("port %s is taken: set COLLECTOR_PORT, or end the other program; trying again", port)
        time.sleep(TAKEN_SECONDS)


def _raise_file_limit() -> None:
    """Raise the limit of open files: each connection has a socket."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.COLLECTOR_CONNECTIONS + 256
    if soft != resource.RLIM_INFINITY and soft < needed:
        limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
