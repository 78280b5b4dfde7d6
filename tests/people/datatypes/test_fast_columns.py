"""Columns at once give what cells one by one give."""

from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from people.datatypes import fast_columns
from people.datatypes.fast import QUICK
from people.datatypes.file_formats import DateOrder, ValueFormat
from people.datatypes.parsing import BadValueError, is_blank, parse_moment
from people.datatypes.registry import BY_NAME

MADRID = ZoneInfo("Europe/Madrid")
COMMON = {
    "string": st.text("abc \"'\\é\u0301\n\t", max_size=4),
    "integer": st.integers(-20, 10**16).map(str),
    "float": st.decimals(-(10**6), 10**6, places=3).map(str),
    "currency": st.decimals(-(10**6), 10**6, places=2).map(str),
    "date": st.dates().map(str),
    "datetime": st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    "boolean": st.sampled_from(["true", "false", "True", "yes"]),
}
ODD = st.sampled_from(
    [
        "",
        " ",
        "0",
        "-0",
        "-0.0",
        "00",
        "007",
        "1.50",
        "100",
        "1e400",
        "\ud800",
        "\0",
        "2026-02-30",
        "2026-11-01",
        "2026-11-01T10:00:00+01:00",
        "2026-11-01T10:00:00.5Z",
        "1899-01-01T00:00:00Z",
        "٣",
        "x" * 256,
        None,
        True,
        1,
        1.0,
        Decimal(1),
        [1],
    ]
)


def with_line_feeds(cells):
    """Cells, and such that look like two or none when all cells are joined."""
    return cells | st.tuples(cells, cells).map("\n".join) | cells.map("{}\n".format) | st.just("\n")


def one_by_one(kind, show, cell, zone):
    if is_blank(cell):
        return ""
    try:
        return show(kind.parse(cell, zone))
    except BadValueError:
        return None


@pytest.mark.parametrize("name", QUICK)
@settings(max_examples=60)
@given(data=st.data())
def test_a_column_is_what_its_cells_are(name, data):
    kind, zone = BY_NAME[name], data.draw(st.sampled_from([UTC, MADRID]))
    common = COMMON.get(name, COMMON["string"])
    rarer = common | with_line_feeds(common) | ODD
    cells = data.draw(st.lists(common, min_size=1, max_size=5) | st.lists(rarer, min_size=1, max_size=5))
    found = fast_columns.json_texts(kind, cells, zone)
    assert list(found) == [one_by_one(kind, kind.to_json, cell, zone) for cell in cells]
    found = fast_columns.plain_texts(kind, cells, zone)
    assert list(found) == [one_by_one(kind, kind.to_text, cell, zone) for cell in cells]


@given(st.lists(with_line_feeds(COMMON["datetime"]) | ODD, min_size=1, max_size=4), st.sampled_from([UTC, MADRID]))
def test_moments_are_what_one_by_one_gives(cells, zone):
    def moment(cell):
        try:
            return parse_moment(cell, zone)
        except BadValueError:
            return None

    texts, moments = fast_columns.parse_moments(cells, zone)
    assert list(moments) == [moment(cell) for cell in cells]
    assert [text and parse_moment(text) for text in texts] == list(moments)


@pytest.mark.parametrize("name", QUICK)
@settings(max_examples=40)
@given(data=st.data(), order=st.sampled_from(DateOrder), decimal=st.sampled_from([".", ","]))
def test_a_convention_reads_a_column_as_it_reads_its_cells(name, data, order, decimal):
    kind, convention = BY_NAME[name], ValueFormat(order, decimal)
    written = st.sampled_from(
        ["1.234", "1,234", "1.234,5", "-1.5", "3/4/2026", "2026-11-01", "no", "true", "", None, 1]
    )
    cells = data.draw(st.lists(written | COMMON.get(name, written), max_size=5))
    assert list(convention.column_reader(kind)(cells)) == [convention.reader(kind)(cell) for cell in cells]
