"""The bill of materials names everything that is pinned, and nothing else."""

import json
import re
from pathlib import Path

from django.conf import settings
from django.core.management import call_command


def test_every_pin_is_a_component_and_the_document_is_the_same_each_time(tmp_path, capsys):
    call_command("sbom")
    said = capsys.readouterr().out
    call_command("sbom", tmp_path / "sbom.json")
    assert (tmp_path / "sbom.json").read_text() == said
    bill = json.loads(said)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    pins = (Path(settings.BASE_DIR) / "requirements/base.txt").read_text()
    pinned = {line.split("==")[0].split("[")[0] for line in pins.splitlines() if re.match(r"[A-Za-z0-9]", line)}
    assert {one["name"] for one in bill["components"]} == pinned and "django" in pinned
    references = [one["bom-ref"] for one in bill["components"]]
    assert len(set(references)) == len(references) and bill["dependencies"][0]["dependsOn"] == references
    assert all(re.fullmatch(r"pkg:pypi/[a-z0-9-]+@[\w.+!-]+", one["purl"]) for one in bill["components"])
    assert "://" not in said, "no addresses of registries"
