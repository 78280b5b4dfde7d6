"""How gunicorn serves the application."""

import os

bind = f"{os.environ.get('BIND', '127.0.0.1')}:{os.environ.get('WEB_PORT') or os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
worker_class = "gthread"
timeout = 120
graceful_timeout = 30
limit_request_line = 0  # the application checks lengths itself, with each API's own answer
accesslog = None  # request lines can carry tokens
control_socket_disable = True  # nothing outside DATA_DIR
