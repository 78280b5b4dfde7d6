"""Files are streamed: no reply holds a whole one in memory."""

import ast
import itertools
from pathlib import Path

import pytest

from people.files.csv_lines import attachment, csv_lines, csv_reply

ROOT = Path(__file__).resolve().parents[3]
# modules that send files otherwise: the finished file of a job, from the disk; a QR code; five lines of the demo's site
OTHERS = {"people/admin/exports.py", "activities/admin/tracked_links/pages.py", "config/demo/site.py"}
FILE_TYPES = ("text/csv", "application/x-ndjson", "application/gzip", "application/vnd", "application/zip")
WHOLE = {"HttpResponse", "Response"}  # replies that hold their content


def files_sent_otherwise(source):
    """Lines that set the name of a download, or put a file into a reply that is no stream."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and node.value == "Content-Disposition":
            yield node.lineno
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in WHOLE:
            types = [keyword.value for keyword in node.keywords if keyword.arg == "content_type"]
            texts = [getattr(value, "value", "") for value in types]
            if any(str(text).startswith(FILE_TYPES) for text in texts):
                yield node.lineno


def test_every_file_is_streamed_or_made_by_a_job():
    found = {
        str(path.relative_to(ROOT))
        for app in ("people", "activities", "smartlists", "config")
        for path in (ROOT / app).rglob("*.py")
        if list(files_sent_otherwise(path.read_text()))
    }
    assert found == {"people/files/csv_lines.py", *OTHERS}


@pytest.mark.parametrize(
    "line",
    [
        'reply = HttpResponse(text, content_type="text/csv; charset=utf-8")',
        'reply["Content-Disposition"] = name',
        'HttpResponse(text, headers={"Content-Disposition": name})',
    ],
)
def test_another_way_to_send_a_file_is_noticed(line):
    assert list(files_sent_otherwise(line)) == [1]


def test_lines_are_made_one_by_one_and_formulas_defused():
    rows = csv_lines([number, "=1+1"] for number in itertools.count())
    assert list(itertools.islice(rows, 2)) == ["0,'=1+1\r\n", "1,'=1+1\r\n"]
    assert next(csv_lines([["=1+1"]], is_exact=True, lineterminator="\n")) == "=1+1\n"


def test_the_name_of_a_file_is_ascii_and_cannot_end_early():
    assert attachment('année "1".csv') == "attachment; filename=\"ann_e '1'.csv\""
    reply = csv_reply(["a\r\n"], "a.csv")
    assert reply.streaming and reply["Content-Disposition"] == 'attachment; filename="a.csv"'
