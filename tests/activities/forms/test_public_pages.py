"""The public pages: plain forms, hostile ones, redirects, kiosks and their queues."""

import html
import json
import re
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from activities.forms import check_in, codes, editing, effects
from activities.forms.kiosk_links import kiosk_secret
from activities.forms.reading import CONSENT, HONEYPOT
from activities.models import Activity, Form, FormSubmission
from activities.recording import recorder
from config.access import call_limits
from config.forms import kiosk
from people.core.source import SYSTEM, Channel, Source
from people.models import Person
from people.persons import deletion, upsert
from tests.activities.forms.factories import AGENT, log_of, make_form
from tests.activities.visitors.factories import make_site, make_visitor
from tests.factories import make_person

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


def test_the_campaign_that_led_to_our_own_page_is_kept(browser):
    form = make_form()
    address = f"/f/{form.key}/"
    hidden = re.compile(r'name="_campaign" value="([^"]*)"')
    came = "utm_source=mail&utm_campaign=Spring+%26+%22Co%22&gclid=abc&token=secret&email=eve%40example.com&x=1"
    sent = html.unescape(hidden.search(browser.get(f"{address}?{came}").text)[1])
    assert sent == "utm_source=mail&utm_campaign=Spring+%26+%22Co%22&gclid=abc"
    refused = browser.post(address, {"email": "", "_own": "1", "_campaign": sent})
    assert refused.status_code == 422 and html.unescape(hidden.search(refused.text)[1]) == sent, "also the second time"
    assert browser.post(address, {**ADA, "_own": "1", "_campaign": sent}).status_code == 303
    page = FormSubmission.objects.get().page
    wanted = {"utm_source": "mail", "utm_campaign": 'Spring & "Co"', "click_id": "abc", "click_id_type": "gclid"}
    assert wanted.items() <= page.items() and page["query"] == sent
    long = "utm_source=" + "x" * 3_000
    for number, query in enumerate(("", "a=1", long, "x" * 30_000, "utm_source=%00%ff&" * 2_000, "token=1&password=2")):
        if len(query) < 4_000:
            assert "_campaign" not in browser.get(f"{address}?{query}").text, query
        values = {**ADA, "company": f"No. {number}", "_own": "1", "_campaign": query}
        assert browser.post(address, values).status_code == 303
        page = FormSubmission.objects.latest("pk").page
        assert page["url"].endswith(address) and not {"utm_source", "query"} & set(page), query[:30]


def test_a_campaign_of_bytes_that_are_no_text_costs_nothing(browser):
    form = make_form()
    for number, query in enumerate(
        ("utm_source=%00", "a&" * 1_100, "utm_source=%ff%fe", "utm_source=%ed%a0%80", "[&utm_source=a")
    ):
        assert browser.get(f"/f/{form.key}/?{query}").status_code == 200
        values = {**ADA, "company": f"No. {number}", "_own": "1", "_campaign": query}
        assert browser.post(f"/f/{form.key}/", values).status_code == 303, query


def test_what_is_wrong_is_shown_with_what_was_typed_and_nothing_is_stored(browser):
    form = make_form(is_consent_required=True, language="es")
    reply = browser.post(
        f"/f/{form.key}/", {"email": "<b>no</b>", "company": '"><script>alert(1)</script>', "_own": "1"}
    )
    assert reply.status_code == 422 and not FormSubmission.objects.exists()
    assert "<script>alert" not in reply.text and "&lt;b&gt;no&lt;/b&gt;" in reply.text
    assert reply.text.count('class="error"') == 3, "address, name and consent"
    assert 'lang="es"' in reply.text and "Escribe" in reply.text


def test_what_a_page_said_besides_the_fields_survives_a_correction(browser):
    make_site()
    form = make_form()
    address, page, wanted = f"/f/{form.key}/", "https://www.example.com/a?utm_source=x", "https://www.example.com/b"
    for said, referrer in (({"_page": page}, ""), ({}, page)):
        wrong = browser.post(address, {"email": "no", "_next": wanted, **said}, headers={"Referer": referrer})
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', wrong.text))
        assert hidden == {"_page": page, "_next": wanted}
        reply = browser.post(
            address, {**ADA, "company": referrer, **hidden}, headers={"Referer": f"http://testserver{address}"}
        )
        assert reply.headers["Location"] == wanted
        row = FormSubmission.objects.latest("pk")
        assert (row.way, row.page["url"], row.page["utm_source"]) == ("html", page, "x")
    own = browser.post(address, {"email": "no", "_own": "1", "_next": "javascript:x"})
    assert dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', own.text)) == {
        "_own": "1",
        "_next": "javascript:x",
    }


def test_hostile_bodies_are_bounded_before_they_are_read(browser, settings, monkeypatch):
    monkeypatch.setattr(call_limits, "time", SimpleNamespace(time=lambda: 1_796_000_000))  # one minute
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
    return browser.post(f"/k/{kiosk_secret(form)}/", json.dumps(body), content_type="application/json")


def item(number, *, at=0, **values):
    return {"id": f"item-{number:08d}", "at": at or int(timezone.now().timestamp() * 1000), "values": {**ADA, **values}}


def test_a_kiosk_sends_what_it_kept_once_each_and_at_its_time(browser):
    form = make_form(event="Fair 2026", session="Hall 3")
    page = browser.get(f"/k/{kiosk_secret(form)}/")
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
    assert Activity.objects.filter(activity_type_id=90_001).count() == 2, "once for each person"
    for body in (b"[]", b'{"items": 1}', b'{"sent": 1e400, "items": []}', b"[" * 100_000, b"\xff"):
        assert browser.post(f"/k/{kiosk_secret(form)}/", body, content_type="application/json").status_code == 400, (
            body[:20]
        )
    assert send(browser, form, *[item(n) for n in range(21)]).status_code == 400
    editing.renew_kiosk_link(form, None)
    assert send(browser, form, item(9)).status_code == 404


def test_one_form_of_a_kiosk_that_the_server_fails_at_costs_the_others_nothing(browser, monkeypatch):
    """A fault of ours: the one is to be sent again, the others are recorded."""
    form = make_form(event="Fair")
    record = kiosk.submit_form

    def fails_at_bob(form, reading, *more):
        if reading.values.get("email") == "bob@example.com":
            raise ZeroDivisionError
        return record(form, reading, *more)

    monkeypatch.setattr(kiosk, "submit_form", fails_at_bob)
    items = [item(1), item(2, email="bob@example.com"), item(3, email="cy@example.com")]
    reply = send(browser, form, *items).json()
    assert [row["status"] for row in reply["results"]] == ["added", "failed", "added"] and reply["revision"] == 1
    monkeypatch.undo()
    again = send(browser, form, *items).json()["results"]
    assert [row["status"] for row in again] == ["repeated", "added", "repeated"]
    assert send(browser, form, item(4, company="x" * 300_000)).status_code == 413


def test_a_kiosk_without_scripts_asks_the_next_visitor(browser):
    form = make_form(event="Fair 2026")
    reply = browser.post(f"/k/{kiosk_secret(form)}/", {"email": "ada@example.com", "first_name": "Ada"})
    assert reply.status_code == 200 and "ada@example.com" not in reply.text and "next visitor" in reply.text
    assert FormSubmission.objects.get().way == "kiosk"
    assert browser.post(f"/k/{kiosk_secret(form)}/", {"email": "x"}).status_code == 422


def test_whoever_registers_is_checked_in_once_by_a_code_that_shows_the_team_what_was_sent(browser, django_user_model):
    form, other = make_form(event="Fair 2026"), make_form("Other", event="Other fair")
    led = browser.post(f"/f/{form.key}/", ADA).headers["Location"]
    query = led.partition("thanks/")[2]
    assert "<svg" in browser.get(led).text
    for address in (led[:-1], f"/f/{other.key}/thanks/{query}"):
        assert "<svg" not in browser.get(address).text
    ada, code = Person.objects.get(), query.partition("=")[2]
    assert codes.person_of_token(other, codes.person_token(form, ada.pk)) is None
    browser.force_login(django_user_model.objects.create_superuser("vera", password="x"))
    at, own = (
        f"/admin/activities/form/{form.pk}/check-in/{token}/" for token in (code, codes.person_token(form, ada.pk))
    )
    page = browser.get(at).text
    assert "check that this is the person in front of you" in page and "ada@example.com" in page
    assert not Activity.objects.filter(activity_type_id=90_001).exists()
    assert "is checked in" in browser.post(at).text
    for address in (at, own):
        assert "was checked in before" in browser.post(address).text
        assert "was checked in before" in browser.get(address).text
    attended = Activity.objects.get(activity_type_id=90_001)
    assert (attended.person_id, attended.primary_value) == (ada.pk, "Fair 2026")
    assert attended.attributes["source"] == "Check-in" and Source(Channel.ADMIN).channel == attended.channel
    assert browser.get(f"{at[:-4]}AAA/").status_code == 404 == browser.get(f"{own[:-4]}AAA/").status_code
    find = f"/admin/activities/form/{form.pk}/check-in/"
    assert browser.post(find, {"email": "ADA@example.com"}).headers["Location"] == own
    assert "Nobody has this address" in browser.post(find, {"email": "x"}).text
    assert "<svg" in browser.get(f"/admin/activities/form/{form.pk}/code/{ada.pk}/").text


def test_a_stranger_reads_the_same_for_known_and_unknown_people_and_gets_nobodys_code(browser, django_user_model):
    """Submissions disclose no known people: same status, same kind of address, same page."""
    twins = [{"email": "two@example.com"}] * 2
    upsert.upsert_people(twins, SYSTEM, action=upsert.UpsertAction.DUPLICATE)
    ada = make_person(email="ada@example.com", first_name="Augusta", last_name="Lovelace", company="Secret Engines")
    gone = make_person(email="gone@example.com")
    deletion.delete_people([gone.pk], None, SYSTEM)
    form = make_form(event="Fair 2026", people_an_hour=2)
    pages = {}
    for name, more in {"ada": {}, "new": {}, "two": {}, "gone": {}, "capped": {}, "spam": {HONEYPOT: "x"}}.items():
        reply = browser.post(f"/f/{form.key}/", {**ADA, "email": f"{name}@example.com", **more})
        code = reply.headers["Location"].partition("code=")[2]
        shown = browser.get(reply.headers["Location"])
        text = re.sub(r"<svg.*?</svg>", "<svg>", shown.text, flags=re.DOTALL)
        pages[name] = (
            reply.status_code,
            len(code),
            reply.headers["Location"].replace(code, ""),
            shown.status_code,
            text,
        )
        assert code != codes.person_token(form, ada.pk) and codes.person_of_token(form, code) is None
    assert len(set(pages.values())) == 1 and "<svg>" in pages["ada"][4]
    assert not {word for word in ("Augusta", "Lovelace", "Secret") if word in pages["ada"][4]}
    states = {row.values["email"].partition("@")[0]: row for row in FormSubmission.objects.all()}
    assert {states[name].state for name in ("two", "capped")} == {"held"} and states["spam"].state == "spam"
    browser.force_login(django_user_model.objects.create_superuser("vera", password="x"))
    scan = f"/admin/activities/form/{form.pk}/check-in/{{}}/"
    page = browser.get(scan.format(codes.submission_code(form, states["ada"].message_id))).text
    assert "Lovelace" in page and "What was sent" in page and ">Ada<" in page, "staff see both"
    for name in ("two", "spam"):
        at = scan.format(codes.submission_code(form, states[name].message_id))
        assert f"{name}@example.com" in browser.get(at).text and "is checked in" not in browser.post(at).text
    assert not Activity.objects.filter(activity_type_id=90_001).exists()


def test_somebody_attends_an_event_once_whichever_way_and_the_next_event_again(browser, django_user_model):
    form = make_form(event="Fair 2026")
    first = send(browser, form, item(1), item(2, company="Again")).json()["results"]
    assert [row["status"] for row in first] == ["added", "added"]
    assert {row.state for row in FormSubmission.objects.all()} == {"recorded"}, "coming again is no fault"
    ada, vera = Person.objects.get(), django_user_model.objects.create_superuser("vera", password="x")
    assert check_in.check_in(form, ada.pk, Source(Channel.ADMIN), vera).is_repeat
    assert [row for row in log_of(ada.pk) if row[0] == 90_001] == [(90_001, "Fair 2026")]
    editing.change_form(form, None, event="fair 2026 ")
    send(browser, form, item(3, company="Third"))
    editing.change_form(form, None, event="Fair 2027")
    send(browser, form, item(4, company="Fourth"))
    assert [row for row in log_of(ada.pk) if row[0] == 90_001] == [(90_001, "Fair 2026"), (90_001, "Fair 2027")]


@pytest.mark.parametrize("way", ["check-in", "kiosk"])
def test_who_was_checked_in_before_the_upgrade_is_not_checked_in_again(browser, way):
    """Their Attend Event has a key of the version before: of the check-in, or of the kiosk's submission."""
    ada, source = make_person(email="ada@example.com"), Source(Channel.ADMIN)
    form = make_form(event="Fair 2026")
    part = "check-in"
    if way == "kiosk":
        part = "item-former"
        FormSubmission.objects.create(
            form=form, message_id=part, digest=b"x", way="kiosk", person_id=ada.pk, occurred_at=timezone.now()
        )
    row = replace(effects.attend_event(form, ada.pk, timezone.now(), way), external_id=f"form:{form.pk}:{part}")
    recorder.record_activities([row], source, may_record=effects.RECORDED_TYPES, keep_refused=False)
    assert check_in.checked_in_at(form, ada.pk) is not None
    assert check_in.check_in(form, ada.pk, source, None).is_repeat
    send(browser, form, item(1))
    assert [row for row in log_of(ada.pk) if row[0] == 90_001] == [(90_001, "Fair 2026")]
    editing.change_form(form, None, session="Keynote")
    assert not check_in.check_in(Form.objects.get(), ada.pk, source, None).is_repeat, "another session"
