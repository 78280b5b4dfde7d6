"""Static files under names with a hash of their content."""

from typing import Any

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

_DJANGO: Any = ManifestStaticFilesStorage


class ModuleStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Also rewrites imports between the product's own modules to hashed names.

    Django's switch for this (`support_js_module_import_aggregation`) searches every script, including bundles of
    other projects, where text that only looks like an import would make `collectstatic` fail.
    """

    patterns: Any = (*_DJANGO.patterns, ("js/*.js", _DJANGO._js_module_import_aggregation_patterns[1]))
