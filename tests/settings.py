"""The settings, in a data folder of the tests' own: they never meet the server or the files that people work with."""

import os
import tempfile
from pathlib import Path

if "EMBEDDED_POSTGRES_FOR_TESTS" not in os.environ:  # else the parent process has done this
    # a folder that stays, so that the next run finds its server initialised
    base = Path(os.environ.get("DATA_DIR") or Path(__file__).resolve().parent.parent / "var")
    os.environ |= {"EMBEDDED_POSTGRES_FOR_TESTS": "1", "DATA_DIR": str(base / "test")}
if os.environ.get("CITUS_DATABASE_URL"):  # the whole suite on a cluster: tests/citus_cluster.py
    os.environ["DATABASE_URL"] = os.environ["CITUS_DATABASE_URL"]
os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())

from config.settings import *  # noqa: F403

STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
MEASURED_EVERY_SECONDS = 0  # tests write what was counted themselves
DATABASES["default"]["OPTIONS"]["options"] = DATABASE_OPTIONS.replace(  # noqa: F405
    "idle_in_transaction_session_timeout=30s", "idle_in_transaction_session_timeout=10min"
)  # a test's transaction is as long as the test, which on a busy machine thinks for longer
AXES_ENABLED = False  # but in the tests of throttling: the test client logs in without a request
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DISK_RESERVE_BYTES = 0  # but in the tests of the reserve: a machine of tests may have little
COLUMN_INDEX = False  # but in its own tests: its files belong to one database
