"""Numbers of examples of property tests: few as a rule, more with LONG_TESTS=1.

As a rule a law is tried on the same examples in every run, so that a run fails for what was changed since the last one.
The long form draws new ones each time.
"""

import os

from hypothesis import settings

IS_LONG = os.environ.get("LONG_TESTS") == "1"


def load_profile() -> None:
    """Load the profile into hypothesis; no test has a time limit, as machines differ."""
    settings.register_profile("short", derandomize=True, deadline=None)
    settings.register_profile("long", deadline=None)
    settings.load_profile("long" if IS_LONG else "short")


def examples(short: int, long: int, variable: str = "") -> int:
    """The number of examples: of the environment's `variable`, else `long` or `short`."""
    return int(os.environ.get(variable, long if IS_LONG else short))
