"""Kinds of definitions: the properties of activity types, and of similar definitions, for their common life cycle.

A kind is registered once, when its app starts. The verbs take a definition and look up its kind by its model.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, Protocol, TypeVar

from django.db.models import Model
from django.utils.functional import Promise

from people.core.db import locks
from people.core.errors import Problem
from people.definitions.models import Definition

# guards against runaway programs
MAX_FIELDS = 500
MAX_VERSIONS = 1_000  # of one definition

D = TypeVar("D", bound=Definition)


class NameSpec(Protocol):
    """The names of a definition: a dataclass of `api_name` and of columns of its versions."""

    @property
    def api_name(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field as entered by an editor. A kind whose fields have further columns adds them in a subclass."""

    api_name: str
    name: str
    data_type: str = "string"
    description: str = ""

    @property
    def is_counted(self) -> bool:
        """True if the field counts towards the kind's limit of fields."""
        return True


@dataclass(frozen=True, slots=True)
class DefinitionSentences:
    """The sentences of the kind, in its own words."""

    gone: str | Promise  # the definition does not exist any more
    not_deleted: str | Promise
    name_taken: str | Promise  # with %(name)s and the API name of the %(other)s
    too_many: str | Promise  # definitions; with %(limit)s
    too_many_fields: str | Promise  # with %(limit)s
    field_removed: str | Promise  # the effect of approving a removal; with the name of the %(field)s


def _nothing(*_arguments: Any) -> Any:
    return ()


@dataclass(frozen=True, eq=False)
class DefinitionKind(Generic[D]):
    """One kind of definition."""

    model: type[D]
    names: Callable[..., NameSpec]  # the dataclass
    field: Callable[..., FieldSpec]  # the dataclass
    # writers of a definition's rows share the lock of its id; changes of whether, or how, rows are written take it
    # exclusively; number 0 is the lock for naming
    lock: locks.LockSpace
    page: str  # the URL name of the page of a definition
    sentences: DefinitionSentences
    unique_names: Sequence[str] = ("name",)  # columns of versions whose values are unique among definitions
    limit: Callable[[], int | None] = lambda: None  # of definitions
    field_limit: Callable[[], int | None] = lambda: None
    # further problems of fields, of a new definition (None) or an existing one
    check_fields: Callable[[Sequence[Any], D | None], Sequence[Problem]] = _nothing
    # further problems that prevent only an approval: an unfinished draft may have them
    check_complete: Callable[[Sequence[Any]], Sequence[Problem]] = _nothing
    refuse_change: Callable[[D], Any] = _nothing  # raises `RejectedError` for a read-only definition
    reserved: Collection[str] = ()  # API names, in lower case, that no definition can have

    @property
    def texts(self) -> list[str]:
        """The columns of a version for its names and texts."""
        return [column.name for column in fields(self.names) if column.name != "api_name"]  # type: ignore[arg-type]

    @property
    def field_columns(self) -> list[str]:
        """The editable columns of a field."""
        return [column.name for column in fields(self.field)]  # type: ignore[arg-type]

    @property
    def versions(self) -> type[Model]:
        return self._related(self.model, "versions")

    @property
    def data_types(self) -> dict[str, Any]:
        """The data types that fields can have, with their labels."""
        column: Any = self._related(self.versions, "fields")._meta.get_field("data_type")
        return dict(column.flatchoices)

    def right(self, action: str) -> str:
        """The right to "add", "change", "approve" or "delete" definitions of this kind."""
        options = self.model._meta
        return f"{options.app_label}.{action}_{options.model_name}"

    @staticmethod
    def _related(model: type[Model], name: str) -> type[Model]:
        related = model._meta.get_field(name).related_model
        assert isinstance(related, type)
        return related


_KINDS: list[DefinitionKind[Any]] = []


def register_definition_kind(kind: DefinitionKind[Any]) -> None:
    _KINDS.append(kind)


def definition_kind(row: Model) -> DefinitionKind[Any]:
    """The kind of a definition or of a version. Raises `LookupError` for any other row."""
    for kind in _KINDS:
        if isinstance(row, kind.model | kind.versions):
            return kind
    raise LookupError(f"{type(row).__name__} is no definition of a registered kind")
