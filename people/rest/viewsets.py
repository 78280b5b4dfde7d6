"""Base classes of the native API: strict fields and serializers, rights, sparse fields, ETags.

A view set translates a request into the call of a verb, and an object into JSON. It holds no rule of its own.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC
from typing import Any, ClassVar

from django.conf import settings
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers, viewsets
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.response import Response

from people.core.codes import Code
from people.core.db.time_limit import StatementTooSlowError, statement_limit
from people.core.errors import (
    BadQueryError,
    ConflictError,
    NotFoundError,
    PreconditionFailedError,
    Problem,
    TooLargeError,
    UnprocessableError,
    bad_value,
    quoted_value,
)
from people.core.permissions import Rights, refuse_unconfirmed_session, require_permission, user_source
from people.core.source import Channel, Source
from people.datatypes.exact_json import RepeatedKeys
from people.rest.answer_size import count_rows_that_fit
from people.rest.filters import NOT_FILTERS
from people.rest.query import OBJECT_PARAMETERS, refuse_unknown

MAX_BATCH = 1_000
PERSON_IDS = "custom_activities.person_ids"  # in META of a request: the people in its reply
_ETAG = re.compile(r'(?:W/)?"([^"]*)"')


class StrictCharField(serializers.CharField):
    """A string; numbers and booleans are not converted."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if not _is_storable(data):
            raise ValidationError(_("Text without NUL and without lone surrogates is needed."), Code.INVALID)
        return data


class StrictBooleanField(serializers.BooleanField):
    """A boolean; words and numbers are not converted."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=quoted_value(data))
        return data


class StrictIntegerField(serializers.IntegerField):
    """An integer; strings, booleans and numbers with a fraction are not converted."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


@extend_schema_field({"type": ["integer", "string"], "minimum": 1, "minLength": 1, "maxLength": 150})
class OwnerField(StrictCharField):
    """The id or the user name of an owner; null for no owner."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 150, "allow_null": True, "required": False, **options})

    def to_internal_value(self, data: Any) -> Any:
        return data if type(data) is int else super().to_internal_value(data)

    def run_validators(self, value: Any) -> None:
        if isinstance(value, str):  # `people.core.permissions.find_owner` checks an id
            super().run_validators(value)


class UTCDateTimeField(serializers.DateTimeField):
    """A moment, always represented in UTC."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"default_timezone": UTC, **options})


class StrictSerializer(serializers.Serializer):
    """Members of a body or a reply. Rejects a member that is not declared."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, RepeatedKeys):
            raise ValidationError({"non_field_errors": [_repeated()]})
        if isinstance(data, Mapping):
            writable = [name for name, field in self.fields.items() if not field.read_only]
            unknown = [name for name in data if name not in writable]
            if unknown:
                raise ValidationError({quoted_value(name): [_unknown_member(writable)] for name in unknown[:20]})
        return super().to_internal_value(data)


@extend_schema_serializer(component_name="Fault")  # as `config.api.openapi` describes it
class ProblemSerializer(StrictSerializer):
    code = serializers.CharField()
    message = serializers.CharField()
    path = serializers.CharField(required=False)
    expected = serializers.CharField(required=False)
    got = serializers.CharField(required=False)


def _repeated() -> ErrorDetail:
    return ErrorDetail(_("A name is given twice."), Code.GIVEN_TWICE)


def _unknown_member(names: Iterable[str]) -> ErrorDetail:
    message = _("Unknown. Known are %(known)s.") % {"known": ", ".join(names)}
    return ErrorDetail(message, Code.UNKNOWN_MEMBER)


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


class ResourceViewSet(viewsets.GenericViewSet):
    """One kind of object at one address.

    `rights`: the right of each action, or all that it needs (None: authentication is enough); an action without an
    entry is rejected.
    `parameters`: the query parameters of each action other than a list, which accepts filters.
    `orderings`: the orderings that an index serves, the default first; `key` breaks their ties.
    `indexed_filters`: the filters that an index serves; queries with other filters have a time limit.
    `conflicting_reads`: the GET actions that are answered with 409 while an object is not ready.
    """

    rights: ClassVar[Mapping[str, Rights]] = {}
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {}
    orderings: ClassVar[Sequence[str]] = ("id",)
    indexed_filters: ClassVar[frozenset[str]] = frozenset()
    conflicting_reads: ClassVar[frozenset[str]] = frozenset()
    key: ClassVar[str] = "id"
    http_method_names = ("get", "head", "options", "post", "put", "patch", "delete")
    lookup_value_converter = "int"

    def initial(self, request: Any, *arguments: Any, **more: Any) -> None:
        super().initial(request, *arguments, **more)
        if self.action is not None and self.action != "list":
            known_names = OBJECT_PARAMETERS | self.parameters.get(self.action, frozenset())
            refuse_unknown(request, known_names, sorted(known_names))
        ordering = request.query_params.get("ordering")
        orderings = self.orderings if self.action == "list" else ()
        if ordering is not None and request.method == "GET" and ordering not in orderings:
            raise BadQueryError(bad_value(Code.UNKNOWN_ORDERING, ", ".join(orderings), ordering, "ordering"))

    @property
    def source(self) -> Source:
        return user_source(Channel.API, self.request.user)

    def options(self, request: Any, *_arguments: Any, **_more: Any) -> Response:
        """The methods, in the header Allow. The OpenAPI document describes the rest."""
        return Response(status=204)

    def require(self, right: str) -> None:
        """Raise `NotAllowedError` without the right; for actions whose methods need different rights."""
        require_permission(self.request.user, right)

    def revision(self, thing: Any) -> str | None:
        """A text that changes with every change of `thing`; None for objects that are not edited."""
        return None

    def get_object(self) -> Any:
        try:
            return super().get_object()
        except (Http404, OverflowError):
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is nothing at this address."))) from None

    def show(self, thing: Any) -> Any:
        """`thing` as JSON, restricted to the fields of `?fields=`."""
        return self.show_all([thing])[0]

    def show_all(self, things: Iterable[Any]) -> Any:
        rows = self.fast_rows(things)
        if rows is None:
            many = self.get_serializer(things, many=True)
            assert isinstance(many, serializers.ListSerializer)
            self._restrict_fields(many.child)
            return many.data
        if "fields" not in self.request.query_params:
            return rows
        serializer = self.get_serializer()
        assert isinstance(serializer, serializers.Serializer)
        self._restrict_fields(serializer)
        names = list(serializer.fields)
        return [{name: row[name] for name in names} for row in rows]

    def fast_rows(self, things: Iterable[Any]) -> list[dict[str, Any]] | None:
        """The serializer's representations of `things`, made without a field object per value.

        None for view sets that have no such shortcut.
        """
        return None

    def response_for(self, thing: Any, status: int = 200, **headers: str) -> Response:
        """A response with the representation of `thing` and its ETag."""
        return Response(self.show(thing), status, headers=headers | self._headers(thing))

    def validated_body(self, serializer_class: type[serializers.Serializer], partial: bool = False) -> Any:
        """The validated body. Raises ValidationError with all its problems."""
        serializer = serializer_class(data=self.request.data, partial=partial, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def require_match(self, thing: Any) -> None:
        """Raise `PreconditionFailedError` when no tag of If-Match is the present ETag of `thing`."""
        condition = self.request.headers.get("If-Match", "*")
        if condition.strip() == "*":
            return
        if self._etag(thing) not in _tags(condition):
            message = _("It has changed since you read it. Read it again; nothing was overwritten.")
            raise PreconditionFailedError(
                Problem(Code.PRECONDITION_FAILED, message, (), self._etag(thing) or "", quoted_value(condition))
            )

    @contextmanager
    def expecting(self, revision: int) -> Iterator[int | None]:
        """Context for a verb that edits an object at `revision`. Yields the revision that the verb has to expect.

        Yields None when the request has no If-Match. A concurrent edit raises `PreconditionFailedError` for a
        request with If-Match, else `ConflictError`.
        """
        has_condition = self.request.headers.get("If-Match", "*").strip() != "*"
        try:
            yield revision if has_condition else None
        except ConflictError as conflict:
            raise (PreconditionFailedError(*conflict.problems) if has_condition else conflict) from None

    def change_from_body(
        self,
        serializer_class: type[serializers.Serializer],
        verb: Callable[..., Any],
        values_of: Callable[[Any, dict[str, Any]], dict[str, Any]] = lambda _thing, body: body,
        needs_confirmation: Callable[[Any, dict[str, Any]], bool] = lambda _thing, _values: False,
    ) -> Response:
        """Change the object by `verb(thing, user, expected_revision=…, **values)`; respond with it as it is then.

        The members of the body are optional. `values_of(thing, body)` returns the values for the verb, or refuses.
        Where `needs_confirmation(thing, values)`, a session must have been confirmed recently.
        """
        thing = self.get_object()
        self.require_match(thing)
        values = values_of(thing, self.validated_body(serializer_class, partial=True))
        if needs_confirmation(thing, values):
            refuse_unconfirmed_session(self.request._request)
        with self.expecting(thing.revision) as expected:
            verb(thing, self.request.user, expected_revision=expected, **values)
        return self.response_for(self.get_object())

    def _restrict_fields(self, serializer: Any) -> None:
        if "fields" not in self.request.query_params:
            return
        requested = {name.strip() for name in self.request.query_params["fields"].split(",")}
        available = list(serializer.fields)
        requested |= {"id"} & set(available)  # a reply always has the id
        for name in sorted(requested - set(available)):
            message = _("there is no field “%(name)s”; there are %(known)s") % {
                "name": quoted_value(name),
                "known": ", ".join(available),
            }
            raise BadQueryError(
                Problem(Code.UNKNOWN_FIELD, message, ("fields",), ", ".join(available), quoted_value(name))
            )
        for name in set(available) - requested:
            del serializer.fields[name]

    def _etag(self, thing: Any) -> str | None:
        revision = self.revision(thing)
        return None if revision is None else f'"{revision}"'

    def _headers(self, thing: Any) -> dict[str, str]:
        etag = self._etag(thing)
        return {} if etag is None else {"ETag": etag}


class ListMixin(ResourceViewSet):
    """The list of all objects, in pages."""

    def list(self, request: Any, *_arguments: Any, **_more: Any) -> Response:
        with _time_limit(bool(set(request.query_params) - NOT_FILTERS - self.indexed_filters)):
            page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
            if page is None:
                raise TypeError(f"{type(self).__name__} has no paginator.")
            rows = self.show_all(page)
            if (fitting := count_rows_that_fit(rows)) < len(rows):
                paginator: Any = self.paginator
                paginator.end_after(page[fitting - 1])
            return self.get_paginated_response(rows[:fitting])


@contextmanager
def _time_limit(is_filtered: bool) -> Iterator[None]:
    """Statement timeout of a filtered list: most columns have no index that serves their filters.

    Raises `BadQueryError` (`too_slow`) when the time is up.
    """
    if not is_filtered:
        yield
        return
    try:
        with statement_limit(settings.API_LIST_SECONDS):
            yield
    except StatementTooSlowError:
        message = _(
            "Nothing was found in %(seconds)s seconds: no index covers these filters alone. Narrow them, "
            "for example by id or by time, or use an export or a smart list."
        ) % {"seconds": f"{settings.API_LIST_SECONDS:g}"}
        raise BadQueryError(Problem(Code.TOO_SLOW, message)) from None


class RetrieveMixin(ResourceViewSet):
    """Each object at its own address."""

    def retrieve(self, request: Any, *_arguments: Any, **_more: Any) -> Response:
        thing = self.get_object()
        if self._etag(thing) is not None and self._etag(thing) in _tags(request.headers.get("If-None-Match", "")):
            return Response(status=304, headers=self._headers(thing))
        return self.response_for(thing)


def _tags(header: str) -> set[str]:
    return {f'"{tag}"' for tag in _ETAG.findall(header)}


def note_people_in_reply(request: Any, person_ids: Iterable[int]) -> None:
    """Note the people in the reply, so that a reply kept for a repeated request is erased with them."""
    request._request.META[PERSON_IDS] = set(person_ids)


def batch_rows(body: Any, name: str) -> list[Any]:
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


def refuse_unknown_members(body: Any, allowed: Iterable[str]) -> None:
    """Raise `UnprocessableError` when the object `body` has members other than `allowed`."""
    allowed = list(allowed)
    if not isinstance(body, dict):
        raise UnprocessableError(bad_value(Code.WRONG_TYPE, _("an object"), body))
    problems = [
        Problem(
            Code.UNKNOWN_MEMBER,
            _("Unknown. Known are %(known)s.") % {"known": ", ".join(allowed)},
            (quoted_value(name),),
        )
        for name in body
        if name not in allowed
    ]
    if isinstance(body, RepeatedKeys):
        problems.append(Problem(Code.GIVEN_TWICE, _("A name is given twice.")))
    if problems:
        raise UnprocessableError(*problems[:20])


def lock_for_update(thing: Any) -> Any:
    """The current row of `thing`, locked until the transaction ends. Raises `NotFoundError` for a deleted one."""
    row = type(thing).objects.select_for_update().filter(pk=thing.pk).first()
    if row is None:
        raise NotFoundError(Problem(Code.NOT_FOUND, _("There is nothing at this address.")))
    return row
