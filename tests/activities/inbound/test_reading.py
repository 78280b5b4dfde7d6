"""Bodies of any kind, bounded before anything is kept."""

import json

import pytest

from activities.inbound.paths import leaves_of, path_label, value_at
from activities.inbound.reading import load_call, make_call, parse_body
from activities.models import InboundWebhook
from people.core.errors import RejectedError

JSON, FORM = "application/json", "application/x-www-form-urlencoded; charset=utf-8"


def nested(levels):
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (nested(300), JSON, "too_deep"),
        (nested(100_000), JSON, "invalid_json"),
        (json.dumps({str(number): number for number in range(10_000)}).encode(), JSON, "too_many_values"),
        (json.dumps([[[]] * 4_000] * 2).encode(), JSON, "too_many_values"),
        (b'{"a": "\x00"}', JSON, "invalid_json"),
        (b'{"a": "\xff"}', JSON, "invalid_json"),
        (b'{"a": NaN}', JSON, "invalid_json"),
        (b'"text"', JSON, "invalid_json"),
        (b"7", JSON, "invalid_json"),
        (b"", JSON, "invalid_json"),
        (b"&".join(b"f%d=1" % number for number in range(501)), FORM, "too_many_values"),
    ],
)
def test_what_is_no_content_is_refused_with_a_code(body, kind, code):
    with pytest.raises(RejectedError) as refusal:
        parse_body(body, kind)
    assert refusal.value.code == code


def test_odd_content_is_kept_exactly():
    huge = b'{"n": ' + b"9" * 100_000 + b', "e": 1e400, "nul": "\\u0000", "half": "\\ud800", "ok": "\xc3\xa9"}'
    content, text = parse_body(b"\xef\xbb\xbf" + huge, "")
    assert text.encode() == huge and load_call(text).keys() == {"n", "e", "nul", "half", "ok"}
    assert len(leaves_of([content])) == 5 and all(leaf.shown for leaf in leaves_of([content]))
    form, text = parse_body(b"email=ann%40example.com&tag=a&tag=b&n=%00&empty=", FORM)
    assert form == {"email": "ann@example.com", "tag": ["a", "b"], "n": "\0", "empty": ""} and "\0" not in text


def test_a_call_is_known_by_its_id_else_by_its_body():
    def digest(webhook, content, **headers):
        text = json.dumps(content)
        return make_call(webhook, headers, content, text, len(text)).digest

    bare = InboundWebhook(source_id=1)
    assert digest(bare, {"a": 1}) == digest(bare, {"a": 1}) != digest(bare, {"a": 2})
    by_path = InboundWebhook(source_id=1, id_path=["data", "id"])
    assert digest(by_path, {"data": {"id": "e1"}, "try": 1}) == digest(by_path, {"data": {"id": "e1"}, "try": 2})
    assert digest(by_path, {"data": {"id": 10**40}}) != digest(by_path, {"data": {"id": 10**40 + 1}})
    by_header = InboundWebhook(source_id=1, id_header="Webhook-Id")
    assert digest(by_header, {"try": 1}, **{"webhook-id": "m"}) == digest(by_header, {"try": 2}, **{"webhook-id": "m"})
    assert digest(by_header, {"try": 1}) != digest(by_header, {"try": 2}), "without the header the body counts"


def test_places_of_values():
    content = {"a": {"b": [{"c": 1}, {"c": 2, "d": None}]}, "list": ["x"], "empty": []}
    leaves = {leaf.label: leaf.value for leaf in leaves_of([content, {"a": {"z": 3}}])}
    assert leaves == {
        "a › b › each › c": 1,
        "a › b › no. 1 › c": 1,
        "list › each": "x",
        "list › no. 1": "x",
        "a › z": 3,
    }
    assert value_at(content, ["a", "b", 1, "c"]) == 2
    for path in (["a", "b", 2], ["a", 0], ["list", "x"], ["nothing", "b"], ["a", "b", 1, "d", "e"]):
        assert value_at(content, path) is None


def test_places_have_labels_of_their_own():
    """The label of a place never reads as another place, whatever the names of members."""
    paths = [
        *[("who", "email"), ("who › email",), ("who›email",), ("each", "a"), (None, "a"), ("no. 1",), (0,), ("NO. 1",)],
        *[("x",), (" x",), ("x ",), ('"x"',), ('x"',), ("",), ("\u0000",), ("�",), ("l" * 255,), ("l" * 254 + "m",)],
    ]
    assert len({path_label(path) for path in paths}) == len(paths)
    assert path_label(("who", "email", 0)) == "who › email › no. 1"
