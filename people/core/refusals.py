"""Errors of requests as such, which surfaces raise: not those of the verbs behind them."""

from people.core.errors import Conflict, Refused


class BadQuery(Refused):
    """A query parameter or header cannot be understood; `path` names the parameter."""


class Unauthorized(Refused):
    """Nobody known is asking."""


class NotFound(Refused):
    """There is nothing at this address."""


class Gone(Refused):
    """There was something once."""


class PreconditionFailed(Conflict):
    """If-Match names another state than the present one."""


class TooLarge(Refused):
    """The body has more than is taken in one call."""


class Unprocessable(Refused):
    """The body is understood and does not fit, whatever the problems' codes say elsewhere."""
