"""Settings of gunicorn."""

import contextlib
import ctypes
import logging
import os
import re
import resource

from config.server.garbage import spare_loaded_objects

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # glibc's malloc.h
LARGE_BLOCK = 262_144  # bytes

bind = f"{os.environ.get('BIND', '127.0.0.1')}:{os.environ.get('WEB_PORT') or os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
worker_class = "config.server.worker.Worker"  # threads for complete requests only: slow clients occupy none
worker_connections = int(
    os.environ.get("WEB_CONNECTIONS", "1000")
)  # of a process; above that, the longest idle one is closed
timeout = 120
graceful_timeout = 30
keepalive = (
    75  # longer than proxies and clients keep a connection, so that none is closed while a request is in transit
)
limit_request_line = 0  # the worker limits it; below that limit the application does, with each API's own error
# request lines, referrers and headers can contain tokens and secrets: the path is enough
accesslog = "-" if os.environ.get("ACCESS_LOG", "").lower() in {"1", "true", "on", "yes"} else None
access_log_format = "%(h)s %(t)s %(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"
control_socket_disable = True  # no file outside DATA_DIR
REFUSED = re.compile(r"(Invalid request from ip=[^'\"]*).*", re.DOTALL)
# links of kiosks, and codes for the entrance of an event
SECRET_PATH = re.compile(r"(/k/|/admin/activities/form/\d+/check-in/)[^/?\s]+")


def without_secrets(text):
    """A path or message without query and without the secrets in paths."""
    return SECRET_PATH.sub(r"\1…", text.partition("?")[0])


def redact_targets(record):
    """Remove queries, secrets in paths and the text of invalid request lines (a blank in the address)."""
    record.msg = REFUSED.sub(r"\1…", str(record.msg))
    if isinstance(record.args, tuple):
        record.args = tuple(without_secrets(arg) if isinstance(arg, str) else arg for arg in record.args)
    return True


def redact_paths(record):
    """Remove the secrets in the path of a line of the access log."""
    if isinstance(record.args, dict) and isinstance(path := record.args.get("U"), str):
        record.args["U"] = without_secrets(path)
    return True


logging.getLogger("gunicorn.error").addFilter(redact_targets)
logging.getLogger("gunicorn.access").addFilter(redact_paths)


def return_freed_memory():
    """Make glibc return freed memory, which each thread would keep; other C libraries have no such call."""
    with contextlib.suppress(OSError, AttributeError):
        allocator = ctypes.CDLL(None)
        allocator.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        allocator.mallopt(M_ARENA_MAX, 2)


def raise_file_limit():
    """Raise the limit of open files: a connection has a socket, and its buffered request or response may use files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 3 * worker_connections + 256
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (needed if hard == resource.RLIM_INFINITY else min(needed, hard), hard)
        )


raise_file_limit()
return_freed_memory()  # before forking: the processes inherit it


def post_worker_init(worker):
    """Exclude the loaded objects of Django from garbage collection."""
    spare_loaded_objects()


def worker_exit(_server, _worker):
    """Write the counts of this process."""
    from people.core import counters  # gunicorn reads this file before the settings and the apps are loaded

    counters.stop_flusher()
