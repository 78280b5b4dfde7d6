"""Reports from the column index equal those from the database: every report, field, zone and group of people."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from activities.log import reports
from activities.log.columns import among, builder
from activities.log.columns import reports as column_reports
from activities.models import ApprovedField
from activities.types.definition import ActivityFieldSpec
from people.core import installation
from people.core.errors import RejectedError
from people.core.models import Installation
from people.persons import deletion, merge
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows

pytestmark = [pytest.mark.django_db, pytest.mark.one_server("the column index is off on a cluster")]

FIELDS = (
    ActivityFieldSpec("label", "Label", is_primary=True),
    ActivityFieldSpec("city", "City"),
    ActivityFieldSpec("amount", "Amount", "currency"),
    ActivityFieldSpec("seats", "Seats", "integer"),
    ActivityFieldSpec("share", "Share", "float"),
    ActivityFieldSpec("paid", "Paid", "boolean"),
    ActivityFieldSpec("due", "Due", "date"),
    ActivityFieldSpec("called", "Called", "datetime"),
)
VALUES = {
    "city": ("Lyon", "lyon", "LYON", "Évora", "évora", "Zug", "a'b", "Ω"),
    "amount": ("1.50", "2", "-3.25", "899999999999999.9999", "10"),
    "seats": (0, -2, 9, 10, 2**40),
    "share": (0.1, 2.5, -1e-7, 1e20),
    "paid": (True, False),
    "due": ("2026-02-28", "1931-05-05"),
    "called": ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z"),
}
# clocks that skip midnight, repeat it, repeat the hour before it, and are off by three quarters of an hour
ZONES = {
    "UTC": datetime(2026, 3, 1, tzinfo=UTC),
    "America/Sao_Paulo": datetime(2018, 11, 4, 3, tzinfo=UTC),
    "Atlantic/Azores": datetime(2025, 10, 26, tzinfo=UTC),
    "America/Asuncion": datetime(2024, 3, 24, 3, tzinfo=UTC),
    "Asia/Kathmandu": datetime(1985, 12, 31, 18, 15, tzinfo=UTC),
}


def rows(chance, people, activity_type, around, number):
    for _row in range(number):
        moment = around + timedelta(minutes=chance.choice((0, 1, -1, 29, 30, 59, 60, 61, 600, -600, 1440, 5000)))
        moment += timedelta(microseconds=chance.choice((0, 0, 1, -1)))
        values = {name: chance.choice(VALUES[name]) for name in VALUES if chance.random() < 0.7}
        label = chance.choice(("A", "a", "B", "b", "C", "d", "E", "f", "G", "h", "i"))
        yield new_activity(chance.choice(people), activity_type.api_name, moment.isoformat(), label, **values)


def every_report(check, second, scope):
    fields = {field.api_name: field for field in ApprovedField.objects.filter(activity_type=check)}
    totals = [None, fields["amount"], fields["seats"]]
    return {
        "top": reports.top_people(check, scope),
        "funnel": [step.people for step in reports.people_funnel([check, second, check], scope)],
        **{f"split {name}": reports.value_trend(check, field, scope) for name, field in fields.items()},
        **{
            f"breakdown {name} {total and total.api_name}": [
                (group.value, group.count, group.people, group.total)
                for group in reports.value_breakdown(check, field, scope, total)
            ]
            for name, field in fields.items()
            for total in totals
        },
        **({"trend": reports.activity_trend(check, scope)} if scope.people is not None else {}),
    }


@pytest.mark.parametrize("zone", ZONES)
def test_every_report_is_equal_from_both(column_index, own_rows_read, settings, monkeypatch, zone):
    Installation.objects.create(time_zone=zone)
    installation.clear_installation_cache()
    chance = Random(zone)
    monkeypatch.setattr(among, "FEW", chance.choice((0, 50_000)))
    check, second = approved_type("Deposit Check", "depositCheck", FIELDS), approved_type("Buy Car", "buyCar", FIELDS)
    people = [make_person().pk for _number in range(9)]
    around = ZONES[zone]
    record_rows(*rows(chance, people, check, around, 60), *rows(chance, people, second, around, 20))
    builder.build_index()
    merge.merge_people(people[0], [people[1]], None, MARKETO)
    deletion.delete_people([people[2]], None, MARKETO)
    record_rows(
        *rows(chance, [*people[3:], people[0]], check, around, 20), *rows(chance, people[4:], second, around, 5)
    )
    day = around.date()
    for scope in (
        reports.ReportScope(day - timedelta(days=3), day + timedelta(days=5)),
        reports.ReportScope(day, day),
        reports.ReportScope(day - timedelta(days=1), day + timedelta(days=1), [*people[3:6], people[0]]),
        reports.ReportScope(date(1980, 1, 1), date(2030, 1, 1), []),
    ):
        settings.COLUMN_INDEX = False
        by_sql = every_report(check, second, scope)
        settings.COLUMN_INDEX = True
        with monkeypatch.context() as without_sql:
            without_sql.setattr(reports, "scope_rows", None)
            by_columns = every_report(check, second, scope)
        assert by_columns == by_sql


def test_what_columns_cannot_hold_is_answered_by_the_database(column_index, own_rows_read):
    check = approved_type("Deposit Check", "depositCheck", FIELDS)
    fields = {field.api_name: field for field in ApprovedField.objects.filter(activity_type=check)}
    scope = reports.ReportScope(date(2026, 1, 1), date(2026, 12, 31))
    ann = make_person().pk
    record_rows(new_activity(ann, share=0.1), new_activity(ann, share=0.2))
    builder.build_index()
    (group,) = reports.value_breakdown(check, fields["city"], scope, fields["share"])
    assert str(group.total) == "0.3"


def test_a_damaged_file_is_answered_by_the_database(column_index, own_rows_read, caplog):
    check = approved_type("Deposit Check", "depositCheck", FIELDS)
    ann = make_person().pk
    record_rows(new_activity(ann))
    (segment,) = builder.build_index().manifest.types[check.pk].segments
    (column_index / segment.name).write_bytes(b"PAR1")
    scope = reports.ReportScope(date(2026, 1, 1), date(2026, 12, 31))
    assert [row[:2] for row in reports.top_people(check, scope)] == [(ann, 1)]
    assert "could not answer a report" in caplog.text


def test_the_time_limit_reaches_the_columns(column_index, own_rows_read, monkeypatch):
    check = approved_type("Deposit Check", "depositCheck", FIELDS)
    record_rows(new_activity(make_person().pk))
    builder.build_index()
    endless = "select count(*) from range(1000000000) a, range(1000) b where a.range <> b.range"
    monkeypatch.setattr(column_reports.ColumnReports, "top_people", lambda self, *_arguments: self.query(endless, []))
    scope = reports.ReportScope(date(2026, 1, 1), date(2026, 12, 31), seconds=0.5)
    with pytest.raises(RejectedError) as rejection:
        reports.top_people(check, scope)
    assert [problem.code for problem in rejection.value.problems] == ["timeout"]
