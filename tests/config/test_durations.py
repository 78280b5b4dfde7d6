"""The choice of `make test-fast`: the quickest tests, of every module one, within the seconds; what is new always runs."""

from types import SimpleNamespace

import pytest

from tests import durations

KNOWN = {"a/test_a.py": {"test_long": 9.0, "test_short": 0.1}, "b/test_b.py": {"test_slow": 3.0, "test_slower": 4.0}}


class Item:
    """As much of a test as is looked at."""

    def __init__(self, nodeid, *markers):
        self.nodeid, self.markers = f"tests/{nodeid}", markers

    def get_closest_marker(self, name):
        return name if name in self.markers else None


def chooser(known, seconds=None):
    hook = SimpleNamespace(pytest_deselected=lambda items: None)
    config = SimpleNamespace(getoption={"seconds": seconds, "measure": False}.get, hook=hook)
    made = durations.Durations(config)
    made.known = known
    return made


ITEMS = ("a/test_a.py::test_long", "a/test_a.py::test_short[1]", "a/test_a.py::test_short[2]", "a/test_a.py::test_new")
ITEMS += ("b/test_b.py::test_slower", "b/test_b.py::test_slow")


@pytest.mark.parametrize(
    ("seconds", "names"),
    [
        (0, ["test_slow", "test_new"]),
        (3.1, ["test_slow", "test_new"]),
        (3.3, ["test_slow", "test_short[1]", "test_short[2]", "test_new"]),
        (100, ["test_long", "test_slower", "test_slow", "test_short[1]", "test_short[2]", "test_new"]),
    ],
)
def test_the_quickest_functions_fit_the_seconds_and_the_longest_is_begun_first(seconds, names):
    items = [Item(nodeid) for nodeid in ITEMS]
    chooser(KNOWN, seconds).pytest_collection_modifyitems(items)
    assert [chosen.nodeid.partition("::")[2] for chosen in items] == names


def test_without_seconds_all_run_the_browsers_first_and_then_the_long_ones():
    drawn = [Item("e2e/test_e.py::test_drawn", "e2e"), Item("e2e/test_e.py::test_drawn_slowly", "e2e", "slow")]
    items = [*map(Item, ITEMS), Item("c/test_c.py::test_marked", "slow"), *drawn]
    chooser(KNOWN).pytest_collection_modifyitems(items)
    names = [chosen.nodeid.partition("::")[2] for chosen in items]
    assert names[:4] == ["test_drawn_slowly", "test_drawn", "test_long", "test_marked"]
    assert len(items) == len(ITEMS) + 3


def test_what_was_measured_replaces_what_was_known_and_leaves_the_rest():
    module = "config/test_durations.py"
    known = {module: {"test_quick_now": 3.0, "test_rest": 2.0}, "gone/test_gone.py": {"test_gone": 1.0}}
    measured = {(module, "test_quick_now"): {"a": 0.01}, (module, "test_new"): {"a": 1.0, "b": 1.3}}
    assert durations.renewed(known, measured) == {module: {"test_new": 1.0, "test_rest": 2.0}}
