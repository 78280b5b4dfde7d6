"""The kinds of inputs for the values of an operator, and which values fit them."""

from collections.abc import Mapping

from people.datatypes.registry import DataType
from smartlists.rules import operators, periods
from smartlists.rules.operators import OperandShape

_INPUTS: Mapping[OperandShape, str] = {
    OperandShape.NOTHING: "none",
    OperandShape.ONE: "one",
    OperandShape.TWO: "two",
    OperandShape.MANY: "lines",
    OperandShape.PERIOD: "period",
    OperandShape.FRAME: "frame",
}


def input_kind(operator: str, data_type: DataType) -> str:
    if operator not in operators.OPERATORS:
        return "none"
    if data_type.name == "boolean" and operator == "is":
        return "boolean"
    inputs = _INPUTS[operators.operator_shape(data_type, operator)]
    return "one" if inputs == "lines" and data_type.is_moment else inputs


def fits_inputs(value: str, inputs: str, data_type: DataType) -> bool:
    """True if a value typed for another operator still fits these inputs."""
    is_period, is_frame = periods.parse_period(value) is not None, value in periods.FRAMES
    fits = {"none": False, "period": is_period, "frame": is_frame}
    return fits.get(inputs, not (data_type.is_moment and (is_period or is_frame)))
