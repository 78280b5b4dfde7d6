"""How gunicorn serves the application."""

import contextlib
import ctypes
import gc
import logging
import os
import re
import resource

GC_THRESHOLDS = (20_000, 20, 50)  # a batch makes thousands of objects and no cycles
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # glibc's malloc.h
LARGE_BLOCK = 262_144  # bytes

bind = f"{os.environ.get('BIND', '127.0.0.1')}:{os.environ.get('WEB_PORT') or os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
worker_class = "config.server.worker.Worker"  # threads for whole requests only: slow clients hold none
worker_connections = int(os.environ.get("WEB_CONNECTIONS", "1000"))  # of a process; beyond, who waits longest goes
timeout = 120
graceful_timeout = 30
keepalive = 75  # longer than proxies and clients keep a connection: none is closed under a request that is on its way
limit_request_line = 0  # the worker bounds it; below that the application does, with each API's own answer
# request lines, referrers and headers can carry tokens and secrets: the path is enough
accesslog = "-" if os.environ.get("ACCESS_LOG", "").lower() in {"1", "true", "on", "yes"} else None
access_log_format = "%(h)s %(t)s %(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"
control_socket_disable = True  # nothing outside DATA_DIR
REFUSED = re.compile(r"(Invalid request from ip=[^'\"]*).*", re.DOTALL)


def keep_targets_out(record):
    """Queries, and the text of a request line that is none (a blank in the address), stay out: they can hold tokens."""
    record.msg = REFUSED.sub(r"\1…", str(record.msg))
    if isinstance(record.args, tuple):
        record.args = tuple(one.partition("?")[0] if isinstance(one, str) else one for one in record.args)
    return True


logging.getLogger("gunicorn.error").addFilter(keep_targets_out)


def give_memory_back():
    """Else glibc keeps what the ids of a million people took, thread by thread; other C libraries have no such call."""
    with contextlib.suppress(OSError, AttributeError):
        allocator = ctypes.CDLL(None)
        allocator.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        allocator.mallopt(M_ARENA_MAX, 2)


def open_files():
    """As many as connections need: each has its socket, and what arrives or waits in it may have a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * worker_connections + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


open_files()
give_memory_back()  # before the processes are forked, which inherit it


def post_worker_init(worker):
    """Django is loaded: have it collected no more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def worker_exit(_server, _worker):
    """Have it written what this process has counted."""
    from people.core import counters

    counters.end()
