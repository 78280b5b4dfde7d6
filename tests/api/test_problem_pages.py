"""Every code of a problem has a page that its `type` leads to, and several faults are distinguished."""

import ast
import gzip
from http import HTTPStatus

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.html import conditional_escape

from config.api import errors as api_errors
from config.api.errors import OUR_CODES, STATUS_BY_CODE
from config.api.problem_codes import MEANINGS, problem_type
from config.marketo.wire.endpoint import ASSET_CODES, VERB_CODES
from config.marketo.wire.responses import FIXED_MESSAGES, ROW_CODES, row_errors
from people.core.codes import Code
from people.core.errors import Problem, RejectedError

# calls that describe a fault, and where the code stands among the arguments; the second are helpers of one module
FAULTS = {"Problem": 0, "bad_value": 0, "BadValueError": 0, "ValidationError": 1, "ErrorDetail": 1, "ParseError": 1}
HELPERS = {"_add": 0, "_gone": 0, "_unknown": 0, "_problem": 1, "_list": 3, "_of_a_kind": 4, "_one_of": 4, "Outage": 0}


def codes_as_text(source):
    """The lines of calls that describe a fault with a code in quotation marks."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
            place = (FAULTS | HELPERS).get(name, len(node.args))
            for argument in node.args[place : place + 1]:
                for part in [] if isinstance(argument, ast.Subscript) else ast.walk(argument):
                    is_text = isinstance(part, ast.Constant) and isinstance(part.value, str)
                    if is_text and (name in FAULTS or part.value in set(Code)):
                        yield f"{node.lineno}: {part.value}"


def test_faults_are_described_with_codes_of_the_enumeration():
    assert list(codes_as_text('bad_value("wrong_type", "a number", 7)')) == ["1: wrong_type"]
    folders = [settings.BASE_DIR / app for app in ("people", "activities", "smartlists", "config")]
    files = [file for folder in folders for file in folder.rglob("*.py") if "migrations" not in file.parts]
    found = {str(file.relative_to(settings.BASE_DIR)): list(codes_as_text(file.read_text())) for file in files}
    assert {file: lines for file, lines in found.items() if lines} == {}


def test_every_code_has_a_meaning_and_tables_name_no_others():
    assert set(MEANINGS) == set(Code)
    tables = (STATUS_BY_CODE, dict.fromkeys(OUR_CODES.values()), ROW_CODES, VERB_CODES, ASSET_CODES, FIXED_MESSAGES)
    assert [code for table in tables for code in table if code not in set(Code)] == []


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_status_and_a_code_of_marketo(code):
    problem = Problem(code, "it does not fit")
    assert api_errors.error_status(RejectedError(problem)) in api_errors.TITLES
    (told,) = row_errors([problem])
    assert told["code"].isdigit() and told["message"]
    assert type(problem.code) is str and problem.code == code.value  # programs and the database get it


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "es"])
def test_every_code_has_a_public_page_in_both_languages(client, language):
    for code in MEANINGS:
        reply = client.get(problem_type(code), headers={"Accept-Language": language})
        with translation.override(language):
            meaning = conditional_escape(MEANINGS[code])
        assert reply.status_code == HTTPStatus.OK and code in reply.text and meaning in reply.text
    assert client.get("/api/docs/problems/no_such_code").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.django_db
@pytest.mark.parametrize("site", ["", "https://activities.example.com"])
def test_a_problem_names_the_page_of_its_first_code(api, settings, site):
    settings.SITE_URL = site
    problem = api.get("activities?colour=red").json()
    assert problem["type"] == f"{site}/api/docs/problems/unknown_filter"


def test_a_code_without_a_page_is_told_as_the_standard_has_it():
    assert problem_type("never_heard_of") == "about:blank"


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([], ""),
        (["expected a number"], "expected a number"),
        (["expected a number", "a value is needed"], "expected a number; a value is needed"),
        (["There is nothing.", "a value is needed"], "There is nothing. a value is needed"),
        (["a value is needed", "There is nothing."], "a value is needed; There is nothing."),
    ],
)
def test_several_faults_are_told_apart(messages, told):
    problems = [Problem("wrong_type", message) for message in messages]
    assert str(RejectedError(*problems)) == told
    assert api_errors.problem_document(422, problems)["detail"] == told


def test_the_summary_names_each_place_once_and_is_bounded(api):
    body = {"name": "Bank", "colour": 1, "size": 2}
    reply = api.post("api-clients", body).json()
    assert reply["detail"].startswith("colour, size: ") and reply["detail"].count("Known are") == 1
    assert {error["path"] for error in reply["errors"]} >= {"/colour", "/size"}
    many = api.post("api-clients", {f"{'x' * 500}{number}": 1 for number in range(50)}).json()
    assert len(many["detail"]) < 1_500 and "…" in many["detail"]
    assert api.get("activities?colour=red").json()["detail"].startswith("colour: ")


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("api-clients", "application/json"),
        ("activities", "application/json"),
        ("activities/stream", "application/x-ndjson"),
    ],
)
def test_compressed_bodies_and_other_charsets_are_refused_by_name(api, path, content_type):
    packed = api.post(path, gzip.compress(b"{}"), content_type=content_type, Content_Encoding="gzip")
    assert packed.status_code == 415 and packed.json()["code"] == "unsupported_media_type"
    assert packed.json()["errors"][0]["got"] == "gzip" and "uncompressed" in packed.json()["detail"]
    latin = api.post(path, "{}".encode("latin1"), content_type=f"{content_type}; charset=ISO-8859-1")
    assert latin.status_code == 415 and latin.json()["errors"][0]["expected"] == "utf-8"
    for charset in ("utf-8", "UTF8", '"utf-8"'):
        told = api.post(path, "{}", content_type=f"{content_type}; charset={charset}", Content_Encoding="identity")
        assert told.status_code in {200, 422}
