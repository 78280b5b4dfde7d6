"""Undo of an import: what is deleted, what stays and why; one function for page, API and command."""

import json
from io import StringIO
from unittest import mock

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from activities.models import Activity
from people.admin import import_results
from people.core.errors import NotAllowedError, RejectedError
from people.core.job_model import MAX_TRIES
from people.core.source import SYSTEM
from people.files.imports import jobs as import_jobs
from people.files.imports import runner as import_runner
from people.files.imports import traces
from people.files.imports.plan import ImportPlan
from people.lists import static_lists
from people.models import Import, Person
from people.persons import deletion, duplicates, import_undo, notes, upsert
from people.persons import merge as person_merge
from smartlists.campaigns import triggers
from tests.activities.recording.test_races import InThread
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.smartlists.campaign_factories import add_to_list_step, make_active_campaign

pytestmark = pytest.mark.django_db
State = Import.State
CHECKS = ImportPlan(
    columns={"occurred_at": "when", "primary_value": "check"},
    subject="depositCheck",
    person="{email}",
    create_people=True,
)
PEOPLE = ImportPlan(columns={"email": "email", "city": "city"})


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path


@pytest.fixture(autouse=True)
def check_type(db):
    return approved_type()


def imported(text, kind="activities", plan=CHECKS, verb="start", by=None):
    job = import_jobs.upload_file([text.encode()], "file.csv", kind, by)
    import_jobs.set_plan(job, plan, by)
    import_jobs.take_step(job, verb, by, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    return job


def checks(*emails):
    return "email,when,check\n" + "".join(f"{email}@example.com,2026-11-02,No. {email}\n" for email in emails)


def undone(job, by=None):
    import_undo.request_import_undo(job, "wrong file", by, queue=False)
    import_undo.run_import_undo(job.pk)
    job.refresh_from_db()
    return job


def live():
    return set(Person.objects.live().values_list("email", flat=True))


def named(email):
    return Person.objects.get(email=f"{email}@example.com")


def test_people_whom_an_import_created_are_counted_and_go_with_it():
    make_person(email="ann@example.com")
    job = imported(checks("ann", "bob", "cy", "bob"))
    assert (job.added, job.created) == (4, 2)
    preview = import_undo.preview_import_undo(job, None)
    assert (preview.activities, preview.people, preview.kept, preview.changed) == (4, 2, {}, 0)
    undone(job)
    assert (job.state, job.wish, live()) == (State.TAKEN_BACK, "", {"ann@example.com"})
    assert (job.undo["activities"], job.undo["people"], job.undo["kept"]) == (4, 2, {})
    assert not Activity.objects.filter(activity_type_id__gt=100_000).exists()
    # they can be restored
    (outcome,) = deletion.restore_people([named("bob").pk], None, SYSTEM)
    assert outcome.status is deletion.DeletionStatus.RESTORED
    assert imported(checks("ann", "bob", "cy", "bob")).added == 4


def test_a_check_says_how_many_people_would_be_created_and_uses_no_ids(monkeypatch):
    from people.files.imports import targets

    monkeypatch.setattr(targets.TARGETS["activities"], "batch", 2)
    before = sequence()
    job = imported(checks("bob", "cy", "bob", "di", "bob"), verb="check")
    assert (job.added, job.created) == (5, 3)
    checked = imported("email,city\na@example.com,Rome\nb@example.com,Oslo\n", "people", PEOPLE, "check")
    assert (checked.added, checked.created) == (2, 2)
    assert sequence() == before and not Person.objects.exists()


@pytest.mark.parametrize(
    ("text", "kind", "plan"),
    [
        ("email,when,check\nghost@example.com,soon,No. 1\n", "activities", CHECKS),
        ("email,when,check\nghost@example.com,2026-11-02,\n", "activities", CHECKS),
        ("email,when,check\nno address,2026-11-02,No. 1\n", "activities", CHECKS),
        (
            "email,score\nghost@example.com,many\n",
            "people",
            ImportPlan(columns={"email": "email", "person_score": "score"}),
        ),
        ("email,city\n,Rome\n", "people", PEOPLE),
        ("email,city\nghost@example.com,Rome\n", "people", ImportPlan(columns=PEOPLE.columns, action="update")),
    ],
)
def test_a_refused_row_leaves_nothing(text, kind, plan):
    before = sequence()
    job = imported(text, kind, plan)
    assert (job.refused, job.created, job.rows) == (1, 0, 1)
    assert sequence() == before and not Person.objects.exists() and not Activity.objects.exists()


def sequence():
    with connection.cursor() as cursor:
        cursor.execute("select last_value, is_called from person_id_seq")
        return cursor.fetchone()


def recorded_since(pk):
    record_rows(new_activity(pk))


def edited(pk):
    upsert.update_person(Person.objects.get(pk=pk), {"city": "Rome"}, SYSTEM)


def listed(pk):
    static_lists.add_members(static_lists.create_static_list("Friends", None), [pk], SYSTEM)


def listed_and_taken_off(pk):
    kept = static_lists.create_static_list("Friends", None)
    static_lists.add_members(kept, [pk], SYSTEM)
    static_lists.remove_members(kept, [pk], SYSTEM)


def merged(pk):
    person_merge.merge_people(pk, [make_person(email="twin@example.com").pk], None, SYSTEM)


def restored(pk):
    deletion.delete_people([pk], None, SYSTEM)
    deletion.restore_people([pk], None, SYSTEM)


def imported_again(pk):
    imported("email,city\nbob@example.com,Rome\n", "people", PEOPLE)


def noted(pk):
    notes.add_note(Person.objects.get(pk=pk), "Call back", None)


def refused_since(pk):
    record_rows(new_activity(pk, primary_value=""))


def entered(pk):
    make_active_campaign(
        add_to_list_step(static_lists.create_static_list("Friends", None)),
        triggers=[{"type": "depositCheck", "constraints": []}],
    )
    record_rows(new_activity(pk))
    triggers.process_log_batch()


def told_apart(pk):
    duplicates.mark_as_different([make_person(email="twin@example.com").pk, pk], None)


def told_apart_from_an_older_one(pk):
    # the id of the person from before the import is the smaller of the pair
    duplicates.mark_as_different([Person.objects.get(email="ann@example.com").pk, pk], None)


TOUCHES = (
    *(recorded_since, refused_since, edited, listed, listed_and_taken_off, merged, restored, imported_again),
    *(noted, entered, told_apart, told_apart_from_an_older_one),
)


@pytest.mark.parametrize("touch", TOUCHES)
def test_whoever_was_touched_since_stays(touch):
    make_person(email="ann@example.com")
    job = imported(checks("bob", "cy"))
    touch(named("bob").pk)
    preview = import_undo.preview_import_undo(job, None)
    assert (preview.people, sum(preview.kept.values())) == (1, 1)
    assert [one.email for one, _table in preview.kept_people] == ["bob@example.com"]
    ((why, _number),) = import_undo.kept_reasons(preview.kept)
    assert str(why) not in preview.kept
    undone(job)
    assert "bob@example.com" in live() and "cy@example.com" not in live()
    assert sum(job.undo["kept"].values()) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("touch", [touch for touch in TOUCHES if touch is not imported_again])
def test_taking_back_waits_for_whoever_touches_somebody_at_the_same_moment(touch):
    make_person(email="ann@example.com")
    job = imported(checks("bob", "cy"))
    bob = named("bob").pk
    with transaction.atomic():
        touch(bob)
        taking_back = InThread(lambda: undone(job))
        assert taking_back.is_waiting()
    taking_back.result()
    assert "bob@example.com" in live() and "cy@example.com" not in live()


def test_nobody_writes_a_note_on_who_went_meanwhile():
    job = imported(checks("bob"))
    bob = named("bob")
    undone(job)
    with pytest.raises(RejectedError, match="deleted in the meantime"):
        notes.add_note(bob, "Call back", None)


def test_asking_again_forgets_nothing_of_what_went(admin_user):
    job = undone(imported(checks("ann", "ben")), admin_user)
    went = {name: job.undo[name] for name in import_undo.COUNTED}
    assert went == {"activities": 2, "people": 2, "records": 0, "records_put_back": 0}
    job = undone(job, admin_user)
    assert {name: job.undo[name] for name in import_undo.COUNTED} == went
    noted = LogEntry.objects.filter(object_id=str(job.pk), change_message__contains="import_undone").order_by("pk")
    counts = [json.loads(entry.change_message) for entry in noted]
    assert [(count["count"], count["people"]) for count in counts] == [(2, 2), (0, 0)]


def test_whoever_left_already_is_neither_kept_nor_counted():
    job = imported(checks("bob", "cy", "di"))
    person_merge.merge_people(make_person(email="eve@example.com").pk, [named("bob").pk], None, SYSTEM)
    deletion.delete_people([named("cy").pk], None, SYSTEM)
    preview = import_undo.preview_import_undo(job, None)
    assert (preview.people, preview.kept) == (1, {})
    undone(job)
    assert live() == {"eve@example.com"}


def test_an_import_of_people_lists_what_it_changed_and_sets_nothing_back():
    ann = make_person(email="ann@example.com", city="Lima")
    friends = static_lists.create_static_list("Friends", None)
    text = "email,city\nann@example.com,Quito\nbob@example.com,Rome\nbob@example.com,Oslo\n"
    job = imported(text, "people", ImportPlan(columns=PEOPLE.columns, static_list=friends.pk))
    assert (job.added, job.updated, job.created) == (1, 2, 1)
    preview = import_undo.preview_import_undo(job, None)
    assert (preview.activities, preview.people, preview.changed) == (0, 1, 1)
    assert [tuple(change) for change in preview.changes] == [(ann.pk, "city", "Lima", "Quito")]
    undone(job)
    ann.refresh_from_db()
    assert ann.city == "Quito" and live() == {"ann@example.com"}


def test_what_cannot_be_taken_back():
    checked = imported(checks("bob"), verb="check")
    with pytest.raises(RejectedError, match="recorded nothing"):
        import_undo.preview_import_undo(checked, None)
    job = imported(checks("bob"))
    Import.objects.filter(pk=job.pk).update(first_id=None)
    job.refresh_from_db()
    with pytest.raises(RejectedError, match="too old"):
        import_undo.request_import_undo(job, "x", None)


def test_the_right_is_asked_for_and_another_mans_import_stays(django_user_model):
    maker, other = (django_user_model.objects.create_user(name) for name in ("maker", "other"))
    maker.groups.add(Group.objects.get(name="Developer"))
    other.groups.add(Group.objects.get(name="Marketer"))
    job = imported("email,city\nbob@example.com,Rome\n", "people", PEOPLE, by=maker)
    for by in (maker, other):
        with pytest.raises(NotAllowedError):
            import_undo.preview_import_undo(job, by)
        with pytest.raises(NotAllowedError):
            import_undo.request_import_undo(job, "x", by)
    maker.groups.add(Group.objects.get(name="Marketer"))
    maker = django_user_model.objects.get(pk=maker.pk)
    import_undo.request_import_undo(job, "x", maker, queue=False)
    # the right is withdrawn when the work begins
    maker.groups.clear()
    import_undo.run_import_undo(job.pk)
    job.refresh_from_db()
    assert job.fault and job.wish == "" and live() == {"bob@example.com"}


def test_work_that_was_killed_is_taken_up():
    job = imported(checks("bob", "cy"))
    import_undo.request_import_undo(job, "wrong file", None, queue=False)
    with pytest.raises(RejectedError):
        import_jobs.take_step(job, "resume", None, queue=False)
    assert import_undo.interrupted_undo_ids() == [job.pk]
    import_undo.run_import_undo(job.pk)
    assert import_undo.interrupted_undo_ids() == [] and live() == set()


def a_fault(*_arguments, **_more):
    raise ZeroDivisionError


def test_taking_back_that_fails_is_tried_so_often_and_no_more(client, admin_user, monkeypatch):
    job = imported(checks("bob", "cy"), by=admin_user)
    import_undo.request_import_undo(job, "wrong file", admin_user, queue=False)
    with monkeypatch.context() as patched:
        patched.setattr(deletion, "delete_people", a_fault)
        for number in range(1 + MAX_TRIES):  # the first one removed the activities
            assert import_undo.interrupted_undo_ids() == [job.pk], number
            import_undo.run_import_undo(job.pk)
    assert import_undo.interrupted_undo_ids() == []
    job.refresh_from_db()
    assert import_undo.has_failed(job) and "ZeroDivisionError" in job.fault and len(live()) == 2
    client.force_login(admin_user)
    page = client.get(f"/admin/people/import/{job.pk}/change/").content.decode()
    address = f"/admin/people/import/{job.pk}/take-back/"
    assert "stopped before the end" in page and "ZeroDivisionError" in page and address in page
    client.post(address, {"reason": "wrong file"})
    import_undo.run_import_undo(job.pk)
    job.refresh_from_db()
    assert not import_undo.has_failed(job) and job.fault == "" and live() == set()


def test_taking_back_that_kills_its_worker_is_tried_so_often_and_no_more(monkeypatch):
    job = imported(checks("bob"))
    import_undo.request_import_undo(job, "wrong file", None, queue=False)
    monkeypatch.setattr(deletion, "delete_people", mock.Mock(side_effect=KeyboardInterrupt))
    monkeypatch.setattr(import_undo.traces.log_traces(), "remove", lambda *_a: None)
    for _number in range(MAX_TRIES):
        with pytest.raises(KeyboardInterrupt):
            import_undo.run_import_undo(job.pk)
    import_undo.run_import_undo(job.pk)
    job.refresh_from_db()
    assert import_undo.has_failed(job) and str(MAX_TRIES) in job.fault and job.wish == ""


def test_the_command_says_that_it_failed(monkeypatch):
    job = imported(checks("bob"))
    monkeypatch.setattr(deletion, "delete_people", a_fault)
    with pytest.raises(CommandError, match="ZeroDivisionError"):
        run("take_back_import", str(job.pk), "--reason", "x")


def run(*arguments):
    out, err = StringIO(), StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return out.getvalue() + err.getvalue()


def test_the_command_says_what_goes_and_what_stays():
    make_person(email="ann@example.com", city="Lima")
    job = imported("email,city\nann@example.com,Quito\nbob@example.com,Rome\ncy@example.com,Bonn\n", "people", PEOPLE)
    recorded_since(named("cy").pk)
    said = run("take_back_import", str(job.pk), "--reason", "x", "--dry-run")
    assert said.startswith("Dry run, nothing was removed: 0 activities and 1 people")
    assert "1 people stay whom it created: activities" in said and "'Lima' -> 'Quito'" in said
    assert "bob@example.com" in live()
    assert run("take_back_import", str(job.pk), "--reason", "x").startswith("0 activities and 1 people")
    assert live() == {"ann@example.com", "cy@example.com"}
    with pytest.raises(CommandError, match="Give a reason"):
        run("take_back_import", str(job.pk), "--reason", " ")


def test_the_page_shows_it_and_does_it(client, admin_user, monkeypatch):
    client.force_login(admin_user)
    make_person(email="ann@example.com", city="Lima")
    text = "email,city\nann@example.com,Quito\nbob@example.com,Rome\ncy@example.com,Bonn\n"
    job = imported(text, "people", PEOPLE, by=admin_user)
    recorded_since(named("cy").pk)
    page = client.get(f"/admin/people/import/{job.pk}/change/").content.decode()
    address = f"/admin/people/import/{job.pk}/take-back/"
    assert address in page and f"/admin/people/import/{job.pk}/people/" in page
    shown = client.get(address).content.decode()
    assert "Lima" in shown and "Quito" in shown and "cy@example.com" in shown
    assert client.post(address, {"reason": ""}).status_code == 200 and live() >= {"bob@example.com"}
    client.post(address, {"reason": "wrong file"})
    job.refresh_from_db()
    assert job.wish == Import.Wish.UNDO
    assert "being undone" in client.get(f"/admin/people/import/{job.pk}/progress/").content.decode()
    import_undo.run_import_undo(job.pk)
    page = client.get(f"/admin/people/import/{job.pk}/change/").content.decode()
    assert "wrong file" in page and "1 person was" in " ".join(page.split()) and address not in page
    assert live() == {"ann@example.com", "cy@example.com"}


def test_a_list_is_made_of_the_people_created(client, admin_user):
    client.force_login(admin_user)
    job = imported("email,city\nbob@example.com,Rome\ncy@example.com,Bonn\n", "people", PEOPLE, by=admin_user)
    page = client.get(f"/admin/people/import/{job.pk}/people/").content.decode()
    assert "bob@example.com" in page and "Create a static list" in page
    reply = client.post(f"/admin/people/import/{job.pk}/list/")
    assert "/bulk/" in reply["Location"]
    from people.models import BulkAction, StaticList
    from people.persons import bulk

    bulk.run_bulk_action(BulkAction.objects.get().pk)
    assert static_lists.static_list_size(StaticList.objects.get()) == 2


def test_whoever_imported_is_told_which_file_is_done(admin_user):
    from people.core.notifications import Notice

    imported("email,city\nbob@example.com,Rome\n", "people", PEOPLE, by=admin_user)
    notice = Notice.objects.get(user=admin_user, kind="import_done")
    assert "file.csv" in str(notice)
    notice.parameters = {"number": 7}  # as a version before left it
    assert "7" in str(notice)


def test_links_lead_to_what_came_in_and_what_was_refused(client, admin_user):
    client.force_login(admin_user)
    job = imported(checks("ann") + "bob@example.com,soon,No. 2\n", by=admin_user)
    page = client.get(f"/admin/people/import/{job.pk}/change/").content.decode()
    for address in ("/admin/activities/activitytype/", f"/admin/people/import/{job.pk}/people/"):
        assert address in page
    refused = f"/admin/activities/refusedactivity/?channel__exact=4&origin_id__exact={job.pk}"
    assert refused.replace("&", "&amp;") in page
    assert client.get(refused).status_code == 200
    assert "No. 2" not in client.get(refused.replace(f"={job.pk}", f"={job.pk + 1}")).content.decode()
    upload = client.get("/admin/people/import/add/").content.decode()
    assert "drop-zone.js" in upload and "data-drop" in upload


def test_the_page_of_the_people_created_reads_one_page_of_them(client, admin_user, monkeypatch):
    monkeypatch.setattr(import_results, "PAGE", 3)
    client.force_login(admin_user)
    job = imported(checks(*"abcdefgh"), by=admin_user)
    deletion.delete_people([named("b").pk], None, SYSTEM)
    created = traces.log_traces().created
    read = []
    monkeypatch.setattr(
        traces.log_traces(), "created", lambda *args, **more: read.append(found := created(*args, **more)) or found
    )
    shown, address = [], f"/admin/people/import/{job.pk}/people/"
    while address:
        reply = client.get(address)
        shown += [one.email[0] for one in reply.context["people"]]
        after = reply.context["after"]
        address = after and f"/admin/people/import/{job.pk}/people/?after={after}"
    assert "".join(sorted(shown)) == "acdefgh"
    assert max(map(len, read)) <= 4
    assert sorted(traces.people_created(job, 3)) == sorted(one.person_id for one in created(job))


def test_taking_back_reads_some_of_the_people_at_a_time(monkeypatch):
    monkeypatch.setattr(import_undo, "PART", 2)
    job = imported(checks(*"abcde"))
    notes.add_note(named("b"), "Call back", None)
    assert import_undo.preview_import_undo(job, None).people == 4
    undone(job)
    assert live() == {"b@example.com"} and job.undo["people"] == 4
