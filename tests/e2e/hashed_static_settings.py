"""The settings of the tests with static files as an installation serves them: collected, under hashed names."""

import os

from tests.settings import *  # noqa: F403

STORAGES["staticfiles"] = {"BACKEND": "config.static_storage.ModuleStaticFilesStorage"}  # noqa: F405
STATIC_ROOT = os.environ["COLLECTED_STATIC"]
