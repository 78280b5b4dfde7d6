"""Parts of the dispatcher's work that keep each other from nothing when one of them raises."""

from collections.abc import Callable, Iterable


def done_by_each(parts: Iterable[Callable[[], int]]) -> int:
    """Call all `parts`; return the sum of what they did.

    Raises what a part raised once the others are done; where several did, an `ExceptionGroup`.
    """
    errors: list[Exception] = []
    done = 0
    for part in parts:
        try:
            done += part()
        except Exception as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup("parts of the work failed", errors)
    return done
