"""Compares counts that triggers keep with a recount. Each check reads all counted rows."""

from collections.abc import Callable

from config.operations.findings import Finding
from people.lists import static_lists
from people.persons import size

SHOWN = 5


def people_counted() -> Finding:
    difference = size.people_count_difference()
    if difference:
        return Finding(
            "people counted",
            f"the stored number differs from a recount by {difference:+,}",
            f"look at the triggers of person (guards), then: insert into person_count (people) values ({-difference})",
        )
    return Finding("people counted", "the stored number equals a recount")


def lists_counted() -> Finding:
    wrong = static_lists.miscounted_lists()
    if wrong:
        state = ", ".join(f"list {pk} has {recounted:,}, stored are {kept:,}" for pk, kept, recounted in wrong[:SHOWN])
        rows = ", ".join(f"({pk}, {recounted - kept})" for pk, kept, recounted in wrong[:SHOWN])
        return Finding(
            "lists counted",
            state + (f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""),
            "look at the triggers of static_list_member (guards), then: insert into static_list_count "
            f"(static_list_id, people) values {rows}",
        )
    return Finding("lists counted", "the stored number of every static list equals a recount")


CHECKS: tuple[Callable[[], Finding], ...] = (people_counted, lists_counted)
