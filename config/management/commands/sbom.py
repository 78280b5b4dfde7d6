import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)(?:\s*;\s*([^\\]+?))?\s*\\?$", re.MULTILINE)


class Command(BaseCommand):
    help = (
        "Write what the product is made of as a software bill of materials, CycloneDX 1.6 in JSON, from the pins in "
        "requirements/base.txt. The same pins make the same document."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="where to write it (standard output)")

    def handle(self, *args: Any, **options: Any) -> None:
        pins = (Path(settings.BASE_DIR) / "requirements" / "base.txt").read_text(encoding="utf-8")
        text = json.dumps(bill_of_materials(pins), indent=1) + "\n"
        if options["file"] is None:
            self.stdout.write(text, ending="")
            return
        options["file"].write_text(text, encoding="utf-8")
        self.stdout.write(f"Wrote {len(bill_of_materials(pins)['components'])} components to {options['file']}.")


def bill_of_materials(pins: str) -> dict[str, Any]:
    """Return the bill of materials of a requirements file's text."""
    product = f"custom-activities@{settings.VERSION}"
    components = list(_components(pins))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, product + pins)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": product,
                "name": "custom-activities",
                "version": settings.VERSION,
            }
        },
        "components": components,
        "dependencies": [{"ref": product, "dependsOn": [component["bom-ref"] for component in components]}],
    }


def _components(pins: str) -> Iterator[dict[str, Any]]:
    for name, version, condition in PIN.findall(pins):
        purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
        component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        if condition:  # an environment marker like "sys_platform == 'win32'"
            component["properties"] = [{"name": "condition", "value": condition}]
        yield component
