"""No two users have the same email address, in whatever case, through whichever channel it is given."""

import re
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.access.users import invitations
from people.core.errors import RejectedError
from people.core.models import Installation
from tests.access.test_invitations import LINK, group, join
from tests.access.test_single_sign_on import is_in, provider, sign_on  # noqa: F401 (a fixture)

pytestmark = pytest.mark.django_db
TAKEN, USERS = "Otto@Example.com", "/admin/access/user/"
WAYS = {}


@pytest.fixture
def boss(client, settings):
    cache.clear()
    settings.EMAIL_IS_SET_UP = True
    Installation.objects.get_or_create()
    boss = get_user_model().objects.create_superuser("boss", "boss@example.com")
    client.force_login(boss)
    return boss


@pytest.fixture
def otto(db):
    return get_user_model().objects.create_user("otto", "otto@example.com", is_active=False)


def way(function):
    WAYS[function.__name__] = function
    return function


@way
def by_an_administrator(client, boss):
    vera = get_user_model().objects.create_user("vera", "vera@example.com")
    vera.groups.add(group("Viewer"))
    page = client.post(f"{USERS}{vera.pk}/change/", {"username": "vera", "email": TAKEN, "role": "Viewer"})
    assert page.status_code == 200 and page.context["form"].errors["email"] == ["Another user has this address."]


@way
def by_the_user(client, boss):
    page = client.post("/account/", {"details": "1", "email": TAKEN})
    assert page.context["form"].errors["email"]


@way
def by_an_invitation(client, boss):
    page = client.post(USERS + "add/", {"email": TAKEN, "role": "Viewer"})
    assert page.context["form"].errors["email"]


@way
def by_an_invitation_of_before(client, boss):
    otto = get_user_model().objects.get(username="otto")
    get_user_model().objects.filter(pk=otto.pk).update(email="")
    token = LINK.search(client.post(USERS + "add/", {"email": TAKEN, "role": "Viewer"}).text)[1]
    get_user_model().objects.filter(pk=otto.pk).update(email=otto.email)
    browser = Client()
    page = join(token, browser, username="new")
    assert page.status_code == 200 and "Another user has this address." in page.text
    assert invitations.find_invitation(token), "the link is as it was"


@way
def by_a_command_without_questions(client, boss):
    with pytest.raises(CommandError, match="Another user"):
        call_command("createsuperuser", interactive=False, username="root", email=TAKEN, stdout=StringIO())


def test_a_command_without_questions_checks_and_creates_in_one_transaction(db, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a long secret phrase")
    with CaptureQueriesContext(connection) as queries:
        call_command("createsuperuser", interactive=False, username="root", email=TAKEN, stdout=StringIO())
    texts = [query["sql"] for query in queries]
    checked = next(place for place, text in enumerate(texts) if "advisory" in text)
    created = next(place for place, text in enumerate(texts) if text.startswith("INSERT"))
    (savepoint,) = {re.search(r'"\w+"', text)[0] for text in texts[:checked] if text.startswith("SAVEPOINT")}
    assert not [text for text in texts[checked:created] if savepoint in text], "the lock is held until then"
    assert texts[-1] == f"RELEASE SAVEPOINT {savepoint}"


@way
def by_a_command_that_asks(client, boss):
    answers = iter(["root", TAKEN, "root@example.com", "a long secret phrase", "a long secret phrase"])

    class Terminal(StringIO):
        def isatty(self):
            return True

    said = StringIO()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("builtins.input", lambda _question: next(answers))
        patched.setattr("getpass.getpass", lambda *_question: next(answers))
        call_command("createsuperuser", stdin=Terminal(), stdout=StringIO(), stderr=said)
    assert "Another user" in said.getvalue()
    assert get_user_model().objects.get(username="root").email == "root@example.com"


@pytest.mark.parametrize("name", list(WAYS))
def test_the_address_of_another_is_refused(client, boss, otto, name):
    WAYS[name](client, boss)
    having = get_user_model().objects.filter(email__iexact=TAKEN)
    assert [user.username for user in having] == ["otto"]


def test_single_sign_on_makes_nobody_anew_whose_address_a_user_has(client, provider, settings, otto):  # noqa: F811
    settings.OIDC_CREATE_USERS = True
    sign_on(client, provider, email=TAKEN)
    assert "Another user here has your email address" in client.get("/admin/login/").text and not is_in(client)
    assert not get_user_model().objects.filter(username="vera").exists()
    sign_on(client, provider, email="new@example.com")
    assert is_in(client)


def test_ones_own_address_may_change_its_case_and_what_was_double_before_may_stay(client, boss, otto):
    double = get_user_model().objects.create_user("double", "OTTO@example.com")
    double.groups.add(group("Viewer"))
    form = {"username": "double", "email": "OTTO@example.com", "first_name": "Dora", "role": "Viewer"}
    assert client.post(f"{USERS}{double.pk}/change/", form).status_code == 302
    double.refresh_from_db()
    assert double.first_name == "Dora"
    get_user_model().objects.filter(pk=otto.pk).update(email="", is_active=True)
    assert client.post(f"{USERS}{double.pk}/change/", form | {"email": "Otto@example.com"}).status_code == 302


def test_the_refusal_is_the_verbs_own(boss, otto):
    with pytest.raises(RejectedError) as refusal:
        invitations.invite_user(boss, TAKEN, [group("Viewer")])
    assert refusal.value.problems[0].code == "name_taken"
