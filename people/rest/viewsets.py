"""What the resources of the native API have in common: faults, strict bodies, rights, sparse fields, ETags.

A resource translates a request into a verb and a thing into JSON; it holds no rule of its own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC
from typing import Any, ClassVar

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from psycopg.errors import QueryCanceled
from rest_framework import serializers, viewsets
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.response import Response

from people.core.codes import Code
from people.core.errors import (
    BadQueryError,
    ConflictError,
    NotFoundError,
    PreconditionFailedError,
    Problem,
    TooLargeError,
    UnprocessableError,
    bad_value,
    show,
)
from people.core.permissions import require
from people.core.source import Channel, Source
from people.datatypes.exact_json import Repeated
from people.rest.filters import NOT_FILTERS
from people.rest.query import OF_THINGS, refuse_unknown

MAX_BATCH = 1_000
PERSON_IDS = "custom_activities.person_ids"  # in META of a request: the people whom its reply is about
_ETAG = re.compile(r'(?:W/)?"([^"]*)"')


class Text(serializers.CharField):
    """Text and nothing that merely looks like it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if not _is_storable(data):
            raise ValidationError(_("Text without NUL and without lone surrogates is needed."), Code.INVALID)
        return data


class YesNo(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=show(data))
        return data


class Whole(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


@extend_schema_field({"type": ["integer", "string"], "minimum": 1, "minLength": 1, "maxLength": 150})
class Owner(Text):
    """The id or the user name of somebody whose a thing shall be; null: nobody's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 150, "allow_null": True, "required": False, **options})

    def to_internal_value(self, data: Any) -> Any:
        return data if type(data) is int else super().to_internal_value(data)

    def run_validators(self, value: Any) -> None:
        if isinstance(value, str):  # `people.core.permissions.find_owner` judges an id
            super().run_validators(value)


class Moment(serializers.DateTimeField):
    """A moment, always shown in UTC."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"default_timezone": UTC, **options})


class Strict(serializers.Serializer):
    """A body's or a reply's members; a member that is not declared is a fault, not something to skip."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Repeated):
            raise ValidationError({"non_field_errors": [_repeated()]})
        if isinstance(data, Mapping):
            known = [name for name, field in self.fields.items() if not field.read_only]
            unknown = [name for name in data if name not in known]
            if unknown:
                raise ValidationError({show(name): [_unknown_member(known)] for name in unknown[:20]})
        return super().to_internal_value(data)


class FaultShown(Strict):
    code = serializers.CharField()
    message = serializers.CharField()
    path = serializers.CharField(required=False)
    expected = serializers.CharField(required=False)
    got = serializers.CharField(required=False)


def _repeated() -> ErrorDetail:
    return ErrorDetail(_("A name is given twice."), Code.GIVEN_TWICE)


def _unknown_member(known: Iterable[str]) -> ErrorDetail:
    message = _("Unknown; there are %(known)s.") % {"known": ", ".join(known)}
    return ErrorDetail(message, Code.UNKNOWN_MEMBER)


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


class Resource(viewsets.GenericViewSet):
    """One kind of thing at one address.

    `rights` names the right each action needs (None: being logged in is enough); an action that is not in it
    is refused. `parameters` are those of the query that an action reads itself; lists read filters besides.
    `orderings` are what an index serves, the first by default; `key` breaks their ties.
    `served` are the filters that an index serves: the others are given a time.
    """

    rights: ClassVar[Mapping[str, str | None]] = {}
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {}
    orderings: ClassVar[Sequence[str]] = ("id",)
    served: ClassVar[frozenset[str]] = frozenset()
    key: ClassVar[str] = "id"
    http_method_names = ("get", "head", "options", "post", "put", "patch", "delete")
    lookup_value_converter = "int"

    def initial(self, request: Any, *arguments: Any, **more: Any) -> None:
        super().initial(request, *arguments, **more)
        if self.action is not None and self.action != "list":
            known = OF_THINGS | self.parameters.get(self.action, frozenset())
            refuse_unknown(request, known, sorted(known))
        wanted = request.query_params.get("ordering")
        orderings = self.orderings if self.action == "list" else ()
        if wanted is not None and request.method == "GET" and wanted not in orderings:
            raise BadQueryError(bad_value(Code.UNKNOWN_ORDERING, ", ".join(orderings), wanted, "ordering"))

    @property
    def source(self) -> Source:
        return Source(Channel.API, self.request.user.pk)

    def options(self, request: Any, *_arguments: Any, **_more: Any) -> Response:
        """The methods, in the header Allow; the OpenAPI document has the rest."""
        return Response(status=204)

    def require(self, right: str) -> None:
        """Raise `NotAllowedError` without the right; for actions whose methods need different ones."""
        require(self.request.user, right)

    def revision(self, thing: Any) -> str | None:
        """What changes whenever `thing` does; None for things that nobody edits."""
        return None

    def get_object(self) -> Any:
        try:
            return super().get_object()
        except (Http404, OverflowError):
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is nothing at this address."))) from None

    def show(self, thing: Any) -> Any:
        """`thing` as JSON, only with the fields that were asked for."""
        return self.show_all([thing])[0]

    def show_all(self, things: Iterable[Any]) -> Any:
        rows = self.shown_quickly(things)
        if rows is None:
            many = self.get_serializer(things, many=True)
            assert isinstance(many, serializers.ListSerializer)
            self._keep_wanted(many.child)
            return many.data
        if "fields" not in self.request.query_params:
            return rows
        serializer = self.get_serializer()
        assert isinstance(serializer, serializers.Serializer)
        self._keep_wanted(serializer)
        wanted = list(serializer.fields)
        return [{name: row[name] for name in wanted} for row in rows]

    def shown_quickly(self, things: Iterable[Any]) -> list[dict[str, Any]] | None:
        """What the serializer makes of `things`, without a field object a value; None where only it can."""
        return None

    def shown(self, thing: Any, status: int = 200, **headers: str) -> Response:
        """The reply that shows `thing`, with its ETag."""
        return Response(self.show(thing), status, headers=headers | self._headers(thing))

    def given(self, serializer_class: type[serializers.Serializer], partial: bool = False) -> Any:
        """The checked body. Raises ValidationError with all its faults."""
        serializer = serializer_class(data=self.request.data, partial=partial, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def require_match(self, thing: Any) -> None:
        """Raise `PreconditionFailedError` when If-Match names another state of `thing` than the present one."""
        wanted = self.request.headers.get("If-Match", "*")
        if wanted.strip() == "*":
            return
        if self._etag(thing) not in _tags(wanted):
            message = _("It has changed since you read it. Read it again; nothing was overwritten.")
            raise PreconditionFailedError(
                Problem(Code.PRECONDITION_FAILED, message, (), self._etag(thing) or "", show(wanted))
            )

    @contextmanager
    def expecting(self, revision: int) -> Iterator[int | None]:
        """Inside, a verb edits what has `revision`: yields what to hand it, None when the client sets no condition.

        Somebody else's edit in between is a failed condition for whoever set one, else the conflict it is.
        """
        has_condition = self.request.headers.get("If-Match", "*").strip() != "*"
        try:
            yield revision if has_condition else None
        except ConflictError as conflict:
            raise (PreconditionFailedError(*conflict.problems) if has_condition else conflict) from None

    def _keep_wanted(self, serializer: Any) -> None:
        if "fields" not in self.request.query_params:
            return
        wanted = {name.strip() for name in self.request.query_params["fields"].split(",")}
        known = list(serializer.fields)
        wanted |= {"id"} & set(known)  # what a reply is about is always said
        for name in sorted(wanted - set(known)):
            message = _("there is no field '%(name)s'; there are %(known)s") % {
                "name": show(name),
                "known": ", ".join(known),
            }
            raise BadQueryError(Problem(Code.UNKNOWN_FIELD, message, ("fields",), ", ".join(known), show(name)))
        for name in set(known) - wanted:
            del serializer.fields[name]

    def _etag(self, thing: Any) -> str | None:
        revision = self.revision(thing)
        return None if revision is None else f'"{revision}"'

    def _headers(self, thing: Any) -> dict[str, str]:
        etag = self._etag(thing)
        return {} if etag is None else {"ETag": etag}


class Listed(Resource):
    """With the list of all of them, in pages."""

    def list(self, request: Any, *_arguments: Any, **_more: Any) -> Response:
        with _in_time(bool(set(request.query_params) - NOT_FILTERS - self.served)):
            page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
            if page is None:
                raise TypeError(f"{type(self).__name__} has no paginator.")
            return self.get_paginated_response(self.show_all(page))


@contextmanager
def _in_time(is_filtered: bool) -> Iterator[None]:
    """What a filter asks for is looked for so long and no longer: most columns have no index that serves them.

    Raises `BadQueryError` (`too_slow`) when the time is up.
    """
    if not is_filtered:
        yield
        return
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "select set_config('statement_timeout', %s, true)", [f"{settings.API_LIST_SECONDS * 1000:.0f}"]
                )
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        message = _(
            "Nothing was found in %(seconds)s seconds: no index serves these filters alone. Narrow them, by id or by "
            "time for example, or have an export or a smart list made of them."
        ) % {"seconds": f"{settings.API_LIST_SECONDS:g}"}
        raise BadQueryError(Problem(Code.TOO_SLOW, message)) from None


class Retrieved(Resource):
    """With each of them at an address of its own."""

    def retrieve(self, request: Any, *_arguments: Any, **_more: Any) -> Response:
        thing = self.get_object()
        if self._etag(thing) is not None and self._etag(thing) in _tags(request.headers.get("If-None-Match", "")):
            return Response(status=304, headers=self._headers(thing))
        return self.shown(thing)


def _tags(header: str) -> set[str]:
    return {f'"{tag}"' for tag in _ETAG.findall(header)}


def name_people(request: Any, person_ids: Iterable[int]) -> None:
    """Name the people whom the reply is about: a reply that is kept for a repeated request is erased with them."""
    request._request.META[PERSON_IDS] = set(person_ids)


def rows_of(body: Any, name: str) -> list[Any]:
    """The list under `name` of a batch's body, 1 to 1,000 rows. Raises `UnprocessableError` or `TooLargeError`."""
    rows = body.get(name) if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows:
        expected = _("a list of 1 to 1,000 under “%(name)s”") % {"name": name}
        raise UnprocessableError(bad_value(Code.MISSING_VALUE, expected, rows, name))
    if len(rows) > MAX_BATCH:
        message = _("At most 1,000 in one call; there are %(count)s. Send several calls, or a stream.") % {
            "count": len(rows)
        }
        raise TooLargeError(Problem(Code.TOO_MANY_ROWS, message, (name,), "1000", str(len(rows))))
    return rows


def refuse_unknown_members(body: Any, known: Iterable[str]) -> None:
    """Raise `UnprocessableError` when the object `body` has members that nobody reads."""
    known = list(known)
    if not isinstance(body, dict):
        raise UnprocessableError(bad_value(Code.WRONG_TYPE, _("an object"), body))
    problems = [
        Problem(Code.UNKNOWN_MEMBER, _("Unknown; there are %(known)s.") % {"known": ", ".join(known)}, (show(name),))
        for name in body
        if name not in known
    ]
    if isinstance(body, Repeated):
        problems.append(Problem(Code.GIVEN_TWICE, _("A name is given twice.")))
    if problems:
        raise UnprocessableError(*problems[:20])


def locked_for_update(thing: Any) -> Any:
    """`thing` as it is now, nobody changing it until the transaction ends."""
    found = type(thing).objects.select_for_update().filter(pk=thing.pk).first()
    if found is None:
        raise NotFoundError(Problem(Code.NOT_FOUND, _("There is nothing at this address.")))
    return found
