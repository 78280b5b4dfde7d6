"""The counts per type and day equal those of the log, whatever happened to the log."""

import threading
from datetime import date, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.log import intervals, rollup
from activities.log import reports as log_reports
from activities.log.digest import digest_sql
from activities.models import Activity, DailyCount, SeenValue
from activities.recording.recorder import record_activities
from people.core import installation
from people.core.models import Installation
from people.privacy import erasure
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows
from tests.hypothesis_profiles import examples

pytestmark = pytest.mark.django_db


@pytest.fixture
def committed(monkeypatch):
    """The mark as it would be, were what the test's one transaction recorded committed."""

    def sequence_value():
        with connection.cursor() as cursor:
            cursor.execute("select last_value from activity_id_seq")
            return cursor.fetchone()[0]

    monkeypatch.setattr(rollup, "high_water_mark", sequence_value)


FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)


def remove(reason, *ids):
    """Take rows out of the log as erase, retention and merge do."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""insert into activity_removal (activity_id, person_id, activity_type_id, recorded_at, reason, digest)
            select id, person_id, activity_type_id, recorded_at, %s, {digest_sql()} from activity a where id = any(%s)""",
            [reason, list(ids)],
        )
        cursor.execute("delete from activity where id = any(%s)", [list(ids)])


def counts(activity_type):
    return {str(day): count for day, count in rollup.daily_counts([activity_type.pk], FIRST, LAST).items() if count}


def test_each_activity_is_counted_once_on_the_day_it_occurred(committed):
    check, ann = approved_type(), make_person()
    record_rows(
        new_activity(ann.pk, occurred_at="2026-11-20T23:30:00Z"), new_activity(ann.pk, occurred_at="2026-11-20")
    )
    rollup.catch_up_rollup()
    record_rows(new_activity(ann.pk, occurred_at="2026-01-05"))
    rollup.catch_up_rollup()
    rollup.catch_up_rollup()
    assert counts(check) == {"2026-11-20": 2, "2026-01-05": 1}
    assert rollup.rollup_differences() == []


def test_days_are_those_of_the_installation_also_after_it_moved(committed):
    check, ann = approved_type(), make_person()
    record_rows(new_activity(ann.pk, occurred_at="2026-11-20T23:30:00Z"))
    rollup.catch_up_rollup()
    Installation.objects.update_or_create(id=1, defaults={"time_zone": "Europe/Madrid"})
    installation.clear_installation_cache()
    rollup.catch_up_rollup()
    assert counts(check) == {"2026-11-21": 1}
    assert rollup.rollup_differences() == []


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("Atlantic/Azores", "2025-10-26T00:00:00Z"),  # shown twice
        ("America/Asuncion", "2024-03-24T03:00:00Z"),  # the hour before it is shown twice
        ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),  # skipped
    ],
)
def test_days_counted_again_begin_where_days_begin_when_the_clocks_change_at_midnight(committed, zone, midnight):
    Installation.objects.update_or_create(id=1, defaults={"time_zone": zone})
    installation.clear_installation_cache()
    approved_type()
    ann, change = make_person(), datetime.fromisoformat(midnight)
    minutes = (-61, -60, -59, -30, -1, 0, 1, 30, 59, 60, 61, 90)
    outcomes = record_rows(
        *(new_activity(ann.pk, occurred_at=(change + timedelta(minutes=number)).isoformat()) for number in minutes)
    )
    rollup.catch_up_rollup()
    remove("retention", outcomes[0].activity_id)
    rollup.catch_up_rollup()
    assert rollup.rollup_differences() == []


@settings(max_examples=examples(10, 100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_recorded_removed_and_read_in_between_counts_stay_exact(committed, data):
    from django.db import transaction

    moments = ["2026-03-01T00:00:00Z", "2026-03-01T23:59:59Z", "2026-03-02T00:00:00Z", "2026-07-04T12:00:00Z"]
    with transaction.atomic():
        approved_type()
        ann = make_person()
        for _step in range(data.draw(st.integers(1, 6))):
            what = data.draw(st.sampled_from(["record", "remove", "read", "rebuild"]))
            if what == "record":
                record_rows(*(new_activity(ann.pk, occurred_at=data.draw(st.sampled_from(moments))) for _ in range(3)))
            elif what == "remove" and (ids := list(Activity.objects.values_list("pk", flat=True))):
                remove("retention", *data.draw(st.lists(st.sampled_from(ids), max_size=4, unique=True)))
            else:
                rollup.rebuild_rollup() if what == "rebuild" else rollup.catch_up_rollup()
        rollup.catch_up_rollup()
        assert rollup.rollup_differences() == []
        assert sum(DailyCount.objects.values_list("count", flat=True)) == Activity.objects.count()
        transaction.set_rollback(True)


def test_an_activity_that_commits_late_is_counted_once(transactional_db):
    check, ann = approved_type(), make_person()
    taken, go_on = threading.Event(), threading.Event()

    def record_slowly():
        from django.db import transaction

        try:
            with transaction.atomic():
                record_rows(new_activity(ann.pk, occurred_at="2026-11-20"))
                taken.set()
                go_on.wait(10)
        finally:
            connection.close()

    slow = threading.Thread(target=record_slowly)
    slow.start()
    taken.wait(10)
    record_rows(new_activity(ann.pk, occurred_at="2026-11-21"))
    rollup.catch_up_rollup()
    assert counts(check) == {}
    go_on.set()
    slow.join()
    rollup.catch_up_rollup()
    assert counts(check) == {"2026-11-20": 1, "2026-11-21": 1}


def test_values_of_short_text_fields_are_suggested_the_frequent_ones_first(committed):
    check, ann = approved_type(), make_person()
    rows = [new_activity(ann.pk, primary_value=value, branch="Ávila") for value in ("No. 2", "No. 1", "No. 1", "<b>")]
    record_rows(*rows, new_activity(ann.pk, primary_value="other no. 3", amount="12"))
    rollup.catch_up_rollup()
    assert rollup.suggest_values(check.pk, "check", "NO") == ["No. 1", "No. 2", "other no. 3"]
    assert rollup.suggest_values(check.pk, "branch", "áv") == ["Ávila"]
    assert rollup.suggest_values(check.pk, "amount") == []


def test_addresses_and_titles_of_visited_pages_are_suggested(committed):
    ann = make_person()
    values = {"url": "https://example.com/pricing?a=1", "page_title": "Prices", "query": "a=1"}
    visit = new_activity(ann.pk, "visitWebPage", primary_value="example.com/pricing", **values)
    record_activities([visit], MARKETO, may_record={1})
    rollup.catch_up_rollup()
    assert rollup.suggest_values(1, "url", "pricing") == [values["url"]]
    assert rollup.suggest_values(1, "page_title", "pri") == ["Prices"]
    assert rollup.suggest_values(1, "query") == []
    rollup.forget_values(Activity.objects.get(activity_type_id=1))
    assert rollup.suggest_values(1, "page_title") == [] == rollup.suggest_values(1, "url")


def test_only_the_most_frequent_values_are_kept(committed, monkeypatch):
    monkeypatch.setattr(rollup, "VALUES_PER_FIELD", 2)
    check, ann = approved_type(), make_person()
    record_rows(*(new_activity(ann.pk, primary_value=value) for value in "aabbbc"))
    rollup.catch_up_rollup()
    assert rollup.suggest_values(check.pk, "check") == ["b", "a"]


def test_what_an_erased_person_said_is_suggested_no_more(committed):
    check, ann, bob = approved_type(), make_person(), make_person()
    record_rows(new_activity(ann.pk, primary_value="Ann's cheque", branch="Her street"))
    record_rows(new_activity(bob.pk, primary_value="kept"))
    rollup.catch_up_rollup()
    erasure.erase_people([ann.pk], None, MARKETO)
    remove("merge", Activity.objects.get(primary_value="kept").pk)
    assert rollup.suggest_values(check.pk, "check") == ["kept"]
    assert rollup.suggest_values(check.pk, "branch") == []


def test_names_of_deleted_people_and_changed_values_are_not_suggested(committed):
    from activities.recording import recorder
    from activities.recording import rows as recording_rows
    from people.core.source import Channel, Source

    ann = make_person(first_name="Ann")
    row = recording_rows.NewActivity(ann.pk, 37, "2026-11-20", "Ann Example", [])
    recorder.record_activities([row], Source(Channel.SYSTEM), may_record=frozenset({37}))
    rollup.catch_up_rollup()
    assert not SeenValue.objects.filter(activity_type_id=37).exists()
    assert not SeenValue.objects.exclude(field="attribute_name").filter(activity_type_id__lt=100).exists()


def test_the_command_says_what_is_wrong_and_mends_it(committed, capsys):
    check, ann = approved_type(), make_person()
    record_rows(new_activity(ann.pk))
    call_command("rollup")
    DailyCount.objects.filter(activity_type_id=check.pk).update(count=7)
    with pytest.raises(CommandError, match="1 days are wrong"):
        call_command("rollup", "--check")
    call_command("rollup", "--rebuild")
    call_command("rollup", "--check")
    assert "what the log says" in capsys.readouterr().out


def test_last_seen_is_of_the_latest_activity():
    check, ann = approved_type(), make_person()
    assert rollup.last_occurrences([check.pk]) == {}
    record_rows(new_activity(ann.pk, occurred_at="2026-11-20"), new_activity(ann.pk, occurred_at="2026-01-05"))
    assert rollup.last_occurrences([check.pk])[check.pk].date() == date(2026, 11, 20)


@pytest.mark.parametrize("week_starts_on", [0, 6])
@pytest.mark.parametrize("interval", intervals.INTERVALS)
def test_intervals_of_the_database_are_those_of_the_page(interval, week_starts_on):
    Installation.objects.update_or_create(defaults={"week_starts_on": week_starts_on})
    check, first = approved_type(), date(2025, 12, 20)
    days = [first + timedelta(days=7 * number + number % 5) for number in range(60)]
    DailyCount.objects.bulk_create(
        DailyCount(activity_type_id=check.pk, day=day, count=number + 1) for number, day in enumerate(days)
    )
    every = {first + timedelta(days=number): 0 for number in range((days[-1] - first).days + 1)}
    every |= {day: number + 1 for number, day in enumerate(days)}
    found = rollup.interval_counts([check.pk], first, days[-1], interval)
    assert found == intervals.group_by_interval(every.items(), interval)
    assert rollup.activity_count([check.pk], first, days[-1]) == sum(count for _start, count in found)


def test_all_time_costs_what_it_shows_not_its_days(client, admin_user):
    """One activity of the year 1000: every page about the type is as short as its chart."""
    check = approved_type()
    for day in (date(1000, 1, 1), date(2026, 11, 2)):
        DailyCount.objects.create(activity_type_id=check.pk, day=day, count=3)
    client.force_login(admin_user)
    reply = client.get(f"/admin/activities/activitytype/{check.pk}/change/?days=all")
    assert reply.status_code == 200 and len(reply.context["points"]) == 1027 and reply.context["total"] == 6
    assert len(rollup.daily_counts([check.pk], date(1000, 1, 1), date(2026, 11, 29))) == 2
    scope = log_reports.ReportScope(date(1960, 1, 1), date(2026, 11, 29))
    assert (
        len(log_reports.activity_trend(check, scope)) == 1
        and log_reports.count_activities_to_read([check.pk], scope) == 3
    )
