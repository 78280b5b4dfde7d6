"""The public pages: plain forms, hostile ones, redirects, kiosks and their queues."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from activities.forms import check_in, editing
from activities.forms.reading import CONSENT, HONEYPOT
from activities.models import Activity, FormSubmission
from people.core.source import Channel, Source
from people.models import Person
from tests.activities.forms.factories import AGENT, log_of, make_form
from tests.activities.visitors.factories import make_site, make_visitor

pytestmark = pytest.mark.django_db
ADA = {"email": "ada@example.com", "first_name": "Ada"}


@pytest.fixture
def browser(client, settings):
    """A browser without cookies of ours, and room for what one test sends."""
    settings.FORM_SUBMISSIONS_PER_ADDRESS = 1_000
    client.defaults["HTTP_USER_AGENT"] = AGENT
    return client


def test_a_plain_form_is_taken_and_leads_only_to_our_own_sites(browser):
    site = make_site()  # https://www.example.com
    form = make_form(next_url="https://www.example.com/thanks", website=site)
    address = f"/f/{form.key}/"
    page = browser.get(address)
    assert (
        page.status_code == 200 and "Given name" in page.text and "set-cookie" not in {n.lower() for n in page.headers}
    )
    policy = page["Content-Security-Policy"]
    assert "script-src 'none'" in policy and "form-action 'self' https://www.example.com;" in policy
    assert browser.post(address, ADA).headers["Location"] == "https://www.example.com/thanks"
    for number, (wanted, led) in enumerate(
        (
            ("https://www.example.com/other?a=1", "https://www.example.com/other?a=1"),
            ("https://evil.example/", None),
            ("//evil.example/", None),
            ("https://www.example.com@evil.example/", None),
            ("https://www.example.com.evil.example/", None),
            ("https://www.example.com\\@evil.example/", None),
            ("javascript:alert(1)", None),
            ("https://www.example.com/\r\nSet-Cookie: a=b", None),
            ("http://www.example.com/", None),
        )
    ):
        reply = browser.post(address, {**ADA, "company": f"No. {number}", "_next": wanted})
        assert (reply.status_code, reply.headers["Location"]) == (303, led or "https://www.example.com/thanks"), wanted
    type(site).objects.filter(pk=site.pk).update(is_on=False)
    assert browser.post(address, {**ADA, "company": "Last"}).headers["Location"] == f"/f/{form.key}/thanks/"
    assert "Thank you" in browser.get(f"/f/{form.key}/thanks/").text
    assert {row.way for row in FormSubmission.objects.all()} == {"html"}


def test_what_is_wrong_is_shown_with_what_was_typed_and_nothing_is_stored(browser):
    form = make_form(is_consent_required=True, language="es")
    reply = browser.post(
        f"/f/{form.key}/", {"email": "<b>no</b>", "company": '"><script>alert(1)</script>', "_own": "1"}
    )
    assert reply.status_code == 422 and not FormSubmission.objects.exists()
    assert "<script>alert" not in reply.text and "&lt;b&gt;no&lt;/b&gt;" in reply.text
    assert reply.text.count('class="error"') == 3, "address, name and consent"
    assert 'lang="es"' in reply.text and "Escribe" in reply.text


def test_hostile_bodies_are_bounded_before_they_are_read(browser, settings):
    form = make_form()
    address = f"/f/{form.key}/"
    assert browser.post(address, {**ADA, "company": "x" * 1_000_000}).status_code == 413
    assert browser.post(address, {**ADA, "company": "x" * 3_000}).status_code == 422
    for name in ("nothing", "x" * 300, "%00", "..%2f"):
        assert browser.get(f"/f/{name}/").status_code == 404
    odd = "email=ada%00%40example.com&first_name=%ED%A0%80"
    assert browser.post(address, odd, content_type="application/x-www-form-urlencoded").status_code == 303
    for method in ("put", "delete", "patch"):
        assert getattr(browser, method)(address).status_code == 405
    settings.FORM_SUBMISSIONS_PER_ADDRESS = 2
    codes = [browser.post(address, {**ADA, "company": str(n)}, REMOTE_ADDR="192.0.2.9").status_code for n in range(50)]
    assert codes.count(303) == 2 and codes.count(429) == 48
    assert int(browser.post(address, ADA, REMOTE_ADDR="192.0.2.9")["Retry-After"]) <= 60
    settings.FORM_SUBMISSIONS_PER_FORM = 3
    assert browser.post(address, ADA, REMOTE_ADDR="192.0.2.77").status_code == 429, "from wherever they come"
    editing.archive_form(form, None)
    assert (
        browser.get(address).status_code == 410
        and browser.post(address, ADA, REMOTE_ADDR="192.0.2.10").status_code == 410
    )


def test_spam_reads_the_same_thanks_and_opted_out_browsers_stay_unknown(browser):
    site = make_site()
    visitor = make_visitor(site, "ab" * 16)
    form = make_form(website=site)
    browser.cookies["_ca"] = "ab" * 16
    reply = browser.post(f"/f/{form.key}/", {**ADA, HONEYPOT: "http://spam"})
    assert reply.headers["Location"] == f"/f/{form.key}/thanks/" and FormSubmission.objects.get().state == "spam"
    browser.post(f"/f/{form.key}/", {**ADA, "company": "1"}, headers={"Sec-GPC": "1"})
    assert FormSubmission.objects.order_by("pk").last().visitor_id is None
    browser.post(f"/f/{form.key}/", {**ADA, "company": "2"}, REMOTE_ADDR="203.0.113.77")
    last = FormSubmission.objects.order_by("pk").last()
    assert (last.visitor_id, last.ip_address) == (visitor.pk, "203.0.113.0")


def send(browser, form, *items, sent=None):
    body = {"sent": sent or int(timezone.now().timestamp() * 1000), "items": list(items)}
    return browser.post(f"/k/{form.kiosk_key}/", json.dumps(body), content_type="application/json")


def item(number, *, at=0, **values):
    return {"id": f"item-{number:08d}", "at": at or int(timezone.now().timestamp() * 1000), "values": {**ADA, **values}}


def test_a_kiosk_sends_what_it_kept_once_each_and_at_its_time(browser):
    form = make_form(event="Fair 2026", session="Hall 3")
    page = browser.get(f"/k/{form.kiosk_key}/")
    assert 'autocomplete="off"' in page.text and "script-src 'self'" in page["Content-Security-Policy"]
    assert HONEYPOT not in page.text and browser.get(f"/k/{form.key}/").status_code == 404
    now = int(timezone.now().timestamp() * 1000)
    wrong_clock = now - 90 * 86_400_000  # of the device
    items = [item(1, at=wrong_clock - 7_200_000, **{CONSENT: "1"}), item(2, email="bob@example.com", at=wrong_clock)]
    bad = [item(3, email="no address"), {"id": "short"}, "x", {**item(4), "values": []}, item(5, deep=[[[1]]])]
    reply = send(browser, form, *items, *bad, sent=wrong_clock).json()["results"]
    assert [row["status"] for row in reply] == ["added", "added", "added", *["refused"] * 3, "added"]
    ada = Person.objects.get(email="ada@example.com")
    assert log_of(ada.pk)[:3] == [(2, "Brochure"), (90_001, "Fair 2026"), (90_003, "email")]
    attended = Activity.objects.filter(activity_type_id=90_001, person_id=ada.pk).first()
    assert attended.attributes["session"] == "Hall 3" and attended.attributes["source"] == "Kiosk"
    assert abs(timezone.now() - timedelta(hours=2) - attended.occurred_at) < timedelta(minutes=5)
    assert FormSubmission.objects.get(message_id="item-00000003").state == "held", "nobody is there to correct it"
    again = send(browser, form, *items, {**items[0], "values": {**ADA, "company": "Other"}}).json()["results"]
    assert [row["status"] for row in again] == ["repeated", "repeated", "refused"]
    assert Activity.objects.filter(activity_type_id=90_001).count() == 3
    for body in (b"[]", b'{"items": 1}', b'{"sent": 1e400, "items": []}', b"[" * 100_000, b"\xff"):
        assert browser.post(f"/k/{form.kiosk_key}/", body, content_type="application/json").status_code == 400, body[
            :20
        ]
    assert send(browser, form, *[item(n) for n in range(21)]).status_code == 400
    editing.renew_kiosk_link(form, None)
    assert send(browser, form, item(9)).status_code == 404


def test_a_kiosk_without_scripts_asks_the_next_visitor(browser):
    form = make_form(event="Fair 2026")
    reply = browser.post(f"/k/{form.kiosk_key}/", {"email": "ada@example.com", "first_name": "Ada"})
    assert reply.status_code == 200 and "ada@example.com" not in reply.text and "next visitor" in reply.text
    assert FormSubmission.objects.get().way == "kiosk"
    assert browser.post(f"/k/{form.kiosk_key}/", {"email": "x"}).status_code == 422


def test_a_registered_person_shows_a_code_and_is_checked_in_once(browser, django_user_model):
    form, other = make_form(event="Fair 2026"), make_form("Other", event="Other fair")
    led = browser.post(f"/f/{form.key}/", ADA).headers["Location"]
    page = browser.get(led)
    assert (
        "<svg" in page.text
        and "<svg" not in browser.get(led[:-1]).text
        and "<svg" not in browser.get(f"/f/{other.key}/thanks/{led.partition('thanks/')[2]}").text
    )
    ada = Person.objects.get()
    token = check_in.person_token(form, ada.pk)
    assert check_in.person_of_token(form, token) == ada.pk and check_in.person_of_token(other, token) is None
    browser.force_login(django_user_model.objects.create_superuser("vera", password="x"))
    at = f"/admin/activities/form/{form.pk}/check-in/{token}/"
    assert "Ada" in browser.get(at).text and not Activity.objects.filter(activity_type_id=90_001).exists()
    assert "is checked in" in browser.post(at).text
    assert "was checked in before" in browser.post(at).text and "was checked in before" in browser.get(at).text
    attended = Activity.objects.get(activity_type_id=90_001)
    assert (attended.person_id, attended.primary_value, attended.attributes["source"]) == (
        ada.pk,
        "Fair 2026",
        "Check-in",
    )
    assert browser.get(f"{at[:-4]}AAA/").status_code == 404
    found = browser.post(f"/admin/activities/form/{form.pk}/check-in/", {"email": "ADA@example.com"})
    assert found.headers["Location"] == at
    assert "Nobody has this address" in browser.post(f"/admin/activities/form/{form.pk}/check-in/", {"email": "x"}).text
    assert "<svg" in browser.get(f"/admin/activities/form/{form.pk}/code/{ada.pk}/").text
    assert Source(Channel.ADMIN).channel == attended.channel
