"""Error pages: styled, in the reader's language, with a way out."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.template.loader import render_to_string
from django.test import Client
from django.utils import translation

from people.core.models import Installation

pytestmark = pytest.mark.django_db
WORDS = {
    "403": {"en": "You can&#x27;t open this page", "es": "No puedes abrir esta página"},
    "404": {"en": "Page not found", "es": "Página no encontrada"},
    "403_csrf": {"en": "This form has expired", "es": "Este formulario ha caducado"},
    "400": {"en": "This request can&#x27;t be read", "es": "No se puede leer esta petición"},
}


@pytest.fixture
def viewer():
    Installation.objects.create()
    made = get_user_model().objects.create_user("quimby")
    made.groups.add(Group.objects.get(name="Viewer"))
    return made


def plain(text):
    return text.replace("&#x27;", "'")


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize(("name", "path", "status"), [("403", "/admin/access/user/", 403), ("404", "/nowhere/", 404)])
def test_a_page_that_is_refused_or_missing(viewer, language, name, path, status):
    browser = Client()
    browser.force_login(viewer)
    answer = browser.get(path, headers={"Accept-Language": language})
    assert answer.status_code == status and plain(WORDS[name][language]) in plain(answer.text)
    assert "<style>" in answer.text and 'href="/admin/"' in answer.text and f'lang="{language}"' in answer.text
    assert ("quimby" in answer.text) == (status == 403)


def test_an_expired_form_says_that_nothing_was_saved(viewer):
    browser = Client(enforce_csrf_checks=True)
    answer = browser.post("/admin/login/", {"username": "quimby"}, headers={"Accept-Language": "es"})
    assert answer.status_code == 403 and WORDS["403_csrf"]["es"] in answer.text


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("name", [*WORDS])
def test_each_is_drawn_without_a_request(name, language):
    with translation.override(language):
        text = render_to_string(f"{name}.html")
    assert plain(WORDS[name][language]) in plain(text) and "<style>" in text


def test_the_first_link_of_a_page_leads_past_the_menu(viewer):
    browser = Client()
    browser.force_login(viewer)
    text = browser.get("/admin/people/person/", headers={"Accept-Language": "es"}).text
    first = text[text.index("<a ", text.index("<body")) :].split("</a>")[0]
    assert 'href="#content"' in first and "Saltar al contenido" in first and 'id="content"' in text


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/admin/", "/admin/login/", "/account/", "/api/v1/me"])
def test_a_request_for_another_host_is_refused_before_anything_is_known_of_it(path):
    client = Client(raise_request_exception=False)
    assert client.get(path, HTTP_HOST="elsewhere.example.org").status_code == 400
