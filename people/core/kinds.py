"""Registries of what exists in kinds, such as filters of a smart list and steps of a campaign.

A kind is a name and a class. Each layer keeps what it needs of every kind in a facet of its own (how it is read, its
SQL, its card), so that a kind is added by one registration a facet. `Kinds.missing` is what a test walks.
"""

from typing import Any, TypeVar

T = TypeVar("T")


class Facet(dict[str, T]):
    """Implementations of one thing by the name of the kind."""

    def __init__(self, kinds: "Kinds", implementations: dict[str, T]) -> None:
        super().__init__(implementations)
        self.kinds = kinds

    def of(self, item: Any) -> T:
        """The implementation for the kind of `item`."""
        return self[self.kinds.name_of(item)]


class Kinds:
    """The kinds of one thing: classes by name, and the facets that every kind needs."""

    def __init__(self, classes: dict[str, type]) -> None:
        self.classes = classes
        self.facets: dict[str, Facet[Any]] = {}

    def name_of(self, item: Any) -> str:
        """The name of the kind that `item` is of. Raises `LookupError` for one that is not registered."""
        for name, made in self.classes.items():
            if type(item) is made:
                return name
        raise LookupError(f"{type(item).__name__} is not registered")

    def facet(self, name: str, implementations: dict[str, T]) -> Facet[T]:
        """A new facet; its module is where a further kind is registered, by the kind's name."""
        self.facets[name] = Facet(self, implementations)
        return self.facets[name]

    def missing(self) -> list[tuple[str, str]]:
        """(facet, kind) for every kind that a facet lacks."""
        return [(facet, kind) for facet in self.facets for kind in self.classes if kind not in self.facets[facet]]
