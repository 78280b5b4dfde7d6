"""Dispatcher, worker and recorders killed at random, as real processes: nothing is lost and nothing is done twice.

CAMPAIGN_KILLS is the number of kills; the suite's own run is short. With CAMPAIGN_KILLS=50 the last line is the tally.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from procrastinate.exceptions import AlreadyEnqueued

from activities.models import Activity
from config.observability import probes
from smartlists import tasks
from smartlists.campaigns import triggers
from smartlists.models import CampaignEntry, StepOutcome, WebhookDelivery
from smartlists.webhooks import editing as webhook_editing
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows
from tests.hypothesis_profiles import examples
from tests.smartlists.campaign_factories import (
    BIG_CHECK,
    add_to_list_step,
    list_member_ids,
    make_active_campaign,
    make_static_list,
)
from tests.smartlists.webhook_receiver import receiver

pytestmark = pytest.mark.django_db(transaction=True)
KILLS = examples(4, 50, "CAMPAIGN_KILLS")
PATIENCE = 300  # seconds; a machine that does other work at the same time has needed two minutes
PROCESSES = {
    "dispatcher": ("dispatch",),
    "twin": ("dispatch",),
    "worker": ("procrastinate", "worker", "--concurrency", "2"),
}


class Process:
    """One of the product's processes on this test's database, begun again whenever it is killed."""

    def __init__(self, arguments, trusted):
        self.arguments = arguments
        self.environment = {
            **os.environ,
            "DATA_DIR": str(settings.DATA_DIR),
            "EMBEDDED_POSTGRES_ATTACH": "1",
            "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
            "WEBHOOK_TRUSTED_HOSTS": trusted,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "EMBEDDED_POSTGRES_FOR_TESTS": "1",
        }
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", *self.arguments],
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Writer(threading.Thread):
    """Records checks of few people with known external ids, a few at a time; sends each call again now and then.

    Every fifth call is history, which no campaign answers.
    """

    def __init__(self, people):
        super().__init__(daemon=True)
        self.people, self.is_over, self.wanted = people, threading.Event(), Counter()

    def run(self):
        number, calls = 0, 0
        while not self.is_over.is_set():
            rows, calls = [], calls + 1
            is_history = calls % 5 == 0
            for person_id in self.people:
                number += 1
                amount = 2000 if number % 3 else 5
                rows.append(
                    new_activity(
                        person_id,
                        occurred_at=datetime.now(UTC),
                        primary_value=f"No. {number}",
                        external_id=str(number),
                        amount=amount,
                    )
                )
                self.wanted[person_id] += amount > 1000 and not is_history
            self.record(rows, is_history)
            if number % 7 == 0:
                self.record(rows, is_history)  # a program that heard no answer
            time.sleep(0.5)
        connection.close()

    def record(self, rows, is_history):
        """As a program does whose connection is cut: again, until there is an answer."""
        while True:
            try:
                record_rows(*rows, source=replace(MARKETO, is_backfill=is_history))
            except (OperationalError, InterfaceError):
                connection.close()
                time.sleep(0.1)
            else:
                return


def database_is_ended():
    """All connections but this one are cut, as by a restart of the server."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and usename = current_user"
        )


def others_connected():
    with connection.cursor() as cursor:
        cursor.execute(  # but for those that a cluster's servers have among themselves
            """select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
            and backend_type = 'client backend' and application_name not like 'citus%'"""
        )
        return {pid for (pid,) in cursor.fetchall()}


def eventually(found):
    until = time.monotonic() + PATIENCE
    while not found() and time.monotonic() < until:
        time.sleep(0.2)
    return found()


def is_quiet():
    return (
        probes.high_water_lag() == 0
        and triggers.dispatcher_lag() == 0
        and not CampaignEntry.objects.filter(state="open").exists()
        and not WebhookDelivery.objects.filter(state="waiting").exists()
    )


@pytest.mark.slow
def test_killed_again_and_again_every_activity_is_done_exactly_once(capsys):
    approved_type()
    people = [make_person().pk for _number in range(8)]
    rich = make_static_list()
    with receiver() as server:
        settings.WEBHOOK_TRUSTED_HOSTS = [server.host]
        hook, _secret = webhook_editing.create_webhook("CRM", None, url=f"{server.url}/", per_minute=60_000)
        settings.WEBHOOK_TRUSTED_HOSTS = []
        make_active_campaign(
            add_to_list_step(rich),
            {"do": "change_field", "field": "person_score", "by": "1"},
            {"do": "webhook", "webhook": hook.pk},
            triggers=[BIG_CHECK],
        )
        processes = {name: Process(arguments, server.host) for name, arguments in PROCESSES.items()}
        writer, chance = Writer(people), random.Random(9)
        writer.start()
        killed = Counter()
        try:
            eventually(lambda: CampaignEntry.objects.exists())
            for _kill in range(KILLS):
                time.sleep(chance.uniform(0.2, 1.0))
                name = chance.choice([*PROCESSES, "database"])
                killed[name] += 1
                if name == "database":
                    database_is_ended()
                else:
                    processes[name].kill()
                    processes[name].start()
            writer.is_over.set()
            writer.join(PATIENCE)
            assert not writer.is_alive()
            with contextlib.suppress(AlreadyEnqueued):  # the job of a killed worker; else the next minute's
                tasks.resume_sending.defer(timestamp=0)
            assert eventually(is_quiet), "not done in time"
        finally:
            writer.is_over.set()
            for one in processes.values():
                one.kill()
            with connection.cursor() as cursor:
                cursor.execute("delete from procrastinate_periodic_defers")
        _check(writer, people, rich, server)
    tally = {
        "kills": dict(killed),
        "qualifying": sum(writer.wanted.values()),
        "entries": CampaignEntry.objects.count(),
        "outcomes": StepOutcome.objects.count(),
        "calls": len(server.calls),
    }
    with capsys.disabled():
        print(f"\nkill test: {json.dumps(tally)}")


def _check(writer, people, rich, server):
    wanted = sum(writer.wanted.values())
    assert wanted > 0
    assert list_member_ids(rich) == set(people)
    entries = list(CampaignEntry.objects.exclude(reason="past").order_by("pk"))  # of history nothing is done
    qualifying = set(
        Activity.objects.filter(activity_type_id__gte=100_000, attributes__amount__gt=1000, flags=0).values_list(
            "pk", flat=True
        )
    )
    assert Activity.objects.filter(flags=1).exists()
    assert Counter(one.activity_id for one in entries) == Counter(qualifying) and len(qualifying) == wanted
    assert {one.state for one in entries} == {"done"}
    assert Counter(StepOutcome.objects.values_list("entry_id", flat=True)) == Counter({one.pk: 3 for one in entries})
    from people.models import Person

    assert dict(Person.objects.values_list("pk", "person_score")) == dict(writer.wanted)
    deliveries = list(WebhookDelivery.objects.order_by("pk"))
    assert {one.state for one in deliveries} == {"delivered"} and len(deliveries) == wanted
    first_seen: dict[int, list[str]] = {}
    person_of = {str(one.key): one.person_id for one in deliveries}
    for _path, headers, _body in server.calls:
        seen = first_seen.setdefault(person_of[headers["webhook-id"]], [])
        if headers["webhook-id"] not in seen:
            seen.append(headers["webhook-id"])
    for person_id in people:
        assert first_seen[person_id] == [str(one.key) for one in deliveries if one.person_id == person_id]


@pytest.mark.slow
def test_a_second_dispatcher_stands_by():
    from people.core.db import locks

    with locks.try_session_lock(locks.LockSpace.DISPATCHER, 0) as is_mine:
        assert is_mine
        before = others_connected()  # those of killed processes may still be there
        process = Process(("dispatch",), "")
        try:
            approved_type()
            make_active_campaign(add_to_list_step(make_static_list()))
            record_rows(new_activity(make_person().pk, occurred_at=datetime.now(UTC)))
            assert eventually(lambda: others_connected() - before)
            time.sleep(1.5)
            assert not CampaignEntry.objects.exists()
        finally:
            process.process.terminate()
            assert process.process.wait(20) == 0


def test_pausing_and_steps_at_the_same_moment_hold_each_other_up_and_no_longer():
    from smartlists.campaigns import dispatcher
    from smartlists.campaigns import lifecycle as campaign_lifecycle
    from tests.activities.recording.test_races import InThread

    approved_type()
    made = make_active_campaign(
        add_to_list_step(make_static_list()), {"do": "change_field", "field": "person_score", "by": "1"}
    )
    people = [make_person().pk for _number in range(20)]

    def turn():
        for _turn in range(6):
            campaign_lifecycle.pause_campaign(made, None)
            campaign_lifecycle.activate_campaign(made, None)

    turning = InThread(turn)
    for _round in range(6):
        record_rows(*(new_activity(pk, occurred_at=datetime.now(UTC)) for pk in people))
        dispatcher.process_due_work()
    turning.result()
    dispatcher.process_all_due_work()
    assert set(CampaignEntry.objects.values_list("state", flat=True)) <= {"done", "skipped"}
