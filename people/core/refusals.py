"""Errors of requests as such, which surfaces raise: not those of the verbs behind them."""

from people.core.errors import ConflictError, RejectedError


class BadQueryError(RejectedError):
    """A query parameter or header cannot be understood; `path` names the parameter."""


class UnauthorizedError(RejectedError):
    """Nobody known is asking."""


class NotFoundError(RejectedError):
    """There is nothing at this address."""


class GoneError(RejectedError):
    """There was something once."""


class PreconditionFailedError(ConflictError):
    """If-Match names another state than the present one."""


class TooLargeError(RejectedError):
    """The body has more than is taken in one call."""


class UnprocessableError(RejectedError):
    """The body is understood and does not fit, whatever the problems' codes say elsewhere."""
