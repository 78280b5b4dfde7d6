"""A marketer's work in the admin, page by page, without JavaScript."""

import csv
import io
from urllib.parse import quote

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse

from activities.models import Activity, ActivityType
from people.core import installation
from people.core.models import Installation
from people.models import Person
from tests.factories import approved_type, draft_type, edit_description, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db
TYPES = "admin:activities_activitytype"


@pytest.fixture
def admin(client):
    Installation.objects.create()  # else the first page is the setup
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    return client


def role(client, name):
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=name))
    client.force_login(user)
    return client


def form(**changes):
    management = {"fields-TOTAL_FORMS": "2", "fields-INITIAL_FORMS": "0"}
    return (
        {
            "name": "Deposit Check",
            "api_name": "",
            "filter_name": "",
            "trigger_name": "",
            "description": "",
            "revision": "0",
            "primary-name": "Check",
            "primary-api_name": "",
            "primary-data_type": "string",
            "primary-description": "",
            "fields-0-name": "Amount",
            "fields-0-api_name": "",
            "fields-0-data_type": "currency",
            "fields-0-description": "",
            "fields-1-name": "",
            "fields-1-api_name": "",
            "fields-1-data_type": "string",
            "fields-1-description": "",
        }
        | management
        | changes
    )


def step(client, activity_type, verb, **data):
    return client.post(reverse(f"{TYPES}_step", args=[activity_type.pk, verb]), data, follow=True)


def test_a_type_is_created_with_proposed_names_reviewed_and_approved(admin):
    reply = admin.post(reverse(f"{TYPES}_add"), form(), follow=True)
    check = ActivityType.objects.get(api_name="depositCheck")
    assert (check.draft.filter_name, check.draft.trigger_name) == ("Deposited Check", "Deposits Check")
    assert list(check.draft.fields.values_list("api_name", "is_primary")) == [("check", True), ("amount", False)]
    assert "Draft" in reply.text
    review = admin.get(reverse(f"{TYPES}_step", args=[check.pk, "approve"])).text
    assert "Deposited Check" in review and "be changed after approval" in review
    step(admin, check, "approve", revision=check.draft.revision)
    assert ActivityType.objects.get(pk=check.pk).state == "approved"


def test_names_are_proposed_while_typing_to_those_who_may_see_types(admin, client):
    address = reverse("admin:activities_activitytype_names")
    assert admin.get(address, {"name": "Buy car"}).json() == {
        "api_name": "buyCar",
        "filter_name": "Bought car",
        "trigger_name": "Buys car",
    }
    assert admin.get(address, {"name": "\x00" * 9999}).json()["api_name"] == ""
    client.logout()
    assert client.get(address).status_code == 302
    assert role(client, "Exporter").get(address).status_code == 403


def test_changing_an_approved_type_makes_a_draft_that_can_be_discarded(admin):
    check = approved_type()
    url = reverse(f"{TYPES}_edit", args=[check.pk])
    assert admin.get(url).status_code == 200
    fields = {"primary-api_name": "check", "fields-0-api_name": "amount", "fields-1-name": "Teller"}
    admin.post(url, form(filter_name="Deposited Check", trigger_name="Deposits Check", **fields))
    check = ActivityType.objects.get(pk=check.pk)
    assert check.state == "approved_with_draft" and check.live.fields.count() == 6
    page = admin.get(reverse(f"{TYPES}_change", args=[check.pk])).text
    assert "Teller (Text) added" in page and "Branch removed" in page
    step(admin, check, "discard")
    assert ActivityType.objects.get(pk=check.pk).state == "approved"


def test_mistakes_are_said_at_their_field_and_nothing_typed_is_lost(admin):
    draft_type()
    reply = admin.post(reverse(f"{TYPES}_add"), form(description="typed before", **{"fields-1-name": "Amount"}))
    assert reply.status_code == 200
    assert "is taken" in reply.text and "too similar" in reply.text and "share the name" in reply.text
    assert "typed before" in reply.text


def test_the_second_editor_is_told_and_overwrites_nothing(admin):
    check = draft_type()
    seen = check.draft.revision
    edit_description(check, "by somebody else")
    reply = admin.post(reverse(f"{TYPES}_edit", args=[check.pk]), form(revision=seen, description="mine"))
    assert "Someone else changed this draft" in reply.text and "mine" in reply.text
    assert ActivityType.objects.get(pk=check.pk).draft.description == "by somebody else"


def test_an_approver_who_saw_another_draft_is_told(admin):
    check = draft_type()
    reply = step(admin, check, "approve", revision=99)
    assert "Someone else changed this draft" in reply.text
    assert ActivityType.objects.get(pk=check.pk).state == "draft"


def test_retire_restore_delete(admin):
    check = approved_type()
    for name, state in (("retire", "retired"), ("restore", "approved"), ("delete", "deleted")):
        step(admin, check, name, name=" deposit check ")
        assert ActivityType.objects.get(pk=check.pk).state == state


def test_deleting_asks_for_the_name(admin):
    check = approved_type()
    assert "not the name" in step(admin, check, "delete", name="Deposit").text
    assert ActivityType.objects.get(pk=check.pk).state == "approved"


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("Viewer", set()),
        ("Type editor", {"edit", "discard"}),
        ("Approver", {"edit", "discard", "approve", "retire", "delete"}),
    ],
)
def test_each_role_is_shown_and_let_do_only_its_own(client, name, allowed):
    check = approved_type()
    edit_description(check, "draft")
    role(client, name)
    page = client.get(reverse(f"{TYPES}_change", args=[check.pk])).text
    urls = {one: reverse(f"{TYPES}_step", args=[check.pk, one]) for one in ("approve", "discard", "retire", "delete")}
    urls["edit"] = reverse(f"{TYPES}_edit", args=[check.pk])
    for one, url in urls.items():
        assert (f'href="{url}"' in page) == (one in allowed), one
        assert client.get(url).status_code == (200 if one in allowed else 403), one


def test_a_timeline_by_day_type_and_date(admin):
    check, ann = approved_type(), make_person(first_name="<b>Ann</b>")
    record_rows(
        new_activity(ann.pk, occurred_at="2026-11-20T10:00:00Z", amount="12.50", branch="<script>x</script>"),
        new_activity(ann.pk, occurred_at="2026-01-05", primary_value="No. 2"),
    )
    page = admin.get(reverse("admin:activities_timeline", args=[ann.pk])).text
    assert page.index("20 Nov 2026") < page.index("5 Jan 2026")
    assert "12.5" in page and "&lt;script&gt;x" in page and "<script>x" not in page and "&lt;b&gt;Ann" in page
    assert "New Person" in page and "Times shown in UTC" in page
    url = reverse("admin:activities_timeline", args=[ann.pk])
    assert "No. 2" not in admin.get(url, {"since": "2026-02-01"}).text
    assert "No. 1" not in admin.get(url, {"type": check.pk, "until": "2026-02-01"}).text
    shown = admin.get(url, {"type": check.pk}).context["days"]
    assert {entry.name for _day, found in shown for entry in found} == {"Deposit Check"}


def test_the_pages_of_a_person_are_marked_as_such_in_the_navigation(admin):
    ann = make_person()
    for name, args, marked in (
        ("activities_timeline", [ann.pk], "People"),
        ("people_person_change", [ann.pk], "People"),
        ("activities_activitytype_changelist", [], "Activity types"),
    ):
        groups = admin.get(reverse(f"admin:{name}", args=args)).context["sidebar_navigation"]
        assert [item["title"] for group in groups for item in group["items"] if item["active"]] == [marked]


def test_an_entry_shows_everything_that_is_kept_of_it(admin):
    import json

    approved_type()
    ann = make_person()
    record_rows(new_activity(ann.pk, primary_value="<No. 1>", amount="1250.50", external_id="order 7"))
    shown = admin.get(reverse("admin:activities_timeline", args=[ann.pk]))
    for text in ("order 7", "Branch, Deposited On, Is Foreign, Pages", "version 1", "recorded", "&lt;No. 1&gt;"):
        assert text in shown.text, text
    (copied,) = [text for text in shown.context["as_json"].values() if "depositCheck" in text]
    kept = json.loads(copied)
    assert kept["attributes"] == {"amount": 1250.5} and kept["source"] == "dialect" and kept["person"] == ann.pk
    assert kept["occurred_at"] == "2026-11-20T10:00:00Z" and '"amount": 1250.5' in copied


def test_a_long_timeline_is_paged_by_keyset(admin):
    approved_type()
    ann = make_person()
    record_rows(*(new_activity(ann.pk, primary_value=f"No. {i}", occurred_at="2026-11-01") for i in range(60)))
    first = admin.get(reverse("admin:activities_timeline", args=[ann.pk]))
    older = first.context["older"].removeprefix("before=")
    second = admin.get(reverse("admin:activities_timeline", args=[ann.pk]) + "?before=" + older)
    shown = [entry.activity.pk for page in (first, second) for _day, group in page.context["days"] for entry in group]
    assert len(shown) == len(set(shown)) == 61


def entries(reply):
    return [entry.activity.primary_value for _day, found in reply.context["days"] for entry in found]


def test_a_timeline_is_searched_in_all_values_and_jumped_through(admin):
    approved_type()
    ann = make_person()
    record_rows(
        new_activity(ann.pk, primary_value="<i>Ávila</i>", occurred_at="2026-11-01"),
        new_activity(ann.pk, primary_value="other", branch="in ÁVILA", occurred_at="2026-11-02T23:59:00Z"),
        new_activity(ann.pk, primary_value="avila", occurred_at="2026-11-03"),
    )
    url = reverse("admin:activities_timeline", args=[ann.pk])
    found = admin.get(url, {"q": "áVILA"})
    assert entries(found) == ["other", "<i>Ávila</i>"]
    assert "&lt;i&gt;<mark>Ávila</mark>&lt;/i&gt;" in found.text
    assert entries(admin.get(url, {"at": "2026-11-02"})) == ["other", "<i>Ávila</i>"]
    assert len(entries(admin.get(url, {"at": "9999-12-31", "since": "x", "before": "x,y"}))) == 4


@pytest.mark.parametrize("value", ["\x00", "%", "_", "\\", "'", "9" * 5_000, "\ud800"])
def test_odd_searches_of_a_timeline_find_nothing_and_break_nothing(admin, value):
    approved_type()
    ann = make_person()
    record_rows(new_activity(ann.pk, primary_value="plain"))
    query = f"q={quote(value.encode('utf-8', 'surrogatepass'))}&type=x&before=0001-01-01T00:00:00,1"
    assert admin.get(reverse("admin:activities_timeline", args=[ann.pk]) + "?" + query).status_code == 200


def test_the_log_of_a_person_is_exported_as_the_page_shows_it(admin):
    approved_type()
    ann = make_person()
    record_rows(
        new_activity(ann.pk, primary_value="=1+1", branch="a, b\n", amount="12.50"),
        new_activity(ann.pk, primary_value="x"),
    )
    reply = admin.get(reverse("admin:activities_timeline_export", args=[ann.pk]), {"q": "=1"})
    head, row = csv.reader(io.StringIO(reply.getvalue().decode("utf-8-sig"), newline=""))
    assert head[:3] == ["id", "activity_type", "occurred_at"]
    assert row[4] == "'=1+1" and row[2] == "2026-11-20T10:00:00Z" and "Amount: 12.5" in row[5]
    assert LogEntry.objects.latest("pk").object_repr == f"Person {ann.pk}"


def test_only_who_may_export_people_exports_a_log(client):
    approved_type()
    ann = make_person()
    role(client, "Marketer")
    assert client.get(reverse("admin:activities_timeline_export", args=[ann.pk])).status_code == 403


def test_an_activity_is_recorded_by_hand(admin):
    check, ann = approved_type(), make_person()
    url = reverse("admin:activities_record", args=[ann.pk]) + f"?type={check.pk}"
    data = {"version": 1, "occurred_at": "2026-11-20T10:00", "field_check": "No. 9", "field_amount": "twelve"}
    reply = admin.post(url, data)
    assert "got “twelve”" in reply.text and "No. 9" in reply.text
    admin.post(url, data | {"field_amount": "12.50"})
    stored = Activity.objects.get(activity_type_id=check.pk)
    assert (stored.primary_value, stored.attributes["amount"], stored.channel) == ("No. 9", 12.5, 1)


def test_a_type_approved_while_somebody_fills_the_form(admin):
    from people.definitions import lifecycle

    check, ann = approved_type(), make_person()
    edit_description(check, "two")
    lifecycle.approve_draft(check, None)
    url = reverse("admin:activities_record", args=[ann.pk]) + f"?type={check.pk}"
    reply = admin.post(url, {"version": 1, "occurred_at": "2026-11-20T10:00", "field_check": "kept"})
    assert "changed in the meantime" in reply.text and "kept" in reply.text
    gone = {"version": 2, "occurred_at": "2026-11-20T10:00", "field_check": "kept", "field_old": "<homeless>"}
    reply = admin.post(url, gone | {"version": 1})
    assert "old: &lt;homeless&gt;" in reply.text
    assert not Activity.objects.filter(activity_type_id=check.pk).exists()


def test_people_are_found_by_the_beginning_of_a_name(admin):
    make_person(email="ann@example.com", first_name="Ann", last_name="Ávila")
    make_person(email="bob@example.com", first_name="Bob")
    page = admin.get(reverse("admin:people_person_changelist"), {"q": "ávi ANN"}).text
    assert "ann@example.com" in page and "bob@example.com" not in page


def test_a_person_is_added_and_changed_and_the_second_editor_told(admin):
    admin.post(
        reverse("admin:people_person_add"), {"email": "ann@example.com", "first_name": "Ann", "unsubscribed": ""}
    )
    ann = Person.objects.get(email="ann@example.com")
    url = reverse("admin:people_person_change", args=[ann.pk])
    admin.post(url, {"email": "ann@example.com", "first_name": "Anne", "seen_revision": 1})
    assert Person.objects.get(pk=ann.pk).first_name == "Anne"
    reply = admin.post(url, {"email": "ann@example.com", "first_name": "Annie", "seen_revision": 1})
    assert "Someone else changed this person" in reply.text
    assert Person.objects.get(pk=ann.pk).first_name == "Anne"
    assert Activity.objects.of_person(ann.pk).filter(primary_value="first_name").count() == 1


def test_an_api_client_is_made_and_its_secret_shown_once(admin, client):
    reply = admin.post(reverse("admin:access_apiclient_add"), {"name": "Bank core"})
    secret = reply.context["credentials"].client_secret
    assert secret in reply.text
    from config.access.models import ApiClient

    found = ApiClient.objects.get(name="Bank core")
    page = admin.get(reverse("admin:access_apiclient_change", args=[found.pk])).text
    assert secret not in page and "Revoke" in page
    admin.post(reverse("admin:access_apiclient_revoke", args=[found.pk]))
    assert ApiClient.objects.get(pk=found.pk).is_revoked


@pytest.mark.parametrize(
    "name",
    [
        "admin:index",
        f"{TYPES}_changelist",
        "admin:people_person_changelist",
        "admin:access_apiclient_changelist",
        "admin:access_user_changelist",
        "admin:people_personfield_changelist",
        "admin:people_installation_changelist",
    ],
)
def test_every_page_of_the_navigation_opens(admin, name):
    Installation.objects.get_or_create(pk=1)
    installation.clear_installation_cache()
    assert admin.get(reverse(name)).status_code == 200
