"""Static files under names that carry a hash of their content."""

from typing import Any

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

_DJANGO: Any = ManifestStaticFilesStorage


class ModuleStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Also the imports between the product's own modules name hashed files.

    Django's switch for this (`support_js_module_import_aggregation`) searches every script, the bundles of other
    projects included, where something that only looks like an import would end `collectstatic`.
    """

    patterns: Any = (*_DJANGO.patterns, ("js/*.js", _DJANGO._js_module_import_aggregation_patterns[1]))
