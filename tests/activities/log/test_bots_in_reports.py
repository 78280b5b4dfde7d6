"""Charts and reports leave bots out unless they are to count them; page, API and file agree."""

import csv
import io
from datetime import date, timedelta
from importlib import import_module

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.urls import reverse
from django.utils import timezone

from activities.log import reader as log_reader
from activities.log import reports as log_reports
from activities.log import rollup
from activities.log.columns import builder
from activities.log.reports import ReportScope
from activities.models import ActivityType, DailyCount, LogPosition
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from smartlists.lists.report_questions import ReportQuestion
from tests.api.conftest import Api
from tests.factories import CHECK_FIELDS, ActivityFieldSpec, approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 20)
HUMANS, ALL = (ReportScope(DAY, DAY, without_bots=without) for without in (True, False))


@pytest.fixture(autouse=True)
def whole_log(own_rows_read, monkeypatch):
    monkeypatch.setattr(rollup, "high_water_mark", log_reader.high_water_mark)


@pytest.fixture
def checks():
    """Ann did it twice and a bot with her address once; Bob is a bot; the films are not marked."""
    made = approved_type(fields=(*CHECK_FIELDS, ActivityFieldSpec("is_bot", "Is Bot", "boolean")))
    films = approved_type("Rate Film", "rateFilm")
    ann, bob = make_person().pk, make_person().pk
    rows = [(ann, {"is_bot": False}), (ann, {}), (ann, {"is_bot": True}), (bob, {"is_bot": True})]
    record_rows(*(new_activity(person, branch="North", **values) for person, values in rows))
    record_rows(*(new_activity(person, "rateFilm", "2026-11-20T11:00:00Z") for person in (ann, bob)))
    return made, films, ann, bob


def figures(made, films, scope, people=None):
    branch = made.approved_fields.get(api_name="branch")
    scoped = ReportScope(scope.first, scope.last, people, without_bots=scope.without_bots)
    groups = log_reports.value_breakdown(made, branch, scoped)
    return {
        "trend": [count for _day, count in log_reports.activity_trend(made, scoped)],
        "films": [count for _day, count in log_reports.activity_trend(films, scoped)],
        "split": [row[3] for row in log_reports.value_trend(made, branch, scoped)],
        "breakdown": [(group.value, group.count, group.people) for group in groups],
        "people": [(person, count) for person, count, _latest in log_reports.top_people(made, scoped)],
        "funnel": [step.people for step in log_reports.people_funnel([made, films], scoped)],
    }


def test_sql_columns_and_rollup_agree(checks, column_index):
    made, films, ann, bob = checks
    humans = {"trend": [2], "films": [2], "split": [2], "breakdown": [("North", 2, 1)], "people": [(ann, 2)]}
    everything = {"trend": [4], "films": [2], "split": [4], "breakdown": [("North", 4, 2)]}
    expected = {
        HUMANS: humans | {"funnel": [1, 1]},
        ALL: everything | {"people": [(ann, 3), (bob, 1)], "funnel": [2, 2]},
    }
    rollup.catch_up_rollup()
    for is_built in (False, True):
        if is_built:
            builder.build_index()
        for scope, found in expected.items():
            assert figures(made, films, scope) == found
            assert figures(made, films, scope, [ann, bob]) == found
    assert rollup.rollup_differences() == []
    DailyCount.objects.update(bots=0)
    (difference,) = rollup.rollup_differences()
    assert (difference.activity_type_id, difference.stored, difference.in_log) == (made.pk, 4, 4)
    assert (difference.stored_bots, difference.bots_in_log) == (0, 2)
    with pytest.raises(CommandError, match="1 days are wrong"):
        call_command("rollup", "--check", stderr=(said := io.StringIO()))
    assert "4 stored, 4 in the log; of bots 0 stored, 2 in the log" in said.getvalue()
    rollup.rebuild_rollup()
    assert rollup.rollup_differences() == []


def test_bots_are_counted_by_the_first_run_of_this_version_and_again_when_the_upgrade_is_over(checks):
    rollup.catch_up_rollup()
    migration = MigrationRecorder.Migration.objects.filter(app="activities", name=rollup._COUNTS_BOTS)

    def wrong_after(is_old_still_there, migrated_before):
        """Reports of an older process have no bots; it takes queued ones, too."""
        migration.update(applied=timezone.now() - migrated_before)
        if is_old_still_there:
            DailyCount.objects.update(bots=0)
        rollup.catch_up_rollup()
        return rollup.rollup_differences() != []

    DailyCount.objects.update(bots=0)
    with connection.cursor() as cursor:
        cursor.execute(import_module(f"activities.migrations.{rollup._COUNTS_BOTS}").RECOUNT)
    rollup.catch_up_rollup()
    assert rollup.rollup_differences() == [], "as the migration does it"
    LogPosition.objects.filter(name=rollup.BOTS).delete()
    hour = timedelta(hours=1)
    assert not wrong_after(True, hour), "the first run of this version"
    assert wrong_after(True, 2 * hour), "not every run reads the log again"
    LogPosition.objects.filter(name=rollup.BOTS).update(read_at=timezone.now() - rollup.UPGRADE_LASTS)
    assert not wrong_after(False, rollup.UPGRADE_LASTS + hour), "the upgrade is over"
    assert wrong_after(True, 2 * rollup.UPGRADE_LASTS), "once"


def test_a_question_without_bots_is_stored_apart(checks):
    question = ReportQuestion("people", (1,), DAY, DAY, field=3, value="x", without_bots=True)
    assert ReportQuestion.load(question.dump()) == question
    plain = ReportQuestion("people", (1,), DAY, DAY, field=3, value="x")
    assert ReportQuestion.load(plain.dump()) == plain
    assert question.dump() != plain.dump()


def test_page_file_and_api_say_the_same(checks, client, admin_user):
    made, films, _ann, _bob = checks
    rollup.catch_up_rollup()
    client.force_login(admin_user)
    made_client = client_editing.create_client("Core", admin_user, None, client_editing.grantable_rights()).client
    api = Api(client, tokens.issue_token(made_client).text)
    period = "since=2026-11-20&until=2026-11-20"
    for text, number, words in (("", 2, "Counted without bots."), ("include", 4, "Counted with bots.")):
        address = f"{reverse('reports')}?report=trend&type={made.pk}&{period}&bots={text}"
        page = client.get(address).content.decode()
        assert words in page
        assert 'id="id_bots"' in page
        rows = list(csv.reader(io.StringIO(client.get(f"{address}&format=csv").getvalue().decode("utf-8-sig"))))
        asked = f"reports/figures?report=trend&type=depositCheck&{period}&bots={text or 'exclude'}"
        reply = api.get(asked).json()
        assert [int(row[1]) for row in rows[1:]] == [row[1] for row in reply["rows"]] == [number]
        assert reply["bots"] == (text or "exclude")
        overview = client.get(
            reverse("admin:activities_activitytype_change", args=[made.pk]) + f"?days=all&bots={text}"
        )
        assert overview.context["span"].total == number
    page = client.get(f"{reverse('reports')}?report=trend&type={films.pk}&{period}").content.decode()
    assert "Counted with" not in page
    assert 'id="id_bots"' not in page
    assert api.get(f"reports/figures?report=trend&type=rateFilm&{period}").json()["bots"] is None
    assert api.get(f"reports/figures?report=trend&type=depositCheck&{period}&bots=some").status_code == 400
    assert ActivityType.objects.filter(pk=made.pk).exists()
