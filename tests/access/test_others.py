"""Objects of one user, walked at every address by another user; and every right a token can lack."""

from dataclasses import dataclass

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.test import Client

from activities.forms import editing as form_editing
from activities.models import Activity
from activities.models.quarantine import RefusedActivity
from activities.recording import replay as recording_replay
from activities.recording.rows import PersonLookup
from activities.sources import editing as source_editing
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.access.roles import ROLES
from people.core.errors import NotAllowedError
from people.core.source import Channel, Source
from people.files.imports import jobs as import_jobs
from people.files.imports import runner as import_runner
from people.files.imports.plan import ImportPlan
from people.models import Import, Person
from people.rights import VIEW_PERSON
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.models import Dashboard
from tests.access.route_walker import address, build_world, is_let_in
from tests.access.test_routes import BODIES, JSON, MARKETO, table
from tests.activities.inbound.factories import make_webhook
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.people.objects import world as objects

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]

# names in `build_world` of what belongs to one user
OWNED = ("import", "people_import", "export", "bulk_export", "refused", "token", "bulk")
NOWHERE = {"bulk_export": "00000000-0000-0000-0000-000000000000"}
# answers that do not depend on whose the object is: a redirect to the page that refuses, and actions that no user may take
SAME_FOR_ALL = ("admin/people/import/<path:object_id>/", "admin/people/export/<path:object_id>/")


@pytest.fixture(autouse=True)
def _folder(tmp_path, settings):
    settings.FILES_DIR = tmp_path


@dataclass
class Outsider:
    """A user with every role but no right to what others own, and a program of that user."""

    browser: Client
    marketo: str
    native: str

    @classmethod
    def make(cls):
        user = get_user_model().objects.create_user("outsider", is_staff=True)
        user.groups.set(Group.objects.filter(name__in=ROLES))
        for group in user.groups.all():
            others = ("view_refusedactivity", "change_refusedactivity", "change_import")
            group.permissions.remove(*group.permissions.filter(codename__in=others))
        program = client_editing.create_client("Outside", user, None, client_editing.grantable_rights()).client
        browser = Client(raise_request_exception=False)
        browser.force_login(user)
        return cls(browser, client_editing.client_token(program).text, tokens.issue_token(program).text)

    def ask(self, method, path, route):
        """(status, code) of the answer; what the request changed is undone."""
        token = self.marketo if route.startswith(MARKETO) else self.native
        headers = {"Authorization": f"Bearer {token}"} if route.startswith(JSON) else {}
        content_type = "application/json" if route.startswith(JSON) else "application/x-www-form-urlencoded"
        with transaction.atomic():
            body = BODIES.get(route, b"{}") if route.startswith(JSON) and method != "GET" else b""
            reply = self.browser.generic(method, path, body, content_type=content_type, headers=headers)
            transaction.set_rollback(True)
        is_json = "json" in reply.headers.get("Content-Type", "") and not reply.streaming
        errors = reply.json().get("errors") if is_json and isinstance(reply.json(), dict) else None
        return reply.status_code, [error["code"] for error in errors or ()]


@pytest.mark.slow
def test_what_others_own_answers_as_if_it_were_not_there():
    world = build_world(get_user_model().objects.create_superuser("olga"))
    outsider = Outsider.make()
    nothing = world | {name: NOWHERE.get(name, 2**31 - 1) for name in OWNED}
    wrong, walked = [], set()
    for route, methods in table().items():
        theirs, missing = address(route, world), address(route, nothing)
        if theirs == missing or route in SAME_FOR_ALL:
            continue
        walked.add(route)
        for method in methods:
            got, expected = outsider.ask(method, theirs, route), outsider.ask(method, missing, route)
            refused = got[0] in (403, 404) or got == expected
            if not refused:
                wrong.append(f"{method} {theirs}: {got}, for what is not there: {expected}")
    assert len(walked) > 40 and not wrong, "\n".join(wrong)


# names in `build_world` of what belongs to another thing, which the address names, too
NESTED = {
    "submission": ("form", "form"),
    "inbound_mapping": ("inbound", "inbound webhook"),
    "inbound_call": ("inbound", "inbound webhook"),
    "run": ("campaign", "smart campaign"),
    "tile": ("dashboard", "dashboard"),
    "object_record": ("car", "object type"),
    "object_change": ("object_record", "object record"),
    "activity": ("ann", "person"),
}


def other_parents(owner):
    """Things of the kinds that others belong to, by their names in `build_world`; none of its things are in them."""
    trip = objects.approved_type("Trip", "trip")
    return {
        "form": form_editing.create_form("Other form", None, event="Show").pk,
        "inbound": make_webhook("Other product").pk,
        "campaign": campaign_lifecycle.create_campaign("Other campaign", None).pk,
        "dashboard": Dashboard.objects.create(name="Other", owner=owner, is_shared=True).pk,
        "car": "trip",
        "object_record": objects.saved(trip, plate="2", colour="blue").pk,
        "ann": make_person().pk,
    }


@pytest.mark.slow
def test_what_is_in_one_thing_is_not_reached_through_another(client):
    """Submissions, calls, mappings, runs and keys: at the address of another parent they are not there."""
    owner = get_user_model().objects.create_superuser("olga")
    others = other_parents(owner)
    world = build_world(owner)
    client.force_login(owner)
    program = client_editing.create_client("Ours", owner, None, client_editing.grantable_rights()).client
    outsider = Outsider(client, "", tokens.issue_token(program).text)
    wrong, walked = [], set()
    for route, methods in table().items():
        for child, (parent, kind) in NESTED.items():
            elsewhere = address(route, world | {parent: others[parent]})
            is_both = address(route, world) != elsewhere and address(route, world | {child: 0}) != address(route, world)
            if not is_both:
                continue
            walked.add(child)
            for method in methods:
                status, _codes = outsider.ask(method, elsewhere, route)
                if status not in (404, 422):
                    wrong.append(f"{method} {elsewhere}: {status} for a {child} of another {kind}")
    assert walked == {*NESTED} and not wrong, "\n".join(wrong)


def test_a_key_is_ended_only_at_its_own_event_source(client):
    owner = get_user_model().objects.create_superuser("olga")
    ours, theirs = (source_editing.create_source(name, "server", None).key for name in ("Ours", "Theirs"))
    client.force_login(owner)
    body = {"key": theirs.pk}
    reply = client.post(f"/api/v1/event-sources/{ours.source_id}/end-key", body, content_type="application/json")
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (422, "unknown_write_key")
    client.post(f"/admin/activities/eventsource/{ours.source_id}/do/end/", body)
    theirs.refresh_from_db()
    assert theirs.is_live


@pytest.mark.slow
def test_a_token_opens_what_its_rights_open_and_nothing_when_one_of_them_is_missing():
    owner = get_user_model().objects.create_superuser("olga")
    world = build_world(owner)
    program = client_editing.create_client("Program", owner, None, client_editing.grantable_rights()).client
    Import.objects.update(user=program.api_user)
    known = frozenset(client_editing.grantable_rights())
    issued = {}
    browser = Client(raise_request_exception=False)

    def opens(method, route, rights):
        token = issued.setdefault(rights, None) or tokens.issue_token(program, sorted(rights)).text
        issued[rights] = token
        body = BODIES.get(route, b"{}") if method != "GET" else b""
        headers = {"Authorization": f"Bearer {token}"}
        with transaction.atomic():
            reply = browser.generic(
                method, address(route, world), body, content_type="application/json", headers=headers
            )
            transaction.set_rollback(True)
        return reply.status_code if is_let_in(reply) else None

    wrong = []
    for route, methods in table().items():
        for method, who in methods.items():
            if not route.startswith("api/v1/") or "." not in who:
                continue
            needed = [frozenset(part.split("|")) for part in who.split()]
            whole = opens(method, route, frozenset(right for part in needed for right in part))
            if whole is None:
                wrong.append(f"{method} {route} is shut with {who}")
            for part in needed:
                less = opens(method, route, known - part)
                if less is not None and (less != 404 or whole == 404):
                    wrong.append(f"{method} {route} opens without {', '.join(part)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_a_program_of_the_marketo_api_needs_every_right_of_the_route():
    owner = get_user_model().objects.create_superuser("olga")
    world = build_world(owner)
    program = client_editing.create_client("Program", owner, None, client_editing.grantable_rights()).client
    Import.objects.update(user=program.api_user)
    token = client_editing.client_token(program).text
    known = {
        f"{right.content_type.app_label}.{right.codename}": right for right in program.api_user.user_permissions.all()
    }
    browser = Client(raise_request_exception=False)

    def is_open(method, route, rights):
        body = BODIES.get(route, b"{}") if method != "GET" else b""
        with transaction.atomic():
            program.api_user.user_permissions.set(rights)
            reply = browser.generic(
                method,
                address(route, world),
                body,
                content_type="application/json",
                headers={"Authorization": f"Bearer {token}"},
            )
            transaction.set_rollback(True)
        return is_let_in(reply)

    wrong, walked = [], 0
    for route, methods in table().items():
        for method, who in methods.items():
            if not route.startswith(MARKETO) or "." not in who:
                continue
            needed = [set(part.split("|")) for part in who.split()]
            walked += 1
            if not is_open(method, route, known.values()):
                wrong.append(f"{method} {route} is shut with every right")
            for part in needed:
                if is_open(method, route, [right for name, right in known.items() if name not in part]):
                    wrong.append(f"{method} {route} opens without {', '.join(part)}")
    assert walked > 50 and not wrong, "\n".join(wrong)


def user(name, *roles):
    made = get_user_model().objects.create_user(name, is_staff=True)
    made.groups.set(Group.objects.filter(name__in=roles))
    return made


def program_of(owner, *rights):
    return client_editing.create_client(
        f"Program of {owner}, {len(rights)} rights", owner, None, rights
    ).client.api_user


@pytest.fixture
def refused():
    """A row of another program's, refused for its amount, whose person is to be created."""
    approved_type()
    sender = program_of(user("dora", "Developer"), recording_replay.RIGHT, "people.add_person")
    row = new_activity(PersonLookup("new@example.com", "email", True), amount="many")
    record_rows(row, source=Source(Channel.API, sender.pk))
    return RefusedActivity.objects.get()


def test_the_right_to_record_alone_settles_no_row_of_others(refused):
    by, ids = program_of(user("eve", "Developer"), recording_replay.RIGHT), [refused.pk]
    assert recording_replay.correct_rows(ids, "amount", "5", by) == 0
    assert recording_replay.dismiss_rows(ids, by) == 0
    assert recording_replay.replay_rows(ids, by) == recording_replay.RefusedRowReplay(0, 0)
    refused.refresh_from_db()
    assert refused.state == "waiting" and '"many"' in refused.raw


RIGHTS_OF_OTHERS_ROWS = (VIEW_PERSON, recording_replay.SEE_OTHERS, recording_replay.OTHERS)


@pytest.mark.parametrize("lacks", [None, *RIGHTS_OF_OTHERS_ROWS])
@pytest.mark.parametrize("verb", ["correct", "dismiss", "replay"])
def test_rows_of_others_are_settled_with_the_rights_to_see_them_alone(client, refused, verb, lacks):
    """The same over the API and on the page."""
    rights = [right for right in (recording_replay.RIGHT, *RIGHTS_OF_OTHERS_ROWS) if right != lacks]
    clerk = user("clerk")
    clerk.user_permissions.set([Permission.objects.get(codename=right.partition(".")[2]) for right in rights])
    key = tokens.issue_token(client_editing.create_client("Clerk", user("mary", "Marketer"), None, rights).client).text
    body = {"ids": [refused.pk]} | ({"part": "amount", "value": "5"} if verb == "correct" else {})
    done = client.post(
        f"/api/v1/quarantine/{verb}", body, content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    )
    assert done.status_code == 200
    refused.refresh_from_db()
    is_open = refused.state == "waiting" and '"many"' in refused.raw
    numbers = done.json()
    assert is_open == (lacks is not None or verb == "replay")  # replayed as it is, it is refused again
    assert sum(numbers.values()) == (0 if lacks else 1)
    RefusedActivity.objects.update(state="waiting")
    client.force_login(clerk)
    page = f"/admin/activities/refusedactivity/{refused.pk}/"
    shown = client.get(page)
    assert (shown.status_code == 200) == (lacks in (None, recording_replay.OTHERS))
    RefusedActivity.objects.update(raw=refused.raw.replace('"5"', '"many"'))
    client.post(page, {"person": "new@example.com", "amount": "7"})
    client.post("/admin/activities/refusedactivity/", {"action": "dismiss_selected", "_selected_action": [refused.pk]})
    refused.refresh_from_db()
    assert (refused.state == "waiting" and '"many"' in refused.raw) == (lacks is not None)


def test_a_client_owner_and_a_marketer_settle_the_rows_of_a_client(refused):
    assert recording_replay.correct_rows([refused.pk], "amount", "5", refused.user.owner) == 1
    assert recording_replay.replay_rows([refused.pk], user("mary", "Marketer")) == recording_replay.RefusedRowReplay(
        1, 0
    )


def test_a_replay_creates_nobody_for_who_may_not_create_people(refused):
    owner = refused.user.owner
    by = program_of(owner, recording_replay.RIGHT)
    RefusedActivity.objects.update(user=by)
    recording_replay.correct_rows([refused.pk], "amount", "5", by)
    recording_replay.correct_rows([refused.pk], "person", "other@example.com", by)
    created = Person.objects.filter(email="other@example.com")
    assert recording_replay.replay_rows([refused.pk], by) == recording_replay.RefusedRowReplay(0, 1)
    refused.refresh_from_db()
    assert (refused.code, refused.state) == ("not_allowed", "waiting") and not created.exists()
    assert (
        recording_replay.replay_rows([refused.pk], owner) == recording_replay.RefusedRowReplay(1, 0)
        and created.count() == 1
    )


def test_a_corrected_row_is_recorded_under_who_corrected_it(refused):
    mary = user("mary", "Marketer")
    recording_replay.correct_rows([refused.pk], "amount", "5", mary)
    recording_replay.replay_rows([refused.pk], mary)
    found = Activity.objects.get(primary_value="No. 1")
    assert found.user_id == mary.pk and found.channel == Channel.API


@pytest.fixture
def job():
    """A people import of a program, planned."""
    by = program_of(user("dora", "Developer"), "people.add_person", "people.change_person")
    made = import_jobs.upload_file([b"email\nann@example.com\n"], "a.csv", "people", by, Channel.API)
    import_jobs.set_plan(made, ImportPlan(columns={"email": "email"}), by)
    return made


def test_nobody_plans_starts_or_stops_the_import_of_another(job):
    eve = program_of(user("eve", "Developer"), "people.add_person", "people.change_person")
    for act in (
        lambda: import_jobs.set_plan(job, ImportPlan(columns={"email": "email"}), eve),
        lambda: import_jobs.take_step(job, "start", eve),
        lambda: import_jobs.stop_import(job, "cancel", eve),
    ):
        with pytest.raises(NotAllowedError):
            act()
    import_jobs.take_step(job, "start", job.user.owner, queue=False)
    assert job.state == "importing"


def test_an_import_asks_for_the_rights_again_when_it_runs(job):
    import_jobs.take_step(job, "start", job.user, queue=False)
    job.user.user_permissions.clear()
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    assert job.state == "failed" and "permission" in job.fault and not Person.objects.exists()


def test_an_import_of_activities_that_creates_people_needs_that_right():
    approved_type()
    by = program_of(user("dora", "Developer"), recording_replay.RIGHT)
    made = import_jobs.upload_file(
        [b"email,at,no\nann@example.com,2026-01-01,1\n"], "a.csv", "activities", by, Channel.API
    )
    columns = {"occurred_at": "at", "primary_value": "no"}
    plan = {"columns": columns, "subject": "depositCheck", "person": "{email}"}
    import_jobs.set_plan(made, ImportPlan(**plan), by)
    with pytest.raises(NotAllowedError):
        import_jobs.set_plan(made, ImportPlan(**plan, create_people=True), by)
