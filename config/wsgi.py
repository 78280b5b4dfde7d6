import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

from django.conf import settings  # noqa: E402 (settings are available only now)

from config.observability import outages  # noqa: E402
from config.postgres import silence  # noqa: E402

outages.limit_statements(settings.WEB_STATEMENT_SECONDS)
silence.end_silent_waits()
