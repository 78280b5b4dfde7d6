"""Durations of tests: as measured by a full run, and the selection of `make test-fast`.

`durations.json` names what took a tenth of a second or longer, rounded, so that two runs differ in little; what it does
not name took less, or is new and belongs to the work at hand. `make durations` measures again.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

FILE = Path(__file__).with_name("durations.json")
ROOT = Path(__file__).parent
SHORT = 0.02  # seconds that are taken for what the file does not name
NAMED_FROM = 0.1
LONG = 2.0
SLOW = 5.0  # of a test with the marker that the file does not name
LONGEST = 60.0

Known = dict[str, dict[str, float]]  # module: function: seconds
Measured = dict[tuple[str, str], dict[str, float]]  # module and function: test: seconds


def pytest_addoption(parser):
    group = parser.getgroup("durations")
    group.addoption("--seconds", type=float, help="run the quickest tests of each module that take so long together")
    group.addoption(
        "--measure", action="store_true", help="write to tests/durations.json how long the tests of this run took"
    )


def pytest_configure(config):
    config.pluginmanager.register(Durations(config), "durations of tests")


def name_of(nodeid: str) -> tuple[str, str]:
    """Module and function of a test, without parameters: "people/test_x.py", "TestA::test_b"."""
    module, _colons, function = nodeid.partition("[")[0].partition("::")
    return module.removeprefix("tests/"), function


class Durations:
    """Chooses tests by what they took, begins with the longest, and measures them."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.known: Known = json.loads(FILE.read_text()) if FILE.exists() else {}
        self.measured: Measured = defaultdict(lambda: defaultdict(float))

    def seconds(self, item: pytest.Item) -> float:
        module, function = name_of(item.nodeid)
        return self.known.get(module, {}).get(function, SHORT)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Long tests come first, so that no worker is left alone with one at the end; the browser's stay together."""
        budget = self.config.getoption("seconds")
        if budget is not None:
            chosen = self.choose(items, budget)
            self.config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
            items[:] = [item for item in items if item in chosen]
        items.sort(key=self.place)

    def place(self, item: pytest.Item) -> tuple[bool, bool, float]:
        """The key of a test's place in the order: the longest of all, the browser's, then the long ones by their seconds.

        Those that are short stay in the order of the files, as they may share what is made.
        """
        module, function = name_of(item.nodeid)
        is_drawn, is_slow = (item.get_closest_marker(name) is not None for name in ("e2e", "slow"))
        seconds = self.known.get(module, {}).get(function, SLOW if is_slow else SHORT)
        return seconds < LONGEST, not is_drawn, -seconds if seconds >= LONG else 0.0

    def choose(self, items: Iterable[pytest.Item], budget: float) -> set[pytest.Item]:
        """The quickest functions, of each module one at least, until their tests have used the budget."""
        functions: dict[tuple[str, str], list[pytest.Item]] = defaultdict(list)
        for item in items:
            functions[name_of(item.nodeid)].append(item)
        by_time = sorted(functions, key=lambda name: self.seconds(functions[name][0]))
        first = list({module: (module, function) for module, function in reversed(by_time)}.values())
        chosen: set[pytest.Item] = set()
        for name in dict.fromkeys([*first, *by_time]):
            budget -= sum(map(self.seconds, functions[name]))
            if budget < 0 and name not in first:
                break
            chosen.update(functions[name])
        return chosen

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.measured[name_of(report.nodeid)][report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        if self.config.getoption("measure") and not hasattr(self.config, "workerinput"):
            FILE.write_text(json.dumps(renewed(self.known, self.measured), indent=1) + "\n")


def renewed(known: Known, measured: Measured) -> Known:
    """The known durations with those measured now: of each function the mean of its tests, to one digit."""
    modules = {module: dict(functions) for module, functions in known.items() if (ROOT / module).exists()}
    for (module, function), tests in measured.items():
        functions = modules.setdefault(module, {})
        functions.pop(function, None)
        mean = float(f"{sum(tests.values()) / len(tests):.1g}")
        if mean >= NAMED_FROM:
            functions[function] = mean
    return {module: dict(sorted(functions.items())) for module, functions in sorted(modules.items()) if functions}
