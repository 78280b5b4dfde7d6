"""The forms of a page as a browser without scripts sends them, and the messages beside them when they come back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
TYPED = {"text", "email", "url", "search", "tel", "number", "date", "datetime-local", "time", "password", "month"}
KEPT = {"text", "email", "url", "search", "tel", "textarea"}  # in the others a browser accepts no nonsense


@dataclass(slots=True)
class Element:
    name: str
    attributes: dict[str, str]
    parent: "Element | None"
    children: list["Element | str"] = field(default_factory=list)

    def walk(self) -> Iterator["Element"]:
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def all(self, *names: str) -> list["Element"]:
        return [found for found in self.walk() if found.name in names]

    def of_class(self, name: str) -> list["Element"]:
        return [found for found in self.walk() if name in found.attributes.get("class", "").split()]

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def above(self) -> Iterator["Element"]:
        here = self.parent
        while here is not None:
            yield here
            here = here.parent


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.here = Element("#", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs}, self.here)
        self.here.children.append(made)
        if tag not in VOID:
            self.here = made

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.here.children.append(Element(tag, {name: value or "" for name, value in attrs}, self.here))

    def handle_endtag(self, tag: str) -> None:
        for element in [self.here, *self.here.above()]:
            if element.name == tag and element.parent is not None:
                self.here = element.parent
                return

    def handle_data(self, data: str) -> None:
        self.here.children.append(data)


def read_page(html: str) -> Element:
    reader = _Reader()
    reader.feed(html)
    return reader.root


@dataclass(frozen=True, slots=True)
class Control:
    name: str
    kind: str  # an input's type, "select" or "textarea"
    value: str
    is_ticked: bool = True

    @property
    def is_typed(self) -> bool:
        return self.kind in TYPED or self.kind == "textarea"

    @property
    def is_kept(self) -> bool:
        return self.kind in KEPT


@dataclass(frozen=True, slots=True)
class Form:
    action: str
    controls: tuple[Control, ...]
    buttons: tuple[tuple[str, str], ...]

    @property
    def asks(self) -> bool:
        """True if there is something to type or choose, besides a press."""
        return any(control.is_typed or control.kind in {"select", "file"} for control in self.controls)

    def sent(self, typed: str | None = None, chosen: str | None = None) -> dict[str, list[str]]:
        """The values that it sends with `typed` in every box and `chosen` in every list; None leaves the present ones."""
        data: dict[str, list[str]] = {}
        for control in self.controls:
            value = control.value
            if control.is_typed and typed is not None:
                value = typed
            elif control.kind == "select" and chosen is not None:
                value = chosen
            if control.is_ticked and control.kind != "file":
                data.setdefault(control.name, []).append(value)
        saving = [button for button in self.buttons if button[1] == "save"] or self.buttons
        return data | {name: [value] for name, value in saving[:1]}


def forms_of(page: Element, address: str) -> Iterator[Form]:
    """The forms that post, each with the controls that name it from elsewhere."""
    for form in page.all("form"):
        if form.attributes.get("method", "").lower() != "post":
            continue
        own = form.attributes.get("id")
        parts = [*form.walk(), *(part for part in page.walk() if own and part.attributes.get("form") == own)]
        controls = tuple(_control(part) for part in parts if _is_control(part))
        buttons = tuple(
            (part.attributes["name"], part.attributes.get("value", ""))
            for part in parts
            if part.name == "button" and part.attributes.get("type") != "button" and part.attributes.get("name")
        )
        yield Form(form.attributes.get("action") or address, controls, buttons)


def _is_control(part: Element) -> bool:
    attributes = part.attributes
    inert = attributes.get("type") in {"submit", "button", "image", "reset"} or "disabled" in attributes
    return part.name in {"input", "select", "textarea"} and bool(attributes.get("name")) and not inert


def _control(part: Element) -> Control:
    attributes = part.attributes
    if {"hidden", "readonly"} & {*attributes}:  # no user types there
        return Control(attributes["name"], "hidden", attributes.get("value", ""))
    if part.name == "select":
        options = part.all("option")
        chosen = next((option for option in options if "selected" in option.attributes), (options or [None])[0])
        value = "" if chosen is None else chosen.attributes.get("value", chosen.text.strip())
        return Control(attributes["name"], "select", value, chosen is not None)
    if part.name == "textarea":
        return Control(attributes["name"], "textarea", part.text)
    kind = attributes.get("type", "text").lower()
    is_ticked = kind not in {"checkbox", "radio"} or "checked" in attributes
    return Control(attributes["name"], kind, attributes.get("value", "on" if kind == "checkbox" else ""), is_ticked)
