"""The addresses of web sites, the recipes to install the script, and the last events of a source."""

import re
import shutil
import subprocess

import pytest
from django.db import connection
from django.db.models.functions import Now

from activities.models import EventSource, RecentEvent
from activities.sources import editing, recent
from activities.sources.recent import SeenEvent
from activities.tracking.installation import (
    CHECK,
    check_address,
    installation_recipes,
    openable_page,
    script_line,
    site_origins,
)
from activities.tracking.script.files import queue_tag
from people.core.errors import Problem


def test_an_address_as_people_type_it_gives_its_origins():
    both = ["https://example.com", "https://www.example.com"]
    for typed, origins in (
        ("example.com", both),
        (" Example.com/pricing?x=1#top ", both),
        ("www.example.com", both[::-1]),
        ("https://www.example.com:8443/a", ["https://www.example.com:8443", "https://example.com:8443"]),
        ("shop.example.com", ["https://shop.example.com"]),
        ("http://example.com", ["http://example.com", "http://www.example.com"]),
        ("localhost:3000", ["http://localhost:3000"]),
        ("127.0.0.1", ["http://127.0.0.1"]),
        ("10.0.0.7:80", ["https://10.0.0.7:80"]),
        ("http://[::1]:9000/", ["http://[::1]:9000"]),
    ):
        assert site_origins(typed) == origins, typed
    for typed in (
        "",
        "   ",
        "example",
        "two words.com",
        "javascript:alert(1)",
        "ftp://example.com",
        "https://*.example.com",
        "a..b",
        "http://",
        "\0",
        "é" * 5000,
    ):
        assert site_origins(typed) == [], typed


def test_a_check_is_added_to_the_address_of_a_page_once():
    assert check_address("https://example.com", "n1") == f"https://example.com/?{CHECK}=n1"
    assert check_address(f"https://example.com/a?b=&{CHECK}=old#c", "n2") == f"https://example.com/a?b=&{CHECK}=n2"
    assert check_address("javascript:alert(1)", "n").startswith("/?")


@pytest.mark.django_db
def test_recipes_hold_the_address_of_the_newest_key_and_go_with_the_last_key(settings):
    settings.COLLECTOR_URL = "https://events.example.com"
    issued = editing.create_source("Shop", "browser", None, origins=["https://shop.example.com"])
    site = issued.key.source
    assert f'src="https://events.example.com/_a/s/{issued.write_key}.js"' in script_line(site)
    recipes = {recipe.name: recipe for recipe in installation_recipes(site)}
    assert set(recipes) == {"html", "tag-manager", "wordpress", "single-page", "own-host"}
    nginx, line, setting = recipes["own-host"].blocks
    assert 'src="/_a/s/cab_' in line.code and setting.code == "TRUST_PROXY=1"
    assert "location /_a/ {" in nginx.code and "https://events.example.com;" in nginx.code
    assert "proxy_set_header Host $host;" in nginx.code
    editing.change_source(site, None, munchkin_id="123-ABC-456")
    site.refresh_from_db()
    assert installation_recipes(site)[-1].blocks[0].code == "https://events.example.com/munchkin/123-ABC-456.js"
    editing.end_key(site, issued.key.pk, None)
    assert script_line(site) == "" and installation_recipes(site) == []


@pytest.mark.django_db
def test_what_is_copied_at_once_is_of_one_language_and_keeps_early_calls_where_pages_make_them():
    site = editing.create_source("Shop", "browser", None, origins=["https://shop.example.com"]).key.source
    recipes = {recipe.name: recipe for recipe in installation_recipes(site)}
    for recipe in recipes.values():
        for block in recipe.blocks:
            *elements, rest = re.split(r"(?<=</script>)", block.code)
            is_html = block.code.startswith("<script")
            assert not is_html or (elements and not rest), (recipe.name, block.label)
            assert is_html or "<script" not in block.code or block.code.startswith("add_action("), block.label
            assert queue_tag() not in block.code or not is_html or block.code.startswith(queue_tag())
    for name in ("tag-manager", "wordpress", "single-page"):
        assert queue_tag() in recipes[name].blocks[0].code and script_line(site) in recipes[name].blocks[0].code
    assert [block.code for block in recipes["html"].blocks] == [script_line(site), queue_tag()]


@pytest.mark.django_db
@pytest.mark.skipif(not shutil.which("php"), reason="no PHP (Debian: apt-get install php-cli)")
def test_the_code_for_wordpress_prints_both_lines_first_in_the_head():
    site = editing.create_source("Shop", "browser", None, origins=["https://shop.example.com"]).key.source
    (code,) = [one.blocks[0].code for one in installation_recipes(site) if one.name == "wordpress"]
    script = f'function add_action($name, $print, $place) {{ echo "$name $place "; $print(); }}\n{code}'
    printed = subprocess.run(["php", "-r", script], capture_output=True, text=True, check=True, timeout=20).stdout
    assert printed == f"wp_head 1 {queue_tag()}\n{script_line(site)}\n"


def test_a_site_opens_at_an_origin_that_is_one_host():
    for origins, address in (
        (["https://*.example.com", "https://example.com"], "https://example.com"),
        (["https://*.example.com"], ""),
    ):
        assert openable_page(EventSource(kind="browser", origins=origins)) == address


@pytest.mark.django_db
def test_the_last_events_of_each_source_are_kept_and_no_more():
    shop, blog = (
        editing.create_source(name, "browser", None, origins=[f"https://{name}.example.com"]).key.source
        for name in ("shop", "blog")
    )

    def seen(source: EventSource, title: str, **values) -> SeenEvent:
        return SeenEvent(source.pk, "page", title, recent.Outcome.KEPT, **values)

    recent.note_recent_events([])
    recent.note_recent_events([seen(shop, f"/{number}") for number in range(130)])
    recent.note_recent_events([seen(blog, "/b"), seen(shop, "/last", visitor_id=7)])
    titles = [event.title for event in recent.recent_events(shop.pk)]
    assert titles == ["/last", *(f"/{number}" for number in range(129, 30, -1))]
    assert [event.title for event in recent.recent_events(blog.pk)] == ["/b"]
    newest = recent.recent_events(shop.pk)[0].number
    recent.note_recent_events([seen(shop, "/new")])
    assert [event.title for event in recent.recent_events(shop.pk, after=newest)] == ["/new"]
    recent.forget_people([7], [])
    assert "/last" not in {event.title for event in recent.recent_events(shop.pk)}
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from recent_event")
        assert cursor.fetchone() == (recent.KEPT,)  # 99 of the shop and one of the blog
    newest = recent.recent_events(shop.pk)[0].number
    RecentEvent.objects.filter(source_id=shop.pk).update(received_at=Now() - recent.KEPT_FOR)
    recent.forget_old_events()
    assert not recent.recent_events(shop.pk) and recent.recent_events(blog.pk)
    recent.note_recent_events([seen(shop, "/tomorrow")])
    assert [event.title for event in recent.recent_events(shop.pk, after=newest)] == ["/tomorrow"], "for open pages"


@pytest.mark.django_db
def test_hostile_text_is_kept_in_bounds_and_a_check_finds_its_event():
    shop = editing.create_source("shop", "browser", None, origins=["https://shop.example.com"]).key.source
    problem = Problem("origin_refused", "\0 \ud800 not from here")
    recent.note_recent_events(
        [
            SeenEvent(shop.pk, "page" * 50, "\0\ud800<b>" + "x" * 9_000, recent.Outcome.REFUSED, problem, "n" * 24),
            SeenEvent(shop.pk, "page", "/", recent.Outcome.KEPT, None, "other", is_bot=True),
        ]
    )
    event = recent.find_checked_event(shop.pk, "n" * 24)
    assert isinstance(event, RecentEvent) and len(event.title) <= recent.MAX_TITLE and "not from here" in event.reason
    assert recent.find_checked_event(shop.pk, "other").is_bot
    for nonce in ("", "unknown", "n" * 5_000, "\0"):
        assert recent.find_checked_event(shop.pk, nonce) is None
