"""Each page of the admin that refuses a user names a right that the user lacks there, or none."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import translation

from config.access.clients import offered_rights
from people.core.notifications import Notice
from tests.access.route_walker import address, build_world
from tests.access.test_routes import Caller, table
from tests.factories import draft_type

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]

CALLERS = ("no role", "Viewer", "Marketer")


def missing(caller, who):
    """The rights in `who`, a cell of the table, that the caller lacks."""
    return {right for one in who.split() for right in one.split("|") if not caller.user.has_perm(right)}


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLERS)
def test_a_refusal_names_a_right_that_the_page_asks_for(name, settings, tmp_path):
    settings.FILES_DIR = tmp_path
    caller = Caller(name)
    world = build_world(caller.user)
    wrong = []
    for route, methods in table().items():
        for method, who in methods.items():
            if not route.startswith("admin/") or "." not in who or caller.may(who, route):
                continue
            reply = caller.ask(method, address(route, world), route)
            if reply.status_code != 403:
                continue
            named, lacking = reply.context["right"], missing(caller, who)
            # Django's own history refuses without a name, and rights without a label are for no reader
            is_nameless = route.endswith("/history/") or not offered_rights.right_labels([*lacking])
            if named not in lacking and not (is_nameless and not named):
                wrong.append(f"{method} {route}: {named or 'nothing'}, asks for {who}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("step", ["approve", "delete"])
def test_a_marketer_asks_for_the_step_that_they_may_not_make(step):
    boss = get_user_model().objects.create_superuser("boss")
    marketer = get_user_model().objects.create_user("mary", is_staff=True)
    marketer.groups.add(Group.objects.get(name="Marketer"))
    right = f"activities.{step}_activitytype"
    client, words = Client(), offered_rights.right_labels([right])[right]
    client.force_login(marketer)
    page = client.get(f"/admin/activities/activitytype/{draft_type().pk}/step/{step}/")
    assert page.status_code == 403 and f"<strong>{words}</strong>" in page.text
    client.post("/admin/ask/", {name: page.context[name] for name in ("right", "path", "key")})
    notice = Notice.objects.get(user=boss, kind="access_asked")
    assert notice.parameters["right"] == right and words in str(notice)
    with translation.override("es"):
        spanish = offered_rights.right_labels([right])[right]
        assert spanish != words and spanish in str(notice), "the right is named in the reader's language"
    notice.parameters = {"who": "mary", "what": "Approve drafts"}
    assert str(notice).endswith("Approve drafts"), "a notice of before shows what it has"


def test_a_refusal_without_a_right_names_none():
    boss = get_user_model().objects.create_superuser("boss")
    viewer = get_user_model().objects.create_user("vic", is_staff=True)
    client = Client()
    client.force_login(viewer)
    page = client.get("/admin/auth/group/")
    strong = re.findall("<strong>(.*?)</strong>", page.text)
    assert page.context["what"] == "" and set(strong) <= {"boss"} and "boss" in page.text
    assert "Nobody has been notified yet" in page.text, "what asking does is not said as done"
    client.post("/admin/ask/", {name: page.context[name] for name in ("right", "path", "key")})
    assert "their role doesn't include" in str(Notice.objects.get(user=boss, kind="access_asked"))
