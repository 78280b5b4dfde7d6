"""The inputs of a change of an object record: its field, the values before and after, and its period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smartlists.admin.builder.choices import FieldChoice, selectable_fields
from smartlists.admin.builder.conditions import ConditionInputs
from smartlists.admin.builder.inputs import fits_inputs, input_kind
from smartlists.admin.builder.posted import posted_text, posted_values
from smartlists.rules import operators

Json = dict[str, Any]
ANY_FIELD = "*"  # in the select of the field that changed


@dataclass(slots=True)
class ChangeInputs:
    """The condition on the history of a record, as inputs called `name`.…; `is_set` is false for no condition."""

    name: str
    form: Json
    is_set: bool
    fields: Sequence[FieldChoice]
    period: ConditionInputs
    errors: Sequence[str] = ()

    @property
    def field(self) -> str:
        """The value of the select of the field."""
        return (self.form.get("field") or ANY_FIELD) if self.is_set else ""

    @property
    def has_field(self) -> bool:
        return bool(self.form.get("field"))

    @property
    def is_boolean(self) -> bool:
        chosen = next((choice for choice in self.fields if choice.api_name == self.field), None)
        return chosen is not None and chosen.data_type.name == "boolean"

    @property
    def before(self) -> str:
        return "\n".join(self.form.get("from", ()))

    @property
    def after(self) -> str:
        return "\n".join(self.form.get("to", ()))


def posted_change(node: Json) -> Json:
    """The posted change of a record: ANY_FIELD stands for no field in particular."""
    field = posted_text(node, "field")
    change: Json = {} if field == ANY_FIELD else {"field": field}
    for word in ("from", "to") if change else ():
        if values := [line.strip() for line in posted_text(node, word).splitlines() if line.strip()]:
            change[word] = values
    if operator := posted_text(node, "operator"):
        change |= {"operator": operator, "values": posted_values(node)}
    return change


def fit_change(changed: Json, fields: Mapping[str, FieldChoice]) -> None:
    """Drop a field that another type lacks, with its values, and a period's values that do not fit its operator."""
    if changed.get("field") and changed["field"] not in fields:
        for name in ("field", "from", "to"):
            changed.pop(name, None)
    if "operator" in changed:
        inputs = input_kind(changed["operator"], operators.MOMENT)
        fitting = [value for value in changed["values"] if fits_inputs(value, inputs, operators.MOMENT)]
        changed["values"] = fitting


def change_inputs(
    name: str, changed: Json | None, fields: Mapping[str, FieldChoice], errors: Sequence[str] = ()
) -> ChangeInputs:
    """The inputs of a change, None for no condition on the history; `fields` are those of the object type."""
    form = changed or {}
    current = fields.get(form.get("field", ""))
    moment = FieldChoice("@changed_at", "", operators.MOMENT)
    period = ConditionInputs(name, [], moment, form.get("operator", ""), form.get("values", ()))
    changeable = [choice for choice in selectable_fields(fields.values(), current) if not choice.is_read_only]
    return ChangeInputs(name, form, changed is not None, changeable, period, errors)
