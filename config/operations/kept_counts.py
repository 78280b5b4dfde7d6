"""Checks of counts that triggers keep: whether a recount says the same. Each reads everything that it counts."""

from collections.abc import Callable

from config.operations.findings import Finding
from people.lists import static_lists
from people.persons import size

SHOWN = 5


def people_counted() -> Finding:
    difference = size.difference()
    if difference:
        return Finding(
            "people counted",
            f"what is kept differs from a recount by {difference:+,}",
            f"look at the triggers of person (guards), then: insert into person_count (people) values ({-difference})",
        )
    return Finding("people counted", "as many are kept as a recount finds")


def lists_counted() -> Finding:
    wrong = static_lists.miscounted()
    if wrong:
        says = ", ".join(f"list {pk} has {recounted:,}, kept are {kept:,}" for pk, kept, recounted in wrong[:SHOWN])
        rows = ", ".join(f"({pk}, {recounted - kept})" for pk, kept, recounted in wrong[:SHOWN])
        return Finding(
            "lists counted",
            says + (f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""),
            "look at the triggers of static_list_member (guards), then: insert into static_list_count "
            f"(static_list_id, people) values {rows}",
        )
    return Finding("lists counted", "every static list has as many members as are kept")


CHECKS: tuple[Callable[[], Finding], ...] = (people_counted, lists_counted)
