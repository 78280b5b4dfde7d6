"""The page of one activity type, tab by tab, and what changes there."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from activities.log import rollup
from activities.models import Activity, ActivityType
from people.core.models import Folder
from people.definitions import lifecycle
from tests.factories import (
    CHECK_FIELDS,
    approved_type,
    draft_type,
    edit_description,
    make_person,
    new_activity,
    record_rows,
)

pytestmark = pytest.mark.django_db
TYPES = "admin:activities_activitytype"


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    return client


def page(name, *args):
    return reverse(f"{TYPES}_{name}", args=args)


def again(activity_type):
    return ActivityType.objects.get(pk=activity_type.pk)


def names_of(version):
    return list(version.fields.values_list("api_name", flat=True))


def test_the_overview_shows_counts_last_seen_top_values_and_latest(admin, monkeypatch):
    check, ann = approved_type(), make_person(first_name="Ann", last_name="Ávila")
    record_rows(
        *(new_activity(ann.pk, occurred_at="2026-11-20T10:00:00Z", primary_value=value) for value in ("A", "A", "<b>"))
    )
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up_rollup()
    shown = admin.get(page("change", check.pk), {"days": "365"})
    assert shown.context["total"] == 3 and sum(count for _day, count in shown.context["points"]) == 3
    assert [row[:2] for row in shown.context["top"]] == [("A", 2), ("<b>", 1)]
    assert "Ann Ávila" in shown.text and "&lt;b&gt;" in shown.text and "<b>" not in shown.text


def test_imported_history_is_seen_although_nothing_happened_of_late(admin, monkeypatch):
    check, ann = approved_type(), make_person()
    days = [f"19{year}-0{month}-15T10:00:00Z" for year in (97, 98) for month in (1, 6)]
    record_rows(*(new_activity(ann.pk, occurred_at=day, primary_value=day) for day in days))
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up_rollup()
    shown = admin.get(page("change", check.pk))
    assert shown.context["days"] == "all" and shown.context["total"] == 4
    assert sum(count for _start, count in shown.context["points"]) == 4 and len(shown.context["points"]) < 120
    assert "4</span>" in shown.text and "15 Jan 1997 – 15 Jun 1998" in " ".join(shown.text.split())
    assert shown.context["top"] == []  # no value repeats
    asked = admin.get(page("change", check.pk), {"days": "30"})
    assert asked.context["total"] == 0 and "Show all time" in asked.text and "Nothing recorded yet" not in asked.text


def test_a_type_that_nothing_was_recorded_of_says_so(admin):
    shown = admin.get(page("change", approved_type().pk)).text
    assert "Nothing recorded yet" in shown and "All time" not in shown


def test_a_period_that_is_not_offered_is_the_first_one(admin):
    assert admin.get(page("change", approved_type().pk), {"days": "9" * 400}).context["days"] == 30


@pytest.mark.parametrize("tab", ["change", "fields", "versions", "used_by", "developers"])
def test_each_tab_opens_for_each_state_and_for_standard_types(admin, tab):
    retired = approved_type()
    lifecycle.retire_definition(retired, None)
    for pk in (retired.pk, draft_type("Buy Car", "buyCar").pk, 12):
        assert admin.get(page(tab, pk)).status_code == 200


def test_a_field_is_added_changed_moved_and_removed_in_the_draft(admin):
    check = approved_type()
    admin.post(page("new_field", check.pk), {"name": "Teller", "data_type": "string", "revision": 0})
    draft = again(check).draft
    assert names_of(draft)[-1] == "teller"
    admin.post(
        page("field", check.pk, "teller"),
        {"name": "Clerk", "api_name": "clerk", "data_type": "text", "revision": draft.revision},
    )
    draft = again(check).draft
    assert draft.fields.get(api_name="clerk").data_type == "text"
    admin.post(page("fields", check.pk), {"up": "clerk", "revision": draft.revision})
    draft = again(check).draft
    assert names_of(draft)[-2:] == ["clerk", "pages"]
    admin.post(page("fields", check.pk), {"remove": "branch", "revision": draft.revision})
    shown = admin.get(page("fields", check.pk)).text
    assert "branch" not in names_of(again(check).draft) and "removed" in shown and "new" in shown
    assert names_of(again(check).live) == [field.api_name for field in CHECK_FIELDS]


def test_what_approval_fixed_cannot_be_changed_by_the_form(admin):
    check = approved_type()
    form = admin.get(page("field", check.pk, "amount")).text
    assert "be changed since this field was approved" in form
    admin.post(
        page("field", check.pk, "amount"),
        {"name": "Total", "api_name": "total", "data_type": "string", "is_primary": "on", "revision": 0},
    )
    field = again(check).draft.fields.get(api_name="amount")
    assert (field.name, field.data_type, field.is_primary) == ("Total", "currency", False)


def test_another_primary_field_may_be_chosen_until_the_first_approval(admin):
    check = draft_type()
    admin.post(
        page("field", check.pk, "branch"),
        {
            "name": "Branch",
            "api_name": "branch",
            "data_type": "string",
            "is_primary": "on",
            "revision": check.draft.revision,
        },
    )
    assert again(check).draft.fields.get(is_primary=True).api_name == "branch"


def test_the_second_editor_of_the_fields_is_told(admin):
    check = draft_type()
    edit_description(check, "by somebody else")
    reply = admin.post(page("fields", check.pk), {"remove": "branch", "revision": check.draft.revision})
    assert "Someone else changed this draft" in reply.text
    assert "branch" in names_of(again(check).draft)
    reply = admin.post(
        page("new_field", check.pk), {"name": "Mine", "data_type": "string", "revision": check.draft.revision}
    )
    assert "Someone else changed this draft" in reply.text and "Mine" in reply.text


@pytest.mark.parametrize("bad", ["", "a\x00b", "\ud800", "x" * 300, "Amount"])
def test_a_bad_field_name_is_said_at_the_field(admin, bad):
    check = draft_type()
    data = {"name": bad.encode("utf-8", "surrogatepass"), "data_type": "string", "revision": check.draft.revision}
    reply = admin.post(page("new_field", check.pk), data)
    assert reply.status_code == 200 and 'role="alert"' in reply.text
    assert names_of(again(check).draft) == [field.api_name for field in CHECK_FIELDS]


def test_versions_say_what_changed_and_who_did_it(admin):
    check = approved_type()
    admin.post(page("new_field", check.pk), {"name": "Teller", "data_type": "string", "revision": 0})
    admin.post(page("step", check.pk, "approve"), {"revision": again(check).draft.revision})
    shown = admin.get(page("versions", check.pk)).text
    assert shown.index("Version 2") < shown.index("Teller (Text) added") < shown.index("Version 1")
    assert "by vera" in shown


def test_approve_says_what_becomes_fixed_and_what_will_exist(admin):
    check = draft_type()
    shown = admin.get(page("step", check.pk, "approve")).text
    for text in (
        "depositCheck",
        "Amount: its API name amount and its data type Currency",
        "Deposited Check",
        "Deposits Check",
    ):
        assert text in shown


def test_a_draft_is_returned_with_a_reason_that_its_editors_see(admin):
    check = draft_type()
    assert "Say why" in admin.post(page("step", check.pk, "return"), {"reason": "  "}).text
    admin.post(page("step", check.pk, "return"), {"reason": "Amount needs <units>"})
    assert "Amount needs &lt;units&gt;" in admin.get(page("change", check.pk)).text


def test_developers_get_requests_with_this_types_ids_and_fields(admin):
    check, ann = approved_type(), make_person()
    shown = admin.get(page("developers", check.pk))
    examples = shown.context["shown"]
    body = json.loads(examples.curl.split("<<'JSON'\n")[1].removesuffix("\nJSON"))
    (row,) = body["input"]
    assert (row["activityTypeId"], row["leadId"]) == (check.pk, ann.pk)
    assert [entry["apiName"] for entry in row["attributes"]] == [
        "amount",
        "branch",
        "deposited_on",
        "is_foreign",
        "pages",
    ]
    assert json.loads(examples.native.split("<<'JSON'\n")[1].removesuffix("\nJSON")) == json.loads(
        shown.context["payload"]
    )
    compile(examples.python, "example", "exec")
    assert "http://testserver/rest" in examples.python


def test_the_example_payload_would_be_recorded_and_is_not(admin):
    check = approved_type()
    make_person()
    payload = admin.get(page("developers", check.pk)).context["payload"]
    assert "This would be recorded" in admin.post(page("developers", check.pk), {"payload": payload}).text
    assert not Activity.objects.filter(activity_type_id=check.pk).exists()


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "Expected a JSON object"),
        ('{"person": 1e400, "attributes": {}}', "would be rejected"),
        ('{"person": {"a": []}, "primary_value": "\\ud800", "attributes": {"amount": 1e400}}', "rejected"),
        ('{"person": 1, "occurred_at": "0001-01-01", "primary_value": "x", "attributes": {"nope": 1}}', "not a field"),
        ('{"person": 1, "occurred_at": "2026-01-01", "primary_value": "a\\u0000b"}', "NUL"),
        ("[" * 60_000, "not JSON"),
        ('{"nonsense": ' + "9" * 6_000 + "}", "rejected"),
    ],
)
def test_the_box_says_what_is_wrong_with_a_payload(admin, payload, said):
    check = approved_type()
    assert said in admin.post(page("developers", check.pk), {"payload": payload}).text


def test_a_payload_is_checked_against_a_draft_before_the_first_approval(admin):
    check = draft_type()
    reply = admin.post(
        page("developers", check.pk), {"payload": '{"primary_value": "x", "attributes": {"amount": "1.5"}}'}
    )
    assert "The values are valid for the draft" in reply.text


def test_folder_and_owner_put_order_into_many_types(admin):
    check = approved_type()
    folder = Folder.objects.create(name="Banking")
    owner = get_user_model().objects.get(username="vera")
    admin.post(page("place", check.pk), {"folder": folder.pk, "owner": owner.pk})
    found = again(check)
    assert (found.folder, found.owner) == (folder, owner)
    listed = admin.get(page("changelist"), {"folder__id__exact": folder.pk}).text
    assert "Deposit Check" in listed and "New Person" not in listed


def test_a_folder_can_be_made_while_a_type_is_put_into_it(admin):
    check = approved_type()
    admin.post(page("place", check.pk), {"folder": "", "owner": "", "new_folder": "Banking"})
    assert again(check).folder.name == "Banking" and again(check).owner is None
    reply = admin.post(page("place", check.pk), {"new_folder": "banking", "folder": ""})
    assert "There is already a folder of this name" in reply.text


def test_deleted_types_are_found_and_brought_back(admin):
    check, car = approved_type(), approved_type("Buy Car", "buyCar")
    for one in (check, car):
        admin.post(page("step", one.pk, "delete"), {"name": str(one)})
    assert "Deposit Check" not in admin.get(page("changelist")).text
    shown = admin.get(page("deleted"), {"q": "cHECK"}).text
    assert "Deposit Check" in shown and "Buy Car" not in shown
    draft_type(api_name="other")
    refused = admin.post(page("deleted"), {"type": check.pk}).text
    assert "too similar to a name of the activity type other" in refused and again(check).deleted_at
    reply = admin.post(page("deleted"), {"type": car.pk}, follow=True)
    assert again(car).state == "approved" and "Buy Car" in reply.text
    for nonsense in ("", "x", "9" * 30, check.pk + 99):
        assert admin.post(page("deleted"), {"type": nonsense}).status_code == 404


def test_fields_are_put_into_the_order_that_was_dragged(admin):
    check = draft_type()
    order = "pages,branch,amount,deposited_on,is_foreign"
    admin.post(page("fields", check.pk), {"order": order, "revision": check.draft.revision})
    assert names_of(again(check).draft) == ["check", *order.split(",")]
    reply = admin.post(page("fields", check.pk), {"order": "branch,pages", "revision": check.draft.revision})
    assert "Someone else changed this draft" in reply.text


@pytest.mark.parametrize("state", ["draft", "approved", "approved_with_draft", "retired", "standard"])
def test_the_list_is_narrowed_to_a_state(admin, state):
    made = {
        "draft": draft_type("A a", "aa"),
        "approved": approved_type("B b", "bb"),
        "approved_with_draft": approved_type("C c", "cc"),
        "retired": approved_type("D d", "dd"),
    }
    edit_description(made["approved_with_draft"], "changed")
    lifecycle.retire_definition(made["retired"], None)
    found = {one.pk for one in admin.get(page("changelist"), {"state": state}).context["cl"].result_list}
    assert found == (
        {made[state].pk}
        if state in made
        else set(ActivityType.objects.filter(is_standard=True).values_list("pk", flat=True))
    )


def wizard(**changes):
    return {
        "step": "1",
        "go": "2",
        "proposed_from": "",
        "name": "Deposit Check",
        "api_name": "",
        "filter_name": "",
        "trigger_name": "",
        "description": "",
        "revision": "0",
        "primary-name": "",
        "primary-api_name": "",
        "primary-data_type": "string",
        "primary-description": "",
        "fields-TOTAL_FORMS": "0",
        "fields-INITIAL_FORMS": "0",
    } | changes


def carried(reply):
    """Everything that the wizard's page would send back."""
    forms = reply.context["forms"]
    every = [forms.names, forms.primary, *forms.fields.forms, forms.fields.management_form]
    values = {bound.html_name: bound.value() for form in every for bound in form}
    return {name: value for name, value in values.items() if value not in (None, False)} | {
        "proposed_from": forms.names["name"].value() or ""
    }


def test_the_wizard_goes_back_and_forth_without_losing_anything(admin):
    second = admin.post(page("add"), wizard(description="Kept"))
    assert second.context["step"] == 2
    assert carried(second)["filter_name"] == "Deposited Check" and carried(second)["api_name"] == "depositCheck"
    third = admin.post(page("add"), carried(second) | {"step": "2", "go": "3", "filter_name": "Brought a check"})
    typed = carried(third) | {"primary-name": "Check", "step": "3", "go": "more"}
    more = admin.post(page("add"), typed)
    rows = carried(more) | {"fields-0-name": "Amount", "fields-0-data_type": "currency"}
    first = admin.post(page("add"), rows | {"step": "3", "go": "1"})
    assert first.context["step"] == 1
    second = admin.post(page("add"), carried(first) | {"step": "1", "go": "2", "name": "Cash Check"})
    assert carried(second)["trigger_name"] == "Cash Check" and carried(second)["filter_name"] == "Brought a check"
    admin.post(page("add"), carried(second) | {"step": "3", "go": "save"})
    made = ActivityType.objects.get(api_name="cashCheck")
    assert (made.draft.description, made.draft.filter_name) == ("Kept", "Brought a check")
    assert names_of(made.draft) == ["check", "amount"]


def test_a_step_with_mistakes_is_not_left_forwards(admin):
    approved_type()
    reply = admin.post(page("add"), wizard())
    assert reply.context["step"] == 1 and "is taken" in reply.text and "too similar" in reply.text
    empty = admin.post(page("add"), wizard(name=""))
    assert empty.context["step"] == 1 and "required" in empty.text


def test_names_are_checked_while_they_are_typed(admin):
    approved_type()
    assert "too similar" in admin.post(page("check"), wizard(name="deposit_CHECK")).text
    assert "Looks like a type that exists" in admin.post(page("check"), wizard(name="Deposit Cheque")).text
    assert admin.post(page("check"), wizard(name="")).text.strip() == ""
    assert admin.post(page("check"), wizard(name="Buy Car")).text.strip() == ""


def test_a_type_is_duplicated_with_its_fields(admin):
    check = approved_type()
    begun = admin.get(page("add"), {"like": check.pk})
    admin.post(page("add"), carried(begun) | {"step": "3", "go": "save"}, follow=True)
    copy = ActivityType.objects.get(api_name="depositCheckCopy")
    assert (
        names_of(copy.draft) == [field.api_name for field in CHECK_FIELDS] and copy.draft.name == "Deposit Check copy"
    )


def test_schemas_go_from_one_installation_to_another(admin):
    from django.core.files.uploadedfile import SimpleUploadedFile

    approved_type()
    text = b"".join(admin.get(page("export")).streaming_content)
    other = text.replace(b"depositCheck", b"cashCheck").replace(b"Deposit", b"Cash")
    looked_at = admin.post(page("import"), {"file": SimpleUploadedFile("types.json", other)})
    assert "created as a draft" in looked_at.text and not ActivityType.objects.filter(api_name="cashCheck").exists()
    admin.post(page("import"), {"content": looked_at.context["text"], "confirm": "yes"})
    assert names_of(ActivityType.objects.get(api_name="cashCheck").draft) == [field.api_name for field in CHECK_FIELDS]
    same = admin.post(page("import"), {"file": SimpleUploadedFile("types.json", text)})
    assert "left as it is" in same.text and 'name="confirm"' not in same.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "activity_types"),
        (b'{"activity_types": [{"api_name": "a\\u0000", "name": "x", "fields": []}]}', "API name"),
        (
            b'{"activity_types": [{"api_name": "aa", "name": "Aa", "filter_name": "Aa", "trigger_name": "Aa", '
            b'"description": "\\ud800", "fields": [{"api_name": "f", "name": "F", "is_primary": true}]}]}',
            "Unicode",
        ),
    ],
)
def test_a_file_that_cannot_be_brought_in_says_why(admin, content, said):
    from django.core.files.uploadedfile import SimpleUploadedFile

    reply = admin.post(page("import"), {"file": SimpleUploadedFile("types.json", content)})
    assert said in reply.text and not ActivityType.objects.custom().exists()


def test_a_type_in_use_is_named_before_it_is_deleted_or_a_field_goes(admin, monkeypatch):
    from people.core import references

    check = approved_type()
    use = references.ObjectUse("smart list", "Depositors", check)
    monkeypatch.setattr(references, "uses_of", lambda *things: [use] if things else [])
    for url in (page("step", check.pk, "delete"), page("used_by", check.pk)):
        assert "smart list “Depositors”" in admin.get(url).text
    assert "in use by" in admin.post(page("step", check.pk, "delete"), {"name": "Deposit Check"}).text
    assert again(check).state == "approved"
