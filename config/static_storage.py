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

    hashed_files: dict[str, str]  # by name
    patterns: Any = (*_DJANGO.patterns, ("js/*.js", _DJANGO._js_module_import_aggregation_patterns[1]))

    def save_manifest(self) -> None:
        """Write the manifest, and keep the names in the one before whose files are still there.

        Between an upgrade's `collectstatic` and its reload, processes of the version before may start with this
        manifest; their pages name files that this version no longer has.
        """
        earlier, _hash = self.load_manifest()
        kept = {name: file for name, file in earlier.items() if name not in self.hashed_files and self.exists(file)}
        self.hashed_files = kept | self.hashed_files
        super().save_manifest()
