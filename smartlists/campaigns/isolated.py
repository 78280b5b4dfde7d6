"""Runs the parts of the dispatcher's work so that an error of one part does not stop the others."""

from collections.abc import Callable, Iterable


def run_each(parts: Iterable[Callable[[], int]]) -> int:
    """Call all `parts`; return the sum of their results.

    Raises the error of a part after the others are done; the errors of several parts as an `ExceptionGroup`.
    """
    errors: list[Exception] = []
    total = 0
    for part in parts:
        try:
            total += part()
        except Exception as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup("parts of the work failed", errors)
    return total
