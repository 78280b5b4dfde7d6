"""Secrets of addresses reach no row of the database, no export and no log; links of kiosks survive the upgrade."""

import importlib
import json
import logging
import re
import time
from hashlib import sha256
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from activities.forms import codes, editing, export_kind, kiosk_links
from activities.models import Association, Form, FormSubmission
from activities.sources import sealing
from config.access import resuming, sessions
from people.files.exports.kinds import Marks, select_sql
from people.models import Person
from tests.activities.forms.factories import AGENT, make_form
from tests.activities.visitors.factories import make_site, make_visitor

pytestmark = pytest.mark.django_db
ADA = {"email": "ada@example.com", "first_name": "Ada"}
COOKIE = "ab" * 16


def rows_with(secrets):
    """(table, secret) of all rows of the database in which one of these texts is."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            """select c.oid::regclass::text from pg_class c where c.relkind in ('r', 'p') and not c.relispartition
            and c.relnamespace = current_schema()::regnamespace and c.relname not in ('django_session')"""
        )
        for (table,) in cursor.fetchall():
            for secret in secrets:
                cursor.execute(f"select count(*) from {table} t where strpos(t::text, %s) > 0", [secret])
                if cursor.fetchone()[0]:
                    found.append((table, secret))
    return found


def exported(form):
    statement = export_kind.submissions_statement({"form": form.pk})
    with connection.cursor() as cursor:
        cursor.execute(select_sql(statement, Marks.GUARDS), statement.parameters)
        return str(cursor.fetchall())


def test_no_secret_of_an_address_is_kept_whichever_way_a_form_comes_in(client, django_user_model, settings):
    """Every public way, with secrets in path, query, referrer and hidden fields."""
    settings.FORM_SUBMISSIONS_PER_ADDRESS, settings.SITE_URL = 1_000, "https://ca.example.com"
    client.defaults["HTTP_USER_AGENT"] = AGENT
    site = make_site()
    make_visitor(site, COOKIE)
    form = make_form(event="Fair 2026", website=site)
    secret = kiosk_links.kiosk_secret(form)
    led = client.post(f"/f/{form.key}/", {**ADA, "_own": "1"}).headers["Location"]
    code = led.partition("code=")[2]
    person_code = codes.person_token(form, Person.objects.get().pk)
    client.cookies["_ca"] = COOKIE
    check_in = f"/admin/activities/form/{form.pk}/check-in"
    leaks = [
        f"{host}{path}"
        for host in ("http://testserver", "https://ca.example.com", "https://CA.example.com:443")
        for path in (
            f"/k/{secret}/",
            f"/%6b/{secret}/",
            f"{check_in}/{person_code}/",
            f"{led}",
            f"/admin/login/?next={check_in}/{code}/",
            f"/nowhere/{secret}",
        )
    ]
    for number, leak in enumerate(leaks):
        body = {**ADA, "company": str(number)}
        client.post(f"/f/{form.key}/", {**body, "_page": leak}, headers={"Referer": leak})
        client.post(f"/f/{form.key}/?token={secret}", {**body, "first_name": "B"}, headers={"Referer": leak})
        client.post(f"/f/{form.key}/?code={code}", {**body, "_own": "1"}, headers={"Referer": leak})
        client.get(f"/f/{form.key}/", headers={"Referer": leak})
        client.post(f"/k/{secret}/?key={secret}", {**body, "first_name": "C"}, headers={"Referer": leak})
        kept = {"sent": 1_700_000_000_000, "items": [{"id": f"item-{number:08d}", "values": {**body, "_page": leak}}]}
        client.post(f"/k/{secret}/", json.dumps(kept), content_type="application/json", headers={"Referer": leak})
    vera = django_user_model.objects.create_superuser("vera", password="x")
    client.force_login(vera)
    for token in (code, person_code):
        client.post(f"{check_in}/{token}/", headers={"Referer": leaks[0]})
    client.post(f"/admin/activities/form/{form.pk}/do/renew-kiosk/", headers={"Referer": leaks[0]})
    submit = {"values": ADA | {"company": "API"}}
    client.post(f"/api/v1/forms/{form.pk}/submissions", json.dumps(submit), content_type="application/json")
    assert FormSubmission.objects.count() >= 5 * len(leaks)
    assert {row.way for row in FormSubmission.objects.all()} == {"page", "html", "kiosk", "api"}
    assert rows_with([secret, code, person_code]) == []
    assert not [text for text in (secret, code, person_code) if text in exported(form)]
    assert {*FormSubmission.objects.filter(way="kiosk").values_list("page__url", "page__referrer_url")} == {
        (None, None)
    }
    page = FormSubmission.objects.filter(way="page").latest("pk").page
    assert page["url"].startswith("http://testserver/f/"), "a public page of ours is kept"


def test_all_guests_of_a_kiosk_are_nobodys_browser(client):
    client.defaults["HTTP_USER_AGENT"] = AGENT
    site = make_site()
    make_visitor(site, COOKIE)
    form = make_form(event="Fair", website=site)
    client.cookies["_ca"] = COOKIE
    address = f"/k/{kiosk_links.kiosk_secret(form)}/"
    for name in ("ada", "bob"):
        reply = client.post(address, {**ADA, "email": f"{name}@example.com"})
        assert reply.status_code == 200 and not reply.cookies
    kept = {"sent": 1_700_000_000_000, "items": [{"id": "item-00000001", "values": {**ADA, "email": "cy@example.com"}}]}
    assert not client.post(address, json.dumps(kept), content_type="application/json").cookies
    assert set(FormSubmission.objects.values_list("visitor_id", flat=True)) == {None}
    assert not Association.objects.exists()
    assert client.get(address)["Referrer-Policy"] == "no-referrer"


def test_a_link_made_by_the_version_before_stays_valid_and_is_hidden_when_it_is_met(client):
    form, other = make_form(event="Fair"), make_form("Other")
    old = kiosk_links.kiosk_secret(form)
    clear = "abcdefghijklmnopqrstuvwxyz012345"
    Form.objects.filter(pk=form.pk).update(kiosk_key=clear)  # renewed there
    assert client.get(f"/k/{clear}/").status_code == 200 and client.get(f"/k/{old}/").status_code == 404
    Form.objects.filter(pk=other.pk).update(  # made there
        kiosk_key=clear[::-1], kiosk_hash=None, kiosk_sealed=None, kiosk_sealed_under=""
    )
    assert kiosk_links.kiosk_secret(Form.objects.get(pk=other.pk)) == clear[::-1]
    assert client.get(f"/k/{clear[::-1]}/").status_code == 200
    form.refresh_from_db()
    assert (form.kiosk_key, bytes(form.kiosk_hash)) == (None, sha256(clear.encode()).digest())
    assert kiosk_links.kiosk_secret(form) == clear and rows_with([clear, clear[::-1]]) == []


def test_the_migration_seals_links_and_keeps_them_valid(client):
    form = make_form(event="Fair")
    clear = "z" * 32
    columns = {"kiosk_key": clear, "kiosk_hash": None, "kiosk_sealed": None, "kiosk_sealed_under": ""}
    Form.objects.filter(pk=form.pk).update(**columns)
    importlib.import_module("activities.migrations.0032_secrets_of_forms").seal_links(apps, None)
    form.refresh_from_db()
    assert form.kiosk_key is None and kiosk_links.kiosk_secret(form) == clear
    assert client.get(f"/k/{clear}/").status_code == 200


def test_links_are_sealed_again_under_another_key_and_a_lost_key_takes_no_kiosk_away(
    client, settings, django_user_model
):
    form = make_form(event="Fair")
    secret = kiosk_links.kiosk_secret(form)
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    settings.WEBHOOK_KEYS = {"new": key}
    assert client.get(f"/k/{secret}/").status_code == 200, "found by its hash"
    client.force_login(django_user_model.objects.create_superuser("vera", password="x"))
    page = client.get(f"/admin/activities/form/{form.pk}/kiosk/")
    assert page.status_code == 200 and "WEBHOOK_KEYS" in page.text and secret not in page.text
    settings.WEBHOOK_KEYS = {}
    derived = sealing._keys()[sealing.DERIVED]  # stays known while it is rotated
    settings.WEBHOOK_KEYS = {"new": key, sealing.DERIVED: derived}
    call_command("rotate_webhook_secrets")
    settings.WEBHOOK_KEYS = {"new": key}
    form.refresh_from_db()
    assert kiosk_links.kiosk_secret(form) == secret and form.kiosk_sealed_under == "new"


@pytest.fixture
def stale(client, django_user_model):
    """A browser whose user signed in long ago."""
    client.force_login(django_user_model.objects.create_superuser("vera", password="x"))
    session = client.session
    session[sessions.SIGN_IN] = {**session[sessions.SIGN_IN], "at": int(time.time()) - 600}
    session.save()
    return client


def test_a_stolen_session_sees_no_link_and_lets_strangers_do_no_more(stale):
    """Page and API: a session that was not confirmed lately must be; harmless changes need nothing."""
    site = make_site()
    form = make_form(event="Fair", known_people="blanks")
    secret, at = kiosk_links.kiosk_secret(form), f"/admin/activities/form/{form.pk}/"
    for reply in (stale.get(f"{at}kiosk/"), stale.post(f"{at}do/renew-kiosk/")):
        assert reply.status_code == 302 and "next=" in reply.headers["Location"]
    assert secret not in stale.get(f"{at}share/").text and kiosk_links.kiosk_secret(Form.objects.get()) == secret
    rows = {"rows": "3"}
    for number, row in enumerate(form.fields.all()):
        rows |= {f"field-{number}": row.person_field.api_name, f"label-{number}": row.label, f"order-{number}": "1"}
    same = {
        **{"name": "Brochure", "known_people": "blanks", "people_an_hour": "500", "event": "Fair", **rows},
        **{"consent_text": "Write to me about cars.", "consent_purpose": "email", "consent_version": "1"},
    }
    wider = {
        "known_people": "update",
        "people_an_hour": "501",
        "next_url": "https://www.example.com/a",
        "website": site.pk,
        "fields_of_form": [{"field": "last_name"}],
        "consent": {"purpose": "news", "text": "T", "version": "2"},
    }
    for name, value in wider.items():
        body = {"people_an_hour": 501} if name == "people_an_hour" else {name: value}
        reply = stale.patch(f"/api/v1/forms/{form.pk}", json.dumps(body), content_type="application/json")
        assert (reply.status_code, "confirmation_needed" in reply.text) == (403, True), name
        posted = {name: value} if isinstance(value, (str, int)) else {"field-0": "last_name", "consent_text": "Other"}
        reply = stale.post(f"{at}change/", {**same, **posted, "revision": "1"})
        assert reply.status_code == 302 and "next=" in reply.headers["Location"], name
    assert Form.objects.get().revision == 1
    reply = stale.patch(f"/api/v1/forms/{form.pk}", json.dumps({"title": "T"}), content_type="application/json")
    assert reply.status_code == 200
    reply = stale.post(f"{at}change/", {**same, "title": "U", "revision": "2"})
    assert reply.headers["Location"] == f"{at}change/" and Form.objects.get().title == "U"
    body = {"name": "Other", "known_people": "update"}
    assert stale.post("/api/v1/forms", json.dumps(body), content_type="application/json").status_code == 403
    assert not editing.needs_confirmation(None, {"name": "Other", "fields": [{"field": "company"}]})


def _confirm(client, age=0):
    session = client.session
    session[sessions.SIGN_IN] = {**session[sessions.SIGN_IN], "at": int(time.time()) - age}
    session.save()


def _hidden(page):
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))


def test_what_was_typed_is_offered_once_after_the_confirmation(stale):
    """The data of each page that needs a confirmation, as `confirmation_redirect` keeps it; sealed, and without files."""
    form, done = make_form(known_people="blanks"), "/account/confirm/done/"
    at = f"/admin/activities/form/{form.pk}/change/"
    typed = {"name": "Long work <b>", "known_people": "update", "people_an_hour": "500", "event": "", "revision": "1"}
    typed |= {"rows": "1", "field-0": "first_name", "label-0": "Given name", "order-0": "1", "password": "hidden-word"}
    reply = stale.post(at, typed)
    assert reply.status_code == 302 and "done" in reply.headers["Location"]
    assert "Long work" not in str(dict(stale.session)), "sealed"
    assert stale.get(done).status_code == 302, "not confirmed yet"
    _confirm(stale)
    page = stale.get(done)
    assert page.headers["Cache-Control"].count("no-store") and "Long work &lt;b&gt;" in page.text
    assert "<dd>hidden-word" not in page.text and f'action="{at}"' in page.text
    assert set(typed) == {name for name in _hidden(page.text) if name != "csrfmiddlewaretoken"}
    assert "kept no longer" in stale.get(done).text, "once"
    assert stale.post(at, typed).headers["Location"] == at and Form.objects.get().known_people == "update"
    more = typed | {"people_an_hour": "900", "revision": "2"}
    for why, sent in {"late": more, "large": more | {"x": "x" * 40_000}}.items():
        _confirm(stale, 600)
        assert stale.post(at, sent).status_code == 302
        if why == "late":
            kept = stale.session[resuming.KEPT]
            session = stale.session
            session[resuming.KEPT] = kept | {"at": kept["at"] - resuming.KEPT_FOR}
            session.save()
        _confirm(stale)
        assert "kept no longer" in stale.get(done).text, why


def test_logs_have_no_secret_of_a_path():
    """Those of gunicorn by its filters, those of nginx by the map of the example."""
    gunicorn = importlib.import_module("config.gunicorn")
    secrets = ["/k/abc123/", "/k/abc123", "/admin/activities/form/7/check-in/abc123/", "/k/abc123/?x=abc123"]
    conf = (Path(__file__).parents[3] / "deploy" / "nginx.conf").read_text()
    patterns = re.findall(r"^\s+~(\S+)\s+(\S+);$", conf, re.MULTILINE)
    for path in secrets:
        record = logging.makeLogRecord({"msg": "x", "args": {"U": path}})
        assert gunicorn.redact_paths(record) and "abc123" not in str(record.args)
        record = logging.makeLogRecord({"msg": "Error handling request %s", "args": (path,)})
        assert gunicorn.redact_targets(record) and "abc123" not in record.getMessage()
        uri = path.partition("?")[0]
        (shown,) = [text for pattern, text in patterns if re.search(pattern.replace("(?<", "(?P<"), uri)]
        assert "abc123" not in shown
    assert gunicorn.without_secrets("/f/abc/thanks/?code=1") == "/f/abc/thanks/"
    assert not [text for pattern, text in patterns if re.search(pattern.replace("(?<", "(?P<"), "/f/abc/")]
