"""Findings of the doctor and the probes, in a healthy installation and in ill ones."""

import inspect
import os
import subprocess
import sys
from datetime import timedelta
from importlib import import_module
from unittest.mock import Mock

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from activities.log import rollup
from activities.models import ActivityDay
from config.operations import doctor
from config.operations.findings import Finding
from people.core import maintenance
from people.core.source import SYSTEM
from people.lists import static_lists
from tests.factories import make_person

pytestmark = pytest.mark.django_db


def execute(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def found(check):
    return {finding.check: finding for finding in doctor.run_checks()}[check]


def test_the_guards_are_all_that_a_new_database_has():
    with connection.cursor() as cursor:
        cursor.execute(
            """select tgrelid::regclass::text, tgname from pg_trigger where not tgisinternal
            and tgname not like 'procrastinate%%' and tgrelid::regclass::text not like 'pg_dist_%%'"""
        )
        assert set(cursor.fetchall()) == doctor.GUARDS


def test_a_disabled_guard_makes_it_unready_and_only_administrators_learn_why(client):
    assert found("guards").is_well and client.get("/readyz").text == "ready\n"
    execute("alter table activity disable trigger activity_is_never_updated")
    execute("drop trigger users_are_never_deleted on access_user")
    advice = found("guards").advice
    assert "ALTER TABLE activity ENABLE TRIGGER activity_is_never_updated" in advice
    assert "create users_are_never_deleted as manage.py sqlmigrate access 0003" in advice
    reply = client.get("/readyz")
    assert (reply.status_code, reply.text) == (503, "not ready\n")
    client.force_login(get_user_model().objects.create_superuser("vera"))
    assert "activity_is_never_updated" in client.get("/readyz").text


def test_a_migration_that_is_missing_is_said():
    execute("delete from django_migrations where id = (select max(id) from django_migrations where app = 'activities')")
    assert "migrate" in found("migrations").advice


def test_a_worker_that_is_silent_is_missed():
    assert not found("worker").is_well
    execute("insert into procrastinate_workers (last_heartbeat) values (%s)", timezone.now())
    assert found("worker").is_well
    execute("update procrastinate_workers set last_heartbeat = %s", timezone.now() - timedelta(minutes=5))
    assert "silent for 5 min" in found("worker").state


def test_a_job_that_waits_too_long_and_one_that_failed_are_said():
    assert found("queue").is_well
    execute("insert into procrastinate_jobs (task_name, queue_name, status) values ('x', 'default', 'todo')")
    assert found("queue").is_well
    execute("update procrastinate_events set at = now() - interval '20 min'")
    assert "has waited 20 min" in found("queue").state


def test_a_secret_that_others_can_read_is_said(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    (tmp_path / "secret_key").write_text("x")
    (tmp_path / "secret_key").chmod(0o644)
    assert "chmod 600" in found("secret key").advice


def test_an_index_that_is_missing_invalid_or_unused_is_said(monkeypatch):
    assert found("indexes").is_well
    monkeypatch.setattr(doctor, "MANY_SCANS", -1)
    monkeypatch.setattr(doctor, "BIG_TABLE", -2)
    monkeypatch.setattr(doctor, "INDEXES", doctor.INDEXES | {"never_used"})
    execute("create index never_used on measurement (value)")
    assert "never_used is never used" in found("indexes").state and "ANALYZE" in found("indexes").advice
    execute("drop index activity_person_occurred")
    assert "missing: activity_person_occurred" in found("indexes").state
    assert "sqlmigrate activities 000" in found("indexes").advice


def test_ids_that_are_in_use_or_taken_in_advance_are_said():
    assert found("ids").is_well
    make_person(), make_person()
    execute("alter sequence person_id_seq restart with 1")
    assert "people have" in found("ids").state and "--after-recovery" in found("ids").advice
    execute("alter sequence activity_id_seq cache 10")
    assert "CACHE 1" in found("ids").advice


def test_every_index_of_the_log_is_looked_for():
    with connection.cursor() as cursor:
        cursor.execute(
            "select indexname from pg_indexes where tablename in ('activity', 'activity_key', 'activity_removal')"
        )
        assert {name for (name,) in cursor.fetchall()} <= doctor.INDEXES
        cursor.execute("select indexname from pg_indexes")
        assert {name for (name,) in cursor.fetchall()} >= doctor.INDEXES


def test_a_table_with_people_that_erase_does_not_know_is_said():
    assert found("registry").is_well
    execute("create table survey (id int, person_id int)")
    assert "survey.person_id" in found("registry").state and "people.core.personal_data" in found("registry").advice


def test_clocks_that_differ_and_a_full_disk_are_said(monkeypatch):
    assert found("clock").is_well
    with time_machine.travel(timezone.now() + timedelta(minutes=3), tick=False):
        assert "NTP" in found("clock").advice
    monkeypatch.setattr(doctor.probes, "disk_space", lambda place: (1024**3, 100 * 1024**3))
    assert "1.0 of 100 GiB free" in found("disk").state and "make room" in found("disk").advice


def test_a_log_that_was_altered_is_said_by_its_digests():
    ActivityDay.objects.create(day=timezone.now().date(), count=3, digest=7)
    assert "0 of 3 activities" in found("digests").state and "restore" in found("digests").advice
    assert found("closed days").is_well
    execute("alter table activity_day disable trigger user")
    ActivityDay.objects.update(day=timezone.now().date() - timedelta(days=5))
    assert "--close" in found("closed days").advice


def test_backups_that_have_stopped_are_said():
    assert found("backup").is_well
    maintenance.record_maintenance(maintenance.MaintenanceRun.BACKUP, "/backups/tonight")
    assert "/backups/tonight" in found("backup").state and found("backup").is_well
    maintenance.MaintenanceRun.objects.update(done_at=timezone.now() - timedelta(days=9))
    assert "take one" in found("backup").advice


def test_counts_that_are_behind_are_said():
    assert "worker" in found("counts").advice
    rollup.catch_up_rollup()
    assert found("counts").is_well


def test_the_command_tells_all_and_its_exit_code_the_truth(capsys):
    with pytest.raises(SystemExit):
        call_command("doctor", "--deep")
    said = capsys.readouterr().out
    assert "NOT OK  worker" in said and "ok      digests" in said and "→ start it" in said


def test_the_checks_are_system_checks_of_django_with_an_id_each(monkeypatch, settings, capsys):
    monkeypatch.setattr(checks.registry.registry, "registered_checks", set(checks.registry.registry.registered_checks))
    with pytest.raises(SystemCheckError) as problems:
        call_command("check", "--tag", "doctor", "--database", "default")
    said = str(problems.value)
    assert "(doctor.worker) none has given a sign of life" in said and "doctor.guards" not in said
    assert "HINT: start it: python manage.py worker" in said
    call_command("check", "--tag", "doctor")
    assert "no issues" in capsys.readouterr().out, "without a database it is not asked"
    checks.registry.registry.registered_checks.clear()
    call_command("check", "--tag", "doctor", "--at-start")
    faults = {fault.id for fault in checks.run_checks(tags=["doctor"], databases=["default"])}
    assert not faults & {"doctor.worker", "doctor.counts"}, "with --at-start the worker is about to start, too"
    checks.registry.registry.registered_checks.clear()
    capsys.readouterr()
    settings.SILENCED_SYSTEM_CHECKS = [finding.id for finding in doctor.run_checks() if not finding.is_well]
    call_command("check", "--tag", "doctor", "--database", "default")
    assert "no issues" in capsys.readouterr().out


def test_other_commands_do_not_run_them():
    """`migrate` runs all system checks with the database, and must not stop at what it is there to mend."""
    assert not checks.tag_exists("doctor", include_deployment_checks=True)


def test_what_stops_one_check_stops_no_other(monkeypatch):
    def without_its_table():
        with transaction.atomic():
            execute("select from no_such_table")

    monkeypatch.setattr(doctor, "CHECKS", (without_its_table, doctor.check_migrations))
    first, *others = doctor.run_checks()
    assert (first.check, first.state) == ("without its table", 'relation "no_such_table" does not exist')
    assert [finding.check for finding in others] == ["migrations", "digests"]


def test_a_database_that_is_away_is_said(monkeypatch):
    monkeypatch.setattr(
        connection, "ensure_connection", Mock(side_effect=OperationalError("connection refused\nIs it?"))
    )
    (finding,) = doctor.run_checks()
    assert finding.state == "connection refused" and "DATABASE_URL" in finding.advice


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_for_everybody_and_load_nothing(client, path):
    reply = client.get(path)
    assert reply.status_code == 200
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'; base-uri")


def test_pages_may_load_their_own_scripts_only(client):
    policy = client.get("/admin/login/").headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval';" in policy and "frame-ancestors 'none'" in policy
    assert "report" not in policy


@pytest.mark.parametrize(
    "path", ["/rest/v1/leads.json?filterType=id&filterValues=1", "/api/v1/people", "/admin/", "/metrics"]
)
def test_nobody_on_the_way_keeps_an_answer(client, path):
    assert "no-store" in client.get(path).headers["Cache-Control"]


def test_what_browsers_refuse_is_reported_where_the_operator_says(client, settings):
    settings.CSP_REPORT_URI = "https://reports.example.com/csp"
    page, data = client.get("/admin/login/").headers, client.get("/healthz").headers
    assert page["Content-Security-Policy"].endswith("; report-uri https://reports.example.com/csp; report-to csp")
    assert page["Reporting-Endpoints"] == 'csp="https://reports.example.com/csp"'
    assert "report" not in data["Content-Security-Policy"] and "Reporting-Endpoints" not in data
    settings.CSP_REPORT_URI = "http://reports.internal/csp"
    page = client.get("/admin/login/").headers
    assert page["Content-Security-Policy"].endswith("; report-uri http://reports.internal/csp")
    assert "Reporting-Endpoints" not in page


@pytest.mark.slow
def test_behind_tls_the_deployment_checks_find_nothing():
    environment = os.environ | {"HTTPS": "1", "TRUST_PROXY": "1", "ALLOWED_HOSTS": "ca.example.com"}
    environment["TEST_DATABASE_NAME"] = connection.settings_dict["NAME"]
    environment.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)  # of the browser tests
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=settings.BASE_DIR,
        text=True,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_a_dispatcher_that_is_silent_is_missed_once_a_campaign_is_active():
    from smartlists.campaigns import dispatcher
    from tests.factories import approved_type
    from tests.smartlists.campaign_factories import add_to_list_step, make_active_campaign, make_static_list

    assert found("dispatcher").is_well
    approved_type()
    make_active_campaign(add_to_list_step(make_static_list()))
    execute("update log_position set read_at = %s where name = 'campaigns'", timezone.now() - timedelta(minutes=5))
    assert "nobody reads the log for them since 5 min" in found("dispatcher").state
    assert "dispatch" in found("dispatcher").advice
    dispatcher.process_all_due_work()
    assert found("dispatcher").is_well


def test_counts_that_are_not_what_a_recount_says_are_found_when_everything_is_read():
    ann, kept = make_person(), static_lists.create_static_list("Kept", None)
    static_lists.add_members(kept, [ann.pk], SYSTEM)
    for check in ("people counted", "lists counted"):
        assert check not in {finding.check for finding in doctor.run_checks()}
        assert deeply(check).is_well
    execute("insert into person_count (people) values (3)")
    execute("insert into static_list_count (static_list_id, people) values (%s, -4)", kept.pk)
    advice = deeply("people counted").advice, deeply("lists counted").advice
    assert "by +3" in deeply("people counted").state
    assert f"list {kept.pk} has 1, stored are -3" in deeply("lists counted").state
    for statement in advice:
        execute("insert" + statement.partition("insert")[2])
    for check in ("people counted", "lists counted"):
        assert deeply(check).is_well


def deeply(check):
    return {finding.check: finding for finding in doctor.run_checks(deep=True)}[check]


def test_every_check_is_run():
    """Whatever module has it: a function that gives a finding is among those that are run."""
    names = ("doctor", "kept_counts", "collector_check", "intake_check", "object_doubles")
    modules = [import_module(f"config.operations.{name}") for name in names]
    checks_there = {
        function
        for module in modules
        for name, function in vars(module).items()
        if not name.startswith("_")
        and inspect.isfunction(function)
        and function.__annotations__.get("return") is Finding
    }
    assert checks_there == {*doctor.CHECKS, *doctor.DEEP, doctor.check_last_digest, doctor.check_room}
