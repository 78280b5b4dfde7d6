"""Reading of bodies whose framing may turn out to be malformed, or that break off."""

from typing import Any

from django.http import HttpRequest, UnreadablePostError
from gunicorn.http.errors import ParseException


class BodyReader:
    """A reader of gunicorn whose parse errors are errors of reading, to which Django's views answer with 400."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader

    def read(self, size: int) -> bytes:
        """Raises OSError for a body with malformed framing."""
        try:
            data: bytes = self.reader.read(size)
        except ParseException as error:
            raise OSError(str(error)) from error
        return data


def read_chunked_body(request: HttpRequest, most: int) -> bytes:
    """At most `most` bytes of a body without Content-Length, which Django takes for empty.

    Only behind a server that marks the end of its input (`wsgi.input_terminated`). Raises UnreadablePostError, as
    Django's own reading does, where the body breaks off or its chunks are malformed.
    """
    try:
        data: bytes = request.META["wsgi.input"].read(most)
    except OSError as error:
        raise UnreadablePostError(*error.args) from error
    return data
