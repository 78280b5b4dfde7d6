"""Posted inputs as trees of cards, and the values and conditions in them; unchecked."""

from collections.abc import Callable, Sequence
from typing import Any

from django.http import QueryDict

Json = dict[str, Any]


def posted_nodes(post: QueryDict, top: str, longest: int, value_of: Callable[[list[str]], Any]) -> list[Json]:
    """The posted cards under `top` as trees; `value_of` converts the values of each input."""
    tree: Json = {}
    for name, values in post.lists():
        if name.startswith(f"{top}."):
            _plant(tree, name.split("."), value_of(values), longest)
    return ordered_children(tree.get(top))


def _plant(tree: Json, steps: Sequence[str], value: Any, longest: int) -> None:
    """Store `value` at the path `steps`; ignore a path of more than `longest` steps or one through a value."""
    if len(steps) > longest:
        return
    for step in steps[:-1]:
        tree = tree.setdefault(step, {})
        if not isinstance(tree, dict):
            return
    tree[steps[-1]] = value


def ordered_children(nodes: Any) -> list[Json]:
    """The children in the order of their numbers; keys that are no numbers are ignored."""
    if not isinstance(nodes, dict):
        return []
    return [
        node for number, node in sorted(nodes.items(), key=_number) if number.isdecimal() and isinstance(node, dict)
    ]


def _number(item: tuple[str, Any]) -> int:
    return int(item[0]) if item[0].isascii() and item[0].isdigit() and len(item[0]) < 6 else -1


def posted_text(node: Json, name: str) -> str:
    values = node.get(name)
    return str(values[-1]).strip() if isinstance(values, list) and values else ""


def posted_values(node: Json) -> list[str]:
    """The typed values, whatever inputs the operator had: lines, single inputs, an amount and a unit."""
    if "amount" in node:
        amount = posted_text(node, "amount")
        return [f"{amount} {posted_text(node, 'unit')}"] if amount else []
    lines = posted_text(node, "lines").splitlines() if "lines" in node else node.get("values", [])
    return [value.strip() for value in lines if value.strip()]


def posted_condition(node: Json) -> Json:
    condition: Json = {
        "field": posted_text(node, "field"),
        "operator": posted_text(node, "operator"),
        "values": posted_values(node),
    }
    if empty := posted_text(node, "empty"):
        condition["empty"] = empty
    return condition


def posted_constraints(node: Json) -> list[Json]:
    return [posted_condition(child) for child in ordered_children(node.get("constraints", {}))]
