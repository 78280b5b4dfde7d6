"""Notices reach those who want them, in the product and by e-mail."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core import mail
from django.utils import timezone

from activities.models import ActivityType
from activities.types.definition import ACTIVITY_TYPES
from people import tasks
from people.core import notifications
from people.core.notifications import Notice
from people.definitions import lifecycle
from people.lists import static_lists
from smartlists.models import SmartCampaign, SmartList
from tests.factories import CHECK_FIELDS, edit_description, make_person, type_names

pytestmark = pytest.mark.django_db


def user(name, role, **more):
    made = get_user_model().objects.create_user(name, email=f"{name}@example.com", is_staff=True, **more)
    made.groups.add(Group.objects.get(name=role))
    return made


@pytest.fixture
def team(settings):
    settings.EMAIL_IS_SET_UP = True
    settings.SITE_URL = "https://crm.example.com"
    return user("edda", "Type editor"), user("anna", "Approver", language="es")


def of(somebody):
    return [str(notice) for notice in Notice.objects.filter(user=somebody)]


def test_a_draft_from_its_wait_to_its_return_and_approval(team):
    edda, anna = team
    check = lifecycle.create_definition(ACTIVITY_TYPES, type_names(), CHECK_FIELDS, edda)
    edit_description(check, "again")  # no second notice while the first is unread
    assert of(anna) == ["The draft of Deposit Check is awaiting approval."] and of(edda) == []
    lifecycle.return_draft(check, anna, "units?")
    check = ActivityType.objects.get(pk=check.pk)
    lifecycle.approve_draft(check, anna)
    assert of(edda) == ["Deposit Check was approved, version 1.", "The draft of Deposit Check was returned: units?"]


@pytest.mark.parametrize("verb", ["approve", "return", "discard", "delete"])
def test_no_notice_says_that_a_draft_waits_when_it_does_not(team, verb):
    edda, anna = team
    check = lifecycle.create_definition(ACTIVITY_TYPES, type_names(), CHECK_FIELDS, edda)
    other = lifecycle.create_definition(ACTIVITY_TYPES, type_names("Make Call", "makeCall"), CHECK_FIELDS, edda)
    if verb == "discard":
        lifecycle.approve_draft(check, None)
        edit_description(check, "again")
    notifications.mark_notices_read(anna)
    get_user_model().objects.create_superuser("root", "root@example.com")
    edit_description(check, "once more")
    waiting = Notice.objects.filter(kind="draft_waits", page_id=check.pk)
    assert waiting.filter(user=anna).exists() and waiting.filter(user__username="root", to_be_mailed=True).exists()
    {
        "approve": lambda: lifecycle.approve_draft(check, anna),
        "return": lambda: lifecycle.return_draft(check, anna, "units?"),
        "discard": lambda: lifecycle.discard_draft(check, None),
        "delete": lambda: lifecycle.delete_definition(check, None),
    }[verb]()
    assert not waiting.exists() and Notice.objects.filter(kind="draft_waits", page_id=other.pk, user=anna).exists()
    if verb == "return":
        edit_description(ActivityType.objects.get(pk=check.pk), "in metres")
        assert waiting.filter(user=anna).exists()


def test_an_undeleted_draft_waits_again(team):
    check = lifecycle.create_definition(ACTIVITY_TYPES, type_names(), CHECK_FIELDS, team[0])
    lifecycle.approve_draft(check, None)
    edit_description(check, "again")
    lifecycle.delete_definition(check, None)
    lifecycle.undelete_definition(ActivityType.objects.get(pk=check.pk), None)
    assert of(team[1]) == ["The draft of Deposit Check is awaiting approval."]


def test_e_mails_go_out_once_in_the_readers_language(team):
    lifecycle.create_definition(ACTIVITY_TYPES, type_names(), CHECK_FIELDS, team[0])
    assert notifications.send_notice_mails() == 1 and notifications.send_notice_mails() == 0
    (message,) = mail.outbox
    assert message.to == ["anna@example.com"] and "borrador" in message.subject
    assert "https://crm.example.com/admin/activities/activitytype/" in message.body


@pytest.mark.parametrize(("in_product", "by_email"), [(True, False), (False, True), (False, False)])
def test_each_kind_is_switched_off_here_or_by_e_mail(team, client, in_product, by_email):
    edda, anna = team
    client.force_login(anna)
    chosen = (
        {"switches": "yes"}
        | ({"in_draft_waits": "on"} if in_product else {})
        | ({"mail_draft_waits": "on"} if by_email else {})
    )
    client.post("/admin/notices/", chosen)
    lifecycle.create_definition(ACTIVITY_TYPES, type_names(), CHECK_FIELDS, edda)
    assert len(client.get("/admin/notices/").context["notices"]) == int(in_product)
    assert (notifications.unread_notice_count(anna), notifications.send_notice_mails()) == (
        int(in_product),
        int(by_email),
    )


def test_notices_are_read_and_counted_beside_their_page(team, client):
    edda, anna = team
    lifecycle.create_definition(
        ACTIVITY_TYPES, type_names("Deposit <b>"[:7] + " bold", "depositBold"), CHECK_FIELDS, edda
    )
    client.force_login(anna)
    assert notifications.unread_notice_count(anna) == 1
    client.post("/admin/notices/")
    assert notifications.unread_notice_count(anna) == 0
    assert client.get("/admin/notices/").status_code == 200


def test_a_notice_is_opened_by_its_owner_and_read_by_that(team, client):
    edda, anna = team
    check = lifecycle.create_definition(ACTIVITY_TYPES, type_names(), CHECK_FIELDS, edda)
    lifecycle.create_definition(ACTIVITY_TYPES, type_names("Make Call", "makeCall"), CHECK_FIELDS, edda)
    notice = Notice.objects.get(user=anna, page_id=check.pk)
    client.force_login(edda)
    assert client.post("/admin/notices/", {"open": notice.pk}).status_code == 404
    assert client.post("/admin/notices/", {"open": "x" * 50}).status_code == 404
    client.force_login(anna)
    assert client.post("/admin/notices/", {"open": notice.pk}).url == notice.url
    page = client.get("/admin/notices/", headers={"accept-language": "en"})
    (_unread, ((_day, unread),)), (_read, ((_same_day, read),)) = page.context["parts"]
    assert (len(unread), read) == (1, [notice])


@pytest.mark.parametrize("name", notifications.KINDS)
def test_each_kind_of_notice_has_an_icon_and_says_what_its_button_does(name):
    kind = notifications.KINDS[name]
    assert kind.icon != "notifications" and str(kind.action) and kind.look in ("good", "wait", "bad")


def test_without_a_mail_server_nothing_waits_to_be_mailed(team, settings):
    settings.EMAIL_IS_SET_UP = False
    lifecycle.create_definition(ACTIVITY_TYPES, type_names(), CHECK_FIELDS, team[0])
    assert not Notice.objects.filter(to_be_mailed=True).exists()


def test_the_palette_finds_types_people_and_pages_but_only_a_few(team, client):
    lifecycle.create_definition(ACTIVITY_TYPES, type_names(), CHECK_FIELDS, team[0])
    for number in range(12):
        make_person(first_name="Depositor", last_name=str(number))
    client.force_login(team[1])
    found = client.get("/admin/search/", {"s": "depos", "extended": 1}, headers={"accept-language": "en"}).text
    assert "Deposit Check" in found and found.count("/admin/people/person/") == 8
    assert "Informes" in client.get("/admin/search/", {"s": "info", "extended": 1}).text  # her language
    assert client.get("/admin/search/", {"s": "\x00", "extended": 1}).status_code == 200


def test_the_palette_finds_everything_by_the_beginning_of_each_word(team, client):
    make_person(first_name="Lucía", last_name="García", email="lg@one.example", company="Anatolia")
    make_person(first_name="Lucía", last_name="García", email="lucia@two.example")
    static_lists.create_static_list("Garden: Lúcid dreams", None)
    SmartList.objects.create(name="Luck by garage", rules={"filters": []})
    SmartCampaign.objects.create(name="Gárgola lucida", definition={})
    client.force_login(team[1])

    def found(term):
        return client.get("/admin/search/", {"s": term, "extended": 1}, headers={"accept-language": "en"}).text

    both = found("gar luc")
    for text in ("lg@one.example · Anatolia", "lucia@two.example", "Garden: Lúcid dreams", "Luck by garage", "Gárgola"):
        assert text in both
    assert "García" not in found("arcia")
    assert "Email Invalid Cause" in found("invalid cause")
    assert "/admin/status/" not in found("stat")
    client.force_login(get_user_model().objects.create_superuser("root"))
    assert "/admin/status/" in found("stat") and "Installation" in found("inst")


def test_old_notices_are_deleted_whether_they_were_read_or_not(team, settings):
    now = timezone.now()
    for days in (89, 91):
        for read_at in (None, now):
            Notice.objects.create(
                user=team[0], kind="import_done", read_at=read_at, created_at=now - timedelta(days=days)
            )
    tasks.delete_old_notices(0)
    assert sorted((now - notice.created_at).days for notice in Notice.objects.all()) == [89, 89]
    settings.NOTICES_KEPT_DAYS = 30
    tasks.delete_old_notices(0)
    assert not Notice.objects.exists()
