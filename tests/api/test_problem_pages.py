"""Every code of a problem has a page that its `type` leads to, and several faults are told apart."""

import ast
from http import HTTPStatus

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.html import conditional_escape

from config.api import errors as api_errors
from config.api.problem_codes import MEANINGS, problem_type
from people.core.errors import Problem, RejectedError

SAID = {"Problem": 0, "bad_value": 0, "BadValue": 0, "ValidationError": 1}  # where the code stands among the arguments
PARSERS = {"_add": 0, "_problem": 0, "_unknown": 0}  # in the readers of rules and campaigns
PLACES = ("people", "activities", "smartlists", "config/api", "config/access", "config/observability")


def codes_in(source, said=SAID):
    """The codes written out in calls that describe a fault."""
    for node in ast.walk(ast.parse(source)):
        name = getattr(getattr(node, "func", None), "id", None) or getattr(getattr(node, "func", None), "attr", None)
        place = said.get(name)
        given = node.args[place : place + 1] if isinstance(node, ast.Call) and place is not None else []
        yield from (code.value for code in given if isinstance(code, ast.Constant))


def test_every_code_that_the_sources_name_has_a_meaning():
    files = [file for place in PLACES for file in (settings.BASE_DIR / place).rglob("*.py")]
    named = {code for file in files for code in codes_in(file.read_text())}
    parsers = [file for file in (settings.BASE_DIR / "smartlists").rglob("*.py") if file.name.startswith("pars")]
    named |= {code for file in parsers for code in codes_in(file.read_text(), PARSERS)}
    named |= {*api_errors.STATUS_BY_CODE, *api_errors.OUR_CODES.values()}
    assert len(named) > 100 and not named - set(MEANINGS), sorted(named - set(MEANINGS))


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
    assert api_errors.body(422, problems)["detail"] == told
