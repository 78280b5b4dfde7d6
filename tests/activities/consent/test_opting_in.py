"""The right to record that people consent to email: by channel, by right and by value."""

import itertools
import json

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from activities.consent.state import GIVEN, WITHDRAWN
from activities.models import Activity, RefusedActivity
from activities.recording import replay
from activities.rights import CHANGE_REFUSEDACTIVITY, RECORD_ACTIVITY, VIEW_ACTIVITY, VIEW_REFUSEDACTIVITY
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from people.files.imports import jobs as import_jobs
from people.files.imports import runner as import_runner
from people.files.imports.plan import ImportPlan
from people.rights import CHANGE_PERSON, VIEW_PERSON
from tests.api.conftest import Api
from tests.factories import make_person, user_with

pytestmark = pytest.mark.django_db
RIGHTS = (RECORD_ACTIVITY, VIEW_ACTIVITY, VIEW_PERSON, VIEW_REFUSEDACTIVITY, CHANGE_REFUSEDACTIVITY)
WORDS = {True: "consentGiven", False: "consentWithdrawn"}
_numbers = itertools.count(1)


def program_with(client, *rights):
    owner = get_user_model().objects.create_superuser(f"owner{next(_numbers)}")
    return client_editing.create_client(f"Program {next(_numbers)}", owner, None, rights).client


def row(person, purpose, is_given, **more):
    return {
        "activity_type": WORDS[is_given],
        "person": person.pk,
        "occurred_at": timezone.now().isoformat(),
        "primary_value": purpose,
    } | more


def by_call(client, rights, *said):
    Api(client, tokens.issue_token(program_with(client, *rights)).text).post("activities", row(*said))


def by_narrowed_token(client, rights, *said):
    program = program_with(client, *RIGHTS, CHANGE_PERSON)
    Api(client, tokens.issue_token(program, rights).text).post("activities", row(*said))


def by_batch(client, rights, *said):
    api = Api(client, tokens.issue_token(program_with(client, *rights)).text)
    api.post("activities/batch", {"activities": [row(*said), row(make_person(), "calls", True)]})


def by_stream(client, rights, *said):
    api = Api(client, tokens.issue_token(program_with(client, *rights)).text)
    lines = "".join(json.dumps(line) + "\n" for line in (row(*said), row(make_person(), said[1], said[2])))
    reply = api.post("activities/stream", lines, content_type="application/x-ndjson")
    assert b"".join(reply.streaming_content)


def by_marketo_call(client, rights, person, purpose, is_given):
    token = client_editing.client_token(program_with(client, *rights)).text
    body = {
        "input": [
            {
                "leadId": person.pk,
                "activityDate": timezone.now().isoformat(),
                "activityTypeId": GIVEN if is_given else WITHDRAWN,
                "primaryAttributeValue": purpose,
                "attributes": [],
            }
        ]
    }
    headers = {"Authorization": f"Bearer {token}"}
    reply = client.post("/rest/v1/activities/external.json", body, "application/json", headers=headers)
    assert reply.json()["success"]


def by_import(client, rights, person, purpose, is_given):
    user = user_with(*rights)
    content = f"person,when,purpose\n{person.pk},{timezone.now().isoformat()},{purpose}\n".encode()
    job = import_jobs.upload_file([content], "said.csv", "activities", user)
    columns = {"occurred_at": "when", "primary_value": "purpose"}
    plan = ImportPlan(
        columns=columns, subject=WORDS[is_given], person="{person}", lookup_field="id", starts_campaigns=True
    )
    import_jobs.set_plan(job, plan, user)
    import_jobs.take_step(job, "start", user, queue=False)
    import_runner.run_import(job.pk)


def by_page(client, rights, person, purpose, is_given):
    client.force_login(user_with(*rights, is_staff=True))
    state = "given" if is_given else "withdrawn"
    client.post(reverse("admin:activities_consents", args=[person.pk]), {"purpose": purpose, "state": state})


def by_replay(client, rights, person, purpose, is_given):
    sender = program_with(client, RECORD_ACTIVITY)
    sent = row(make_person(), purpose, is_given, occurred_at="soon")
    Api(client, tokens.issue_token(sender).text).post("activities/batch", {"activities": [sent]})
    user, waiting = user_with(*rights), RefusedActivity.objects.get()
    superuser = get_user_model().objects.create_superuser(f"corrector{next(_numbers)}")
    replay.correct_rows([waiting.pk], "person", person.pk, superuser)
    replay.correct_rows([waiting.pk], "occurred_at", timezone.now().isoformat(), superuser)
    replay.replay_rows([waiting.pk], user, backfill=False)


CHANNELS = (by_call, by_narrowed_token, by_batch, by_stream, by_marketo_call, by_import, by_page, by_replay)
SAID = {
    "opt-in": ("email", True, False),
    "opt-in, with the right": ("eMail", True, True),
    "opt-out": ("email", False, False),
    "another purpose": ("newsletter", True, False),
}


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.__name__)
def test_only_who_may_change_people_opts_them_in(client, settings, tmp_path, channel, said):
    settings.DATA_DIR = tmp_path
    purpose, is_given, may_change = SAID[said]
    ann = make_person(unsubscribed=True)
    before = Activity.objects.filter(person_id=ann.pk).count()
    channel(client, (*RIGHTS, CHANGE_PERSON) if may_change else RIGHTS, ann, purpose, is_given)
    is_recorded = Activity.objects.filter(person_id=ann.pk).count() > before
    assert is_recorded is (said != "opt-in")
    ann.refresh_from_db()
    assert ann.unsubscribed is not (said == "opt-in, with the right")


def test_the_refusal_names_the_right_and_history_needs_none(client):
    api = Api(client, tokens.issue_token(program_with(client, *RIGHTS)).text)
    ann = make_person(unsubscribed=True)
    refusal = api.post("activities", row(ann, "email", True)).json()
    assert (refusal["code"], refusal["errors"][0]["expected"]) == ("not_allowed", CHANGE_PERSON), refusal
    past = api.post("activities?backfill=true", row(ann, "email", True))
    assert past.status_code == 201
    ann.refresh_from_db()
    assert ann.unsubscribed is True
