"""Marks in the charts of trends: approvals, imports, campaigns, notes; and who sees and deletes a note."""

import json
import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from activities.log import rollup
from activities.models import Activity
from config.access.users.deactivation import OWNED
from people.core.errors import NotAllowedError, NotFoundError, RejectedError
from people.core.source import Channel
from people.files.models import Import
from smartlists.lists import dashboards, report_notes, saved_reports
from smartlists.models import ReportNote, SmartCampaign
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db


def member(name, role):
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return get_user_model().objects.get(pk=user.pk)


@pytest.fixture
def check(monkeypatch):
    made = approved_type()
    today = timezone.now().date()
    record_rows(new_activity(make_person().pk, occurred_at=f"{today - timedelta(days=1)}T10:00:00Z", branch="Lyon"))
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up_rollup()
    return made


def test_a_trend_marks_what_happened_and_lists_it(client, check):
    vera, victor = member("vera", "Marketer"), member("victor", "Viewer")
    now = timezone.now()
    Import.objects.create(
        kind="activities",
        name="checks.csv",
        state="complete",
        finished_at=now,
        first_id=1,
        channel=Channel.ADMIN,
        user=vera,
    )
    SmartCampaign.objects.create(name="Welcome", definition={}, activated_at=now - timedelta(days=2))
    client.force_login(vera)
    address = f"{reverse('reports')}?report=trend&type={check.pk}&interval=day&days=5"
    notes = f"{reverse('report-notes')}?{address.partition('?')[2]}"
    day = (now - timedelta(days=1)).date()
    client.post(notes, {"day": day.isoformat(), "text": " Fair in <Lyon> ", "is_shared": "on"})
    client.post(notes, {"day": day.isoformat(), "text": "Mine"})
    reply = client.get(address)
    texts = [mark.text for mark in reply.context["marks"]]
    assert texts == [
        "Campaign Welcome activated",
        "Mine",
        "Fair in <Lyon>",
        "Version 1 of Deposit Check approved",
        "Import of checks.csv finished",
    ]
    assert json.loads(reply.context["marks_json"]) == [
        {"at": 2, "sign": "1"},
        {"at": 3, "sign": "2–3"},
        {"at": 4, "sign": "4–5"},
    ]
    assert "Fair in &lt;Lyon&gt;" in reply.text and 'data-marks="[{' in reply.text
    for sent in ({"day": "soon", "text": "x"}, {"day": day.isoformat(), "text": "  "}):
        assert client.post(notes, sent, follow=True).context["messages"]
    assert ReportNote.objects.count() == 2
    client.force_login(victor)
    seen = [mark.text for mark in client.get(address).context["marks"]]
    assert "Fair in <Lyon>" in seen and "Mine" not in seen
    note = ReportNote.objects.get(text="Mine")
    assert client.post(notes, {"delete": note.pk}).status_code == 404
    client.force_login(vera)
    assert client.post(notes, {"delete": note.pk}).status_code == 302
    assert not ReportNote.objects.filter(text="Mine").exists()


def test_a_refused_note_keeps_what_was_typed_once(client, check):
    client.force_login(member("vera", "Marketer"))
    address = f"{reverse('reports')}?report=trend&type={check.pk}&interval=day&days=5"
    notes = f"{reverse('report-notes')}?{address.partition('?')[2]}"
    client.post(notes, {"day": "", "text": "Fair in Lyon", "is_shared": "on"})
    refused = client.get(address)
    assert 'value="Fair in Lyon"' in refused.text and refused.context["note_form"].errors["day"]
    assert not client.get(address).context["note_form"].is_bound
    client.post(notes, {"day": timezone.now().date().isoformat(), "text": "Fair in Lyon"})
    assert not client.get(address).context["note_form"].is_bound


def test_a_tile_has_the_marks_of_its_report(client, check):
    vera = member("vera", "Marketer")
    report = saved_reports.save_report("Checks", {"report": "trend", "type": str(check.pk), "days": "5"}, vera)
    board = dashboards.create_dashboard("Board", vera)
    tile = dashboards.pin_report(board, report, vera)
    report_notes.add_note(timezone.now().date(), "Fair", vera)
    client.force_login(vera)
    page = client.get(reverse("dashboard-tile", args=[board.pk, tile.pk]))
    assert [mark.text for mark in page.context["marks"]] == ["Version 1 of Deposit Check approved", "Fair"]
    assert "data-marks=" in page.text and "In the chart (2)" in page.text


def test_a_shared_note_is_written_and_deleted_by_those_who_may_share(db):
    vera, bob, viewer = member("vera", "Marketer"), member("bob", "Marketer"), member("victor", "Viewer")
    today = timezone.now().date()
    note = report_notes.add_note(today, "Fair", vera, is_shared=True)
    with pytest.raises(NotAllowedError):
        report_notes.add_note(today, "His", viewer, is_shared=True)
    with pytest.raises(NotAllowedError):
        report_notes.delete_note(note.pk, viewer)
    private = report_notes.add_note(today, "Mine", vera)
    with pytest.raises(NotFoundError):
        report_notes.delete_note(private.pk, bob)
    for text in ("", "x" * (report_notes.LONGEST + 1)):
        with pytest.raises(RejectedError):
            report_notes.add_note(today, text, vera)
    rows, hand_over = OWNED[ReportNote]
    for row in rows(vera):
        hand_over(row, bob, None)
    assert {row.text: row.owner for row in ReportNote.objects.all()} == {"Fair": bob, "Mine": vera}
    report_notes.delete_note(note.pk, bob)


def test_bars_are_stacked_but_not_beside_the_period_before(client, check):
    client.force_login(get_user_model().objects.create_superuser("vera"))
    branch = check.approved_fields.get(api_name="branch").pk
    asked = {"report": "trend", "type": check.pk, "days": "5", "split": branch, "stacked": "on"}
    reply = client.get(reverse("reports"), asked)
    chart = json.loads(reply.context["table"].chart)
    assert chart["isStacked"] and [line["label"] for line in chart["series"]] == ["Lyon"]
    assert reply.context["picture_name"] == "trend-deposit-check"
    assert re.search(r'<h1 id="report-title">Trend: Deposit Check</h1>', reply.text)
    assert "<title>Trend: Deposit Check" in " ".join(reply.text.split()).replace("<title> ", "<title>")
    assert " a day on average" in reply.text
    del asked["split"]
    assert "not compared" in client.get(reverse("reports"), asked | {"compare": "on"}).text
