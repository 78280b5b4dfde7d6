"""What the doctor and the probes say, of a healthy installation and of ill ones."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from config import doctor

pytestmark = pytest.mark.django_db


def execute(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def found(check):
    return {finding.check: finding for finding in doctor.examine()}[check]


def test_the_guards_are_all_that_a_new_database_has():
    with connection.cursor() as cursor:
        cursor.execute(
            "select tgrelid::regclass::text, tgname from pg_trigger where not tgisinternal and tgname not like 'procrastinate%%'"
        )
        assert set(cursor.fetchall()) == doctor.GUARDS


def test_a_disabled_guard_makes_it_unready_and_only_administrators_learn_why(client):
    assert found("guards").is_well and client.get("/readyz").text == "ready\n"
    execute("alter table activity disable trigger activity_is_never_updated")
    assert "activity_is_never_updated" in found("guards").says
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
    assert "silent for 5 min" in found("worker").says


def test_a_job_that_waits_too_long_and_one_that_failed_are_said():
    assert found("queue").is_well
    execute("insert into procrastinate_jobs (task_name, queue_name, status) values ('x', 'default', 'todo')")
    assert found("queue").is_well
    execute("update procrastinate_events set at = now() - interval '20 min'")
    assert "has waited 20 min" in found("queue").says


def test_a_secret_that_others_can_read_is_said(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    (tmp_path / "secret_key").write_text("x")
    (tmp_path / "secret_key").chmod(0o644)
    assert "chmod 600" in found("secret key").advice


def test_the_command_tells_all_and_its_exit_code_the_truth(capsys):
    with pytest.raises(SystemExit):
        call_command("doctor", "--deep")
    said = capsys.readouterr().out
    assert "NOT OK  worker" in said and "ok      digests" in said and "→ start it" in said


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_for_everybody_and_load_nothing(client, path):
    reply = client.get(path)
    assert reply.status_code == 200
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'; base-uri")


def test_pages_may_load_their_own_scripts_only(client):
    policy = client.get("/admin/login/").headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval';" in policy and "frame-ancestors 'none'" in policy


def test_behind_tls_the_deployment_checks_find_nothing():
    environment = os.environ | {"HTTPS": "1", "TRUST_PROXY": "1", "ALLOWED_HOSTS": "ca.example.com"}
    environment["TEST_DATABASE_NAME"] = connection.settings_dict["NAME"]
    environment.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)  # of the browser tests
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"], cwd=settings.BASE_DIR, text=True,
        env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
