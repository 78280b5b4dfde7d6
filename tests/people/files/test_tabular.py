"""Files as people have them: every row comes back, or is reported, and nothing else is lost."""

import csv
import gzip
import io
import json
import zipfile
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from people.files import tabular
from people.files.shape_guess import guess_shape
from people.files.tabular import BadFileError
from people.files.unzip import open_unzipped


def read(content, name="f.csv", **known):
    """(shape, rows as lists of cells, (number, code) of the problems)."""
    file = io.BytesIO(content)
    with open_unzipped(file) as plain:
        shape = guess_shape(plain.read(tabular.SAMPLE_BYTES), name, **known)
    file.seek(0)
    with open_unzipped(file) as plain:
        shape = tabular.read_header(plain, shape)
    file.seek(0)
    with open_unzipped(file) as plain:
        lines = list(tabular.table_rows(plain, shape))
    good = [list(line.cells) for line in lines if not line.problem]
    return shape, good, [(line.number, line.problem.code) for line in lines if line.problem]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_encoding_and_line_ends_are_guessed(delimiter, encoding, end):
    lines = [["name", "city", "amount"], ["José", "Málaga", "1"], ["Ann", f"a{delimiter}b", "2"], ["x", "y", "3"]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(lines)
    shape, rows, problems = read(text.getvalue().encode(encoding))
    assert (shape.delimiter, shape.header) == (delimiter, ("name", "city", "amount"))
    assert rows == lines[1:] and not problems


@pytest.mark.parametrize("block", range(1, 9))
def test_mixed_line_ends_and_blank_lines(block, monkeypatch):
    monkeypatch.setattr(tabular, "BLOCK", block)
    _shape, rows, problems = read(b"a,b\r\n1,2\n\n3,4\r5,6\r\n\r\n7,8")
    assert rows == [["1", "2"], ["3", "4"], ["5", "6"], ["7", "8"]] and not problems


def test_ragged_rows_are_errors_of_their_rows():
    _shape, rows, problems = read(b"a,b,c\n1,2,3\n1,2\n1,2,3,4\n1,2,3,,\n5,6,7\n")
    assert rows == [["1", "2", "3"], ["1", "2", "3"], ["5", "6", "7"]]
    assert problems == [(3, "ragged_row"), (4, "ragged_row")]


def test_the_header_again_is_no_row():
    _shape, rows, problems = read(b"a,b\n1,2\na,b\n3,4\n")
    assert rows == [["1", "2"], ["3", "4"]] and problems == [(3, "repeated_header")]


def test_a_quote_that_is_never_closed_costs_its_own_line_only():
    filler = "".join(f"{number},x\n" for number in range(50_000))  # more than a cell may hold
    _shape, rows, problems = read(f'a,b\n1,2\n3,"4\n{filler}'.encode())
    assert problems == [(3, "unreadable_row")]
    assert len(rows) == 50_001 and rows[0] == ["1", "2"] and rows[1] == ["0", "x"]


@pytest.mark.parametrize("last", ['5,"6', '5,"6\n7,8\n', '5,"6"x\n7,8\n'])
def test_a_broken_quote_at_the_end(last):
    _shape, rows, problems = read(f"a,b\n1,2\n{last}".encode())
    assert problems == [(3, "unreadable_row")]
    assert rows == [["1", "2"]] + ([["7", "8"]] if "7" in last else [])


def test_a_byte_of_another_encoding_spoils_its_own_cell_only():
    text = b"a,b\n" + b"1,2\n" * 10
    shape, rows, problems = read(text + b"x,\xff\n3,4\n", encoding="utf-8")
    assert shape.encoding == "utf-8" and rows[-1] == ["3", "4"] and not problems
    with pytest.raises(UnicodeEncodeError):
        rows[-2][1].encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\r\n", "empty"),
        (b",,\n1,2,3\n", "empty"),
        (b"\x1f\x8b\x08broken", "gzip"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], "gzip"),
        (b"PK\x03\x04 no workbook", "workbook"),
        (b"x" * (9 * 1024 * 1024), "longer than"),
        (",".join(f"c{n}" for n in range(2001)).encode(), "more than 2000 columns"),
        ("a,b\n1,2\n".encode("utf-16")[:-1], "encoding"),
    ],
)
def test_files_that_are_none(content, said):
    with pytest.raises(BadFileError, match=said):
        read(content)


def test_a_thousand_columns():
    header = [f"c{number}" for number in range(1000)]
    shape, rows, problems = read("\n".join([",".join(header), ",".join("1" * 1000)]).encode())
    assert shape.header == tuple(header) and rows == [["1"] * 1000] and not problems


def test_columns_without_a_name_get_one():
    assert read(b"a,,c\n1,2,3\n")[0].header == ("a", "column 2", "c")


def test_ndjson_with_a_broken_line():
    lines = [{"a": 1, "b": "x"}, {"a": 2, "c": None}]
    content = f'{json.dumps(lines[0])}\n\n{{"a":\n7\n{json.dumps(lines[1])}\n'.encode()
    shape, rows, problems = read(content)
    assert shape.format == "ndjson" and shape.header == ("a", "b", "c")
    assert rows == [[1, "x", None], [2, None, None]]
    assert problems == [(3, "unreadable_row"), (4, "unreadable_row")]


def workbook(*lines):
    book, file = Workbook(), io.BytesIO()
    for line in lines:
        book.active.append(line)
    book.save(file)
    return file.getvalue()


def test_a_workbook():
    content = workbook(
        ["name", "when", "amount"],
        ["José", datetime(2026, 11, 20), 12.5],
        [],
        ["Ann", datetime(2026, 11, 20, 10, 30), 7],
        ["Bob"],
        ["a", "b", 3, "c"],
    )
    shape, rows, problems = read(content, "f.xlsx")
    assert (shape.format, shape.header) == ("xlsx", ("name", "when", "amount"))
    assert rows == [["José", "2026-11-20", 12.5], ["Ann", "2026-11-20 10:30:00", 7], ["Bob", None, None]]
    assert problems == [(6, "ragged_row")]


def test_a_workbook_that_is_a_bomb_is_not_unpacked():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (64 * 1024 * 1024))
    with pytest.raises(BadFileError, match="more than is safe"):
        read(file.getvalue(), "f.xlsx")


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=3, max_size=3),
        min_size=1,
    )
)
def test_whatever_is_written_is_read(rows):
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["one", "two", "three"], *rows])
    found = read(text.getvalue().encode(), encoding="utf-8", delimiter=",", format="csv")
    kept = [row for row in rows if [cell.strip() for cell in row] != ["one", "two", "three"]]
    assert found[1] == kept
