"""Garbage collection of processes that serve requests for days."""

import gc

THRESHOLDS = (20_000, 20, 50)  # a batch makes thousands of objects and no cycles


def spare_loaded_objects() -> None:
    """Exclude all objects loaded so far from garbage collection, and collect the others less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
