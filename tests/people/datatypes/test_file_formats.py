"""Notations of dates, numbers and yes or no in files."""

import pytest

from people.datatypes import file_formats
from people.datatypes.file_formats import DateOrder, ValueFormat
from people.datatypes.parsing import BadValueError
from people.datatypes.registry import BY_NAME

DMY, MDY = ValueFormat(DateOrder.DMY, ","), ValueFormat(DateOrder.MDY)


@pytest.mark.parametrize(
    ("convention", "data_type", "written", "canonical"),
    [
        (DMY, "date", "3/4/2026", "2026-04-03"),
        (MDY, "date", "3/4/2026", "2026-03-04"),
        (DMY, "date", "03.04.26", "2026-04-03"),
        (DMY, "date", "2026-04-03", "2026-04-03"),
        (DMY, "datetime", "3/4/2026 9:05", "2026-04-03T09:05:00Z"),
        (MDY, "datetime", "3/4/2026 12:05:09 AM", "2026-03-04T00:05:09Z"),
        (MDY, "datetime", "3/4/2026, 1:05 p.m.", "2026-03-04T13:05:00Z"),
        (DMY, "datetime", "2026-04-03T09:05:00+02:00", "2026-04-03T07:05:00Z"),
        (DMY, "currency", "1.234,50", "1234.5"),
        (DMY, "currency", "1 234,5", "1234.5"),
        (DMY, "integer", "1.234", "1234"),
        (DMY, "float", "-0,5", "-0.5"),
        (MDY, "currency", "1,234.50", "1234.5"),
        (MDY, "currency", "12.5", "12.5"),
        (MDY, "boolean", "Yes", "true"),
        (MDY, "boolean", "0", "false"),
        (MDY, "boolean", 1, "true"),
        (MDY, "string", "3/4/2026", "3/4/2026"),
    ],
)
def test_cells_become_canonical(convention, data_type, written, canonical):
    kind = BY_NAME[data_type]
    assert kind.to_text(kind.parse(convention.reader(kind)(written), conventions_zone())) == canonical


def conventions_zone():
    from datetime import UTC

    return UTC


@pytest.mark.parametrize("written", ["31/31/2026", "3/4/5/6", "1,2,3", "12,34.5", "3/4/202", "yesterday", ""])
@pytest.mark.parametrize("data_type", ["date", "currency"])
def test_what_is_neither_stays_for_the_check_to_refuse(written, data_type):
    kind = BY_NAME[data_type]
    with pytest.raises(BadValueError):
        kind.parse(MDY.reader(kind)(written), conventions_zone())


@pytest.mark.parametrize(
    ("values", "orders"),
    [
        (["2026-01-02"], ["ymd"]),
        (["3/4/2026"], ["dmy", "mdy"]),
        (["3/4/2026", "13/4/2026"], ["dmy"]),
        (["3/14/2026"], ["mdy"]),
        (["3/4/26"], ["dmy", "mdy", "ymd"]),
        ([None, 7, "x"], ["ymd"]),
    ],
)
def test_which_orders_are_possible(values, orders):
    assert file_formats.possible_orders(values) == orders


@pytest.mark.parametrize(
    ("values", "mark"),
    [(["1.5"], "."), (["1,5"], ","), (["1,234"], None), (["1,234", "2,50"], ","), (["1.234,50"], ","), (["7"], ".")],
)
def test_the_decimal_mark(values, mark):
    assert file_formats.likely_decimal(values) == mark
