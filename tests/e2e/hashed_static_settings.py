"""The settings of the tests with static files as an installation serves them: collected, under hashed names."""

import os

from tests.settings import *  # noqa: F403

STORAGES["staticfiles"] = {"BACKEND": "config.static_storage.ModuleStaticFilesStorage"}  # noqa: F405
STATIC_ROOT = os.environ["COLLECTED_STATIC"]
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ("js", "css", "map", "svg", "html", "txt", "json", "woff2", "png")  # names matter
