"""Shared parts of view sets of objects with verbs: their revision, and actions that call a verb and nothing else."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from people.rest.viewsets import ResourceViewSet


class RevisedMixin(ResourceViewSet):
    """Objects with a number of their `revision`, which each change raises: it makes their ETag."""

    def revision(self, thing: Any) -> str | None:
        return f"{thing.pk}-{thing.revision}"


def verb_action(name: str, verb: Callable[[Any, Any], Any], description: str) -> Any:
    """The method `name` of a view set: POST to the address with this name, "_" as "-", and without a body.

    It calls `verb(object, user)` and responds with the object as it is then. `description` is that of the document.
    """

    def respond(self: ResourceViewSet, _request: Any, **_path: Any) -> Response:
        verb(self.get_object(), self.request.user)
        return self.response_for(self.get_object())

    respond.__name__, respond.__doc__ = name, description
    return extend_schema(request=None)(action(["POST"], detail=True, url_path=name.replace("_", "-"))(respond))


def delete_action(verb: Callable[[Any, Any], None], description: str) -> Any:
    """The method `destroy` of a view set: it calls `verb(object, user)`, where If-Match names the object as it is.

    `description` is that of the document.
    """

    def destroy(self: ResourceViewSet, _request: Any, **_path: Any) -> Response:
        thing = self.get_object()
        self.require_match(thing)
        verb(thing, self.request.user)
        return Response(status=204)

    destroy.__doc__ = description
    return extend_schema(request=None, responses={204: None})(destroy)
