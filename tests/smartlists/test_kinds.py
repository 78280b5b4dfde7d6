"""Every kind of filter and of campaign step has everything that a kind needs."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from smartlists.campaigns.definitions.model import STEPS
from smartlists.rules.model import FILTERS

ROOT = Path(__file__).resolve().parents[2]

# a facet exists once its module is imported; a test that runs alone has to find them all, too
for app in ("people", "activities", "smartlists", "config"):
    for path in sorted((ROOT / app).rglob("*.py")):
        if "S.facet(" in path.read_text():
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


@dataclass(frozen=True)
class Dummy:
    number: int = 0


def cases():
    for registry, name in ((FILTERS, "filter"), (STEPS, "step")):
        for facet, table in registry.facets.items():
            for kind in registry.classes:
                yield pytest.param(table, kind, id=f"{name} {kind}: {facet}")


@pytest.mark.parametrize(("table", "kind"), list(cases()))
def test_every_kind_has_every_facet(table, kind):
    assert kind in table
    assert set(table) <= set(table.kinds.classes)


@pytest.mark.parametrize("registry", [FILTERS, STEPS], ids=["filter", "step"])
def test_a_kind_is_added_by_one_registration_a_facet_and_what_lacks_is_named(registry, monkeypatch):
    monkeypatch.setitem(registry.classes, "dummy", Dummy)
    assert registry.missing() == [(facet, "dummy") for facet in registry.facets]
    for table in registry.facets.values():
        monkeypatch.setitem(table, "dummy", str)
    assert registry.missing() == []
    assert all(table.of(Dummy(3)) is str for table in registry.facets.values())
