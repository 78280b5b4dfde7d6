"""Registries of kinds, such as the filters of a smart list and the steps of a campaign.

A kind is a name and a class. Each layer has a facet of its own with one implementation for every kind (parser,
SQL, card), so that a kind is added by one registration in each facet. A test checks `Kinds.missing`.
"""

from typing import Any, TypeVar

T = TypeVar("T")


class Facet(dict[str, T]):
    """Implementations of one layer by the name of the kind."""

    def __init__(self, kinds: "Kinds", implementations: dict[str, T]) -> None:
        super().__init__(implementations)
        self.kinds = kinds

    def of(self, item: Any) -> T:
        """The implementation for the kind of `item`."""
        return self[self.kinds.name_of(item)]


class Kinds:
    """One registry of kinds: classes by name, and the facets that every kind needs."""

    def __init__(self, classes: dict[str, type]) -> None:
        self.classes = classes
        self.facets: dict[str, Facet[Any]] = {}

    def name_of(self, item: Any) -> str:
        """The name of the kind of `item`. Raises `LookupError` for a class that is not registered."""
        for name, kind_class in self.classes.items():
            if type(item) is kind_class:
                return name
        raise LookupError(f"{type(item).__name__} is not registered")

    def facet(self, name: str, implementations: dict[str, T]) -> Facet[T]:
        """Create a facet. Further kinds are registered in its module, by the kind's name."""
        self.facets[name] = Facet(self, implementations)
        return self.facets[name]

    def missing(self) -> list[tuple[str, str]]:
        """(facet, kind) for every implementation that is missing."""
        return [(facet, kind) for facet in self.facets for kind in self.classes if kind not in self.facets[facet]]
