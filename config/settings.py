"""Settings, all from the environment; docs/settings.md lists the variables."""

import os
import re
import secrets
import tomllib
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config.access.settings import *  # noqa: F403 (settings of sign-in)
from config.api.settings import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: F401 (settings)
from config.observability.logging import add_job_log_ids
from config.pages.navigation import UNFOLD  # noqa: F401 (a setting)

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
DATA_DIR = Path(env.str("DATA_DIR", "") or BASE_DIR / "var").resolve()
DEBUG = env.bool("DEBUG", False)
IS_PRODUCTION = env.bool("PRODUCTION", False)  # refuse to start without the settings that production needs
PORT = env.int("WEB_PORT", 0) or env.int("PORT", 8000)  # process managers give each process another PORT
BIND = env.str("BIND", "127.0.0.1")


def _refuse_incomplete_settings() -> None:
    """Report all missing settings at once."""
    faults = []
    if IS_PRODUCTION:
        names = ("DATABASE_URL", "SECRET_KEY", "ALLOWED_HOSTS", "SITE_URL")
        faults = [f"{name} is not set" for name in names if not env.str(name, "").strip()]
        if 0 < len(env.str("SECRET_KEY", "")) < 50:
            faults.append("SECRET_KEY is shorter than 50 characters")
        if not env.bool("HTTPS", False):
            faults.append("HTTPS=1 is not set: passwords and tokens would travel in the clear")
    if BIND not in {"127.0.0.1", "localhost", "::1"}:
        if DEBUG:
            faults.append("DEBUG shows secrets: it is refused while BIND is a public address")
        if not env.str("ALLOWED_HOSTS", "").strip() and not IS_PRODUCTION:
            faults.append("ALLOWED_HOSTS is not set: behind a public BIND nobody could come in")
    if not re.fullmatch(r"(https?://[^\s;,\"]+)?", env.str("CSP_REPORT_URI", "")):
        faults.append("CSP_REPORT_URI is no address such as https://reports.example.com/csp")
    if faults:
        raise ImproperlyConfigured(f"The product does not start like this: {'; '.join(faults)}. See docs/install.md.")


_refuse_incomplete_settings()


def _secret_key() -> str:
    """Return SECRET_KEY, or one created at the first start and stored in DATA_DIR, readable by its owner only."""
    if key := env.str("SECRET_KEY", ""):
        return key
    file = DATA_DIR / "secret_key"
    if not file.exists():
        DATA_DIR.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:  # another process was first
            pass
        else:
            with os.fdopen(descriptor, "w") as opened:
                opened.write(secrets.token_urlsafe(50))
    return file.read_text()


SECRET_KEY = _secret_key()

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
IS_HTTPS = env.bool("HTTPS", False)  # behind a proxy that terminates TLS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
if IS_HTTPS:  # browsers accept these names from this host over TLS only
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
TRUST_PROXY = env.bool("TRUST_PROXY", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
SECURE_SSL_REDIRECT = IS_HTTPS and TRUST_PROXY  # only a trusted proxy reports a request's scheme
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # other hosts of the domain are outside this product
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSP_REPORT_URI = env.str("CSP_REPORT_URI", "")  # receives browsers' reports of violations of the CSP

INSTALLED_APPS = [
    "config",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "axes",
    "oauth2_provider",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "procrastinate.contrib.django",
    "config.access",
    "config.marketo",
    "people",
    "activities",
    "smartlists",
]

MIDDLEWARE = [
    "config.middleware.ReleaseMemoryMiddleware",
    "config.observability.metrics.MetricsMiddleware",
    "config.observability.logging.RequestLogMiddleware",
    "config.middleware.ContentSecurityMiddleware",
    "config.middleware.CompressedPagesMiddleware",
    "config.marketo.wire.middleware.MarketoMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.middleware.UserLocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.UserTimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "config.middleware.RefuseNulMiddleware",
    "config.middleware.IncompleteBodyMiddleware",
    "config.sign_in_gate.SignInMiddleware",
    "config.middleware.SetupMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "config.api.middleware.NativeApiMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "config.access.throttling.HashingMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.access.sign_in.account.admin_frame_context",
            ]
        },
    }
]

# A page never waits long for the database, and an idle transaction never holds the log back for long.
DATABASE_OPTIONS = "-c idle_in_transaction_session_timeout=30s -c lock_timeout=20s -c timezone=UTC"
DATABASE_IS_EMBEDDED = not env.str("DATABASE_URL", "")
if DATABASE_IS_EMBEDDED:
    DATABASES: dict[str, dict[str, Any]] = {
        "default": {"ENGINE": "config.postgres.backend", "NAME": "custom_activities"}
    }
else:
    DATABASES = {"default": env.db_url("DATABASE_URL")}
    if DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured("DATABASE_URL must be a postgresql:// address.")
# a server that is out of reach is noticed in seconds, not in the quarter of an hour of TCP; parameters of the URL win
TCP_OPTIONS = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
DATABASES["default"].update(
    CONN_MAX_AGE=60,
    CONN_HEALTH_CHECKS=True,
    OPTIONS={**TCP_OPTIONS, **DATABASES["default"].get("OPTIONS", {}), "options": DATABASE_OPTIONS},
)
WITH_DEMO = env.bool("DEMO", DATABASE_IS_EMBEDDED)  # at the first start
if test_database := env.str("TEST_DATABASE_NAME", ""):  # a process started by a test uses the test's database
    DATABASES["default"]["NAME"] = test_database

WEB_STATEMENT_SECONDS = env.float("WEB_STATEMENT_SECONDS", 30.0)  # no statement of a request runs longer

AUTH_USER_MODEL = "access.User"

LANGUAGE_CODE = env.str("LANGUAGE_CODE", "en")
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]
FORMAT_MODULE_PATH = "config.formats"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "config.static_storage.ModuleStaticFilesStorage"},
}

FILES_DIR = Path(env.str("FILES_DIR", "") or DATA_DIR / "files")  # uploads and exports: shared by all processes
COLUMN_INDEX = env.bool("COLUMN_INDEX", True)  # answer smart lists from files in DATA_DIR/columns where that is exact
FILES_KEPT_DAYS = env.int("FILES_KEPT_DAYS", 7)
IMPORT_MAX_UNZIPPED_BYTES = env.int("IMPORT_MAX_UNZIPPED_MB", 16 * 1024) * 1024**2  # of one gzip file
IMPORT_REFUSED_BYTES_KEPT = env.int("IMPORT_REFUSED_MB_KEPT", 64) * 1024**2  # of one import's refused rows
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_MB", 4 * 1024) * 1024**2  # of one file
UPLOADS_MAX_BYTES = env.int("UPLOADS_MAX_MB", 20 * 1024) * 1024**2  # of all stored at one time
# bytes of a disk that uploads and exports leave free, so that recording continues
DISK_RESERVE_BYTES = env.int("DISK_RESERVE_MB", 1024) * 1024**2
QUARANTINE_DAYS = env.int("QUARANTINE_DAYS", 30)
QUARANTINE_BYTES_A_DAY = env.int("QUARANTINE_MB_A_DAY", 64) * 1024**2  # of one sender
QUARANTINE_BYTES = env.int("QUARANTINE_MB", 2048) * 1024**2  # of all senders together
EXPORT_MAX_QUEUED = env.int("EXPORT_MAX_QUEUED", 10)

# E-mails: smtp+tls://user:password@host:587; without EMAIL_URL none are sent
EMAIL_IS_SET_UP = bool(env.str("EMAIL_URL", ""))
vars().update(env.email_url("EMAIL_URL", default="dummymail://"))
EMAIL_TIMEOUT = 10  # seconds; the page of an invitation waits for its e-mail
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", "custom-activities@localhost")
SITE_URL = env.str("SITE_URL", "").rstrip("/")  # for the links in e-mails

FILE_UPLOAD_HANDLERS = [
    "people.core.disk.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

OAUTH2_PROVIDER_APPLICATION_MODEL = "access.ApiClient"
# the product issues its own tokens (config/access); the library's other functions are off
OAUTH2_PROVIDER = {
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    **{
        f"COMPLIANT_BCP_RFC9700_{name}": True
        for name in (
            "IMPLICIT_GRANT",
            "PASSWORD_GRANT",
            "PKCE_METHOD",
            "ACCESS_TOKEN_TRANSPORT",
            "AUTHZ_RESPONSE_ISS",
            "TOKEN_STORAGE",
            "REFRESH_TOKEN",
            "REDIRECT_URI_SCHEME",
        )
    },
}

# The product's limits; None is no limit. Marketo's are 10 types, 20 fields besides the primary one; 10 object types
# with 50 fields.
ACTIVITIES_MAX_HOURS_AHEAD = env.int("ACTIVITIES_MAX_HOURS_AHEAD", 24)
ACTIVITY_TYPES_LIMIT = env.int("ACTIVITY_TYPES_LIMIT", 0) or None
ACTIVITY_FIELDS_LIMIT = env.int("ACTIVITY_FIELDS_LIMIT", 0) or None
OBJECT_TYPES_LIMIT = env.int("OBJECT_TYPES_LIMIT", 0) or None
OBJECT_FIELDS_LIMIT = env.int("OBJECT_FIELDS_LIMIT", 0) or None
REQUIRE_SECOND_APPROVER = env.bool("REQUIRE_SECOND_APPROVER", False)

# Days that activities of unknown visitors wait (at least 31), and that the ids of messages are known
VISITOR_WAITING_DAYS = env.int("VISITOR_WAITING_DAYS", 90)
INBOUND_DAYS = env.int("INBOUND_DAYS", 30)  # for which calls of webhooks are kept
INBOX_DAYS = env.int("INBOX_DAYS", 30)  # for which events wait for the definition of a type
MESSAGE_ID_DAYS = env.int("MESSAGE_ID_DAYS", 90)

# Forms: submissions of one address and of one form in a minute, and days after which spam is deleted
FORM_SUBMISSIONS_PER_ADDRESS = env.int("FORM_SUBMISSIONS_PER_ADDRESS", 60)
FORM_SUBMISSIONS_PER_FORM = env.int("FORM_SUBMISSIONS_PER_FORM", 300)
FORM_SPAM_DAYS = env.int("FORM_SPAM_DAYS", 30)

# The collector: what web pages send, at BASE of COLLECTOR_URL
COLLECTOR_PORT = env.int("COLLECTOR_PORT", PORT + 1)
COLLECTOR_URL = env.str("COLLECTOR_URL", f"http://127.0.0.1:{COLLECTOR_PORT}").rstrip("/")  # as browsers reach it
COLLECTOR_BASE = "/" + env.str("COLLECTOR_BASE", "/_a").strip("/")
COLLECTOR_CONNECTIONS = env.int("COLLECTOR_CONNECTIONS", 1000)
COLLECTOR_QUEUE = env.int("COLLECTOR_QUEUE", 5000)  # hits that wait for the writer
INTAKE_BYTES = env.int("INTAKE_MB", 1024) * 1024**2  # of requests of programs that wait to be processed
INTAKE_PROCESSES = env.int("INTAKE_PROCESSES", 1)  # that a collector starts to process them
COLLECTOR_SECONDS = env.float("COLLECTOR_SECONDS", 10.0)  # for a request to arrive
TRACKING_NEW_VISITORS_A_DAY = env.int("TRACKING_NEW_VISITORS_A_DAY", 100_000)  # of one event source
TRACKING_MAX_HOURS_LATE = env.int("TRACKING_MAX_HOURS_LATE", 24)  # a hit is never dated earlier than that
TRACKING_IP_ADDRESSES = env.str("TRACKING_IP_ADDRESSES", "masked")  # masked, whole or none
TRACKING_HONORS_GPC = env.bool("TRACKING_HONORS_GPC", True)  # nothing is kept of browsers that send Sec-GPC or DNT

# Tracked links: the address that the code follows (a short domain of its own, or the collector's), and days for which
# clicks with their people are kept, and the tokens of people work
LINKS_URL = (env.str("LINKS_URL", "") or f"{COLLECTOR_URL}/l").rstrip("/")
LINK_CLICK_DAYS = env.int("LINK_CLICK_DAYS", 400)
LINK_TOKEN_DAYS = env.int("LINK_TOKEN_DAYS", 400)
LINK_CLICKS_PER_ADDRESS = env.int("LINK_CLICKS_PER_ADDRESS", 300)  # kept in a minute, of one network address

# Days within which deleting and merging people can be undone
PEOPLE_RESTORE_DAYS = env.int("PEOPLE_RESTORE_DAYS", 30)
SUPPRESSION_KEY = env.str("SUPPRESSION_KEY", "")  # hashes the addresses of erased people who had objected
MERGE_UNDO_DAYS = env.int("MERGE_UNDO_DAYS", 30)
NOTICES_KEPT_DAYS = env.int("NOTICES_KEPT_DAYS", 90)
# Limit of all statements of one evaluation together
SMART_LIST_TIMEOUT_SECONDS = env.float("SMART_LIST_TIMEOUT_SECONDS", 60.0)

# Smart campaigns. Alerts go to users, and to addresses of ALERT_DOMAINS. WEBHOOK_TRUSTED_HOSTS (host or host:port)
# may be called in the private network and without TLS. WEBHOOK_KEYS: "name:key name2:key2", the present one first.
CAMPAIGN_MAX_DEPTH = env.int("CAMPAIGN_MAX_DEPTH", 10)  # campaigns that trigger each other
CAMPAIGN_RESULTS_DAYS = env.int("CAMPAIGN_RESULTS_DAYS", 90)  # for skipped activities and completed calls
ALERT_DOMAINS = [domain.lower() for domain in env.list("ALERT_DOMAINS", default=[])]
WEBHOOK_TRUSTED_HOSTS = env.list("WEBHOOK_TRUSTED_HOSTS", default=[])
WEBHOOK_KEYS = [tuple(pair.split(":", 1)) for pair in env.str("WEBHOOK_KEYS", "").split()]

# The Marketo API
ACCESS_TOKEN_SECONDS = env.int("ACCESS_TOKEN_SECONDS", 3600)
DIALECT_TOKEN_IN_QUERY = env.bool("DIALECT_TOKEN_IN_QUERY", True)
# Limits for the whole installation; None is no limit. Marketo's are 100 calls in 20 seconds, 10 at once,
# 50,000 and 500 MB of bulk exports a day, and 25 months of custom activities.
DIALECT_RATE_LIMIT = env.int("DIALECT_RATE_LIMIT", 0) or None
DIALECT_RATE_SECONDS = env.int("DIALECT_RATE_SECONDS", 20)
DIALECT_CONCURRENCY_LIMIT = env.int("DIALECT_CONCURRENCY_LIMIT", 0) or None
DIALECT_DAILY_QUOTA = env.int("DIALECT_DAILY_QUOTA", 0) or None
DIALECT_DAILY_EXPORT_MB = env.int("DIALECT_DAILY_EXPORT_MB", 0) or None
DIALECT_ACTIVITY_MONTHS = env.int("DIALECT_ACTIVITY_MONTHS", 0) or None

# The native API
API_CALLS_PER_MINUTE = env.int("API_CALLS_PER_MINUTE", 6_000)  # of one client
CLIENT_FAILURES_NOTICE = env.int("CLIENT_FAILURES_NOTICE", 100)  # failed calls a day; 0: owners are not notified
API_PAGE_BYTES = env.int("API_PAGE_MB", 8) * 1024**2  # a page of an API ends early when its rows reach this size
API_LIST_SECONDS = env.float("API_LIST_SECONDS", 10.0)  # limit of the statement of a filtered list
API_DOCS_PUBLIC = env.bool("API_DOCS_PUBLIC", False)  # guide, operations and OpenAPI document without signing in
API_MAX_BODY = 10 * 1024 * 1024  # streams are not limited
IDEMPOTENCY_HOURS = env.int("IDEMPOTENCY_HOURS", 24)

# Access to /metrics and to the reasons in /readyz, besides administrators
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
METRICS_ALLOW = env.list("METRICS_ALLOW", default=[])  # addresses and networks like 10.0.0.0/8
MEASURED_EVERY_SECONDS = 2.0
SLOW_QUERY_MS = env.float("SLOW_QUERY_MS", 0.0) or None  # statements that take longer are logged, without values

PROCRASTINATE_WORKER_DEFAULTS = {"task_middleware": [add_job_log_ids]}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "config.observability.logging.LineFormatter"},
        "json": {"()": "config.observability.logging.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": env.str("LOG_FORMAT", "line")}},
    # each process would log every schedule and task at its start
    "loggers": {f"procrastinate.{name}": {"level": "WARNING"} for name in ("periodic", "blueprints")},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", "WARNING")},
}
