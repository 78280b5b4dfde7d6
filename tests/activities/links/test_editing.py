"""Destinations of links, and their addresses, which are taken for ever."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from activities.links import addresses, editing
from activities.links.targets import target_of
from activities.models import LinkCode, LinkDestination, TrackedLink
from people.core.errors import ConflictError, NotAllowedError, RejectedError
from tests.activities.links.factories import SALE, click, make_link
from tests.activities.visitors.factories import make_site

pytestmark = pytest.mark.django_db


def problems_of(verb, *arguments, **options):
    """(code, last part of the path) of each problem."""
    with pytest.raises(RejectedError) as refusal:
        verb(*arguments, **options)
    return [(str(problem.code), problem.path[-1] if problem.path else "") for problem in refusal.value.problems]


BAD_ADDRESSES = [
    *(
        "",
        "  ",
        "example.com",
        "//example.com",
        "/sale",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.com",
    ),
    *("https://", "https://user:pw@example.com/", "https://example.com\\@evil.test/", "https://exa mple.com/"),
    *("https://example.com/\r\nSet-Cookie: a=b", "https://example.com/a\tb", "https://example.com:99999/", "https://a"),
    *("https://[::1]/", "https://exa\0mple.com", "https://-example.com/", "https://example..com/", 5, None, ["x"]),
    *("https://" + "a" * 2_100 + ".com/", "https://example.com/" + "é" * 1_000, "https:///example.com/"),
]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_only_whole_web_addresses_are_destinations(address):
    (found,) = problems_of(addresses.parse_destination, address, "destination")
    assert found in [("bad_url", "destination"), ("too_long", "destination")]


def test_a_destination_is_ascii_and_keeps_its_meaning():
    parse = addresses.parse_destination
    assert parse("HTTPS://WWW.Example.com", "d") == "https://www.example.com/"
    assert parse("https://bücher.example/ä?q=ñ&a=%C3%A9#ü", "d") == (
        "https://xn--bcher-kva.example/%C3%A4?q=%C3%B1&a=%C3%A9#%C3%BC"
    )
    assert parse("http://example.com:8080/a;b?c=1&c=2", "d") == "http://example.com:8080/a;b?c=1&c=2"


def test_utm_parameters_follow_the_query_of_the_destination(settings):
    link = make_link(utm_source="leaflet", utm_campaign="Spring & you")
    assert target_of(link).destination == (
        "https://www.example.com/sale?size=xl&utm_source=leaflet&utm_campaign=Spring%20%26%20you#top"
    )
    twice = {"destination": "https://example.com/?utm_source=a", "utm_source": "b"}
    assert problems_of(make_link, "Twice", **twice) == [("given_twice", "utm_source")]
    assert problems_of(make_link, "Circle", f"{settings.LINKS_URL}/{link.code}") == [("bad_url", "destination")]


def test_all_problems_are_said_at_once_and_nothing_is_kept():
    values = {"code": "a b", "channel": "pigeon", "activity": "click_email", "utm_source": "x" * 101}
    found = problems_of(make_link, "", "nowhere", fallback="no", **values)
    assert found == [
        ("missing_value", "name"),
        ("bad_name", "code"),
        ("bad_url", "destination"),
        ("bad_url", "fallback"),
        ("too_long", "utm_source"),
        ("unknown_word", "channel"),
        ("missing_value", "email_name"),
    ]
    assert not LinkCode.objects.exists()


def test_a_code_is_taken_for_ever_in_any_case():
    link = make_link(code="Spring-Sale")
    assert link.code == "spring-sale" and addresses.short_address(link).endswith("/l/spring-sale")
    assert problems_of(make_link, "Other", code="SPRING-sale") == [("name_taken", "code")]
    editing.delete_link(link, None)
    assert problems_of(make_link, "Other", code="spring-sale") == [("name_taken", "code")], "also once it is gone"
    for code in ("ab", "a" * 51, "-ab", "a--b", "a/b", "ärger", "admin", "API", 7):
        assert problems_of(make_link, "Other", code=code) == [("bad_name", "code")], code
    made = [make_link(f"Link {number}").code for number in range(20)]
    assert len(set(made)) == 20 and all(
        addresses.is_possible_code(code) and not set(code) & set("01loi") for code in made
    )
    for statement in (
        "update link_code set code = 'x'",
        "delete from link_code",
        "truncate link_code",
        "update tracked_link set code = 'other'",
        "update link_destination set destination = 'https://evil.test/'",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_changed_destination_is_written_down_with_who_changed_it(django_user_model):
    by = django_user_model.objects.create_superuser("ana")
    link = editing.create_link("Leaflet", SALE, by)
    assert (link.owner, link.website) == (by, None)
    changed = editing.change_link(
        link, by, expected_revision=1, destination="https://www.example.com/b", channel="print"
    )
    assert changed.revision == 2
    history = list(LinkDestination.objects.values_list("destination", "changed_by"))
    assert history == [("https://www.example.com/b", by.pk), (SALE, by.pk)]
    assert editing.change_link(link, by, destination="https://www.example.com/b").revision == 2, "nothing changed"
    with pytest.raises(ConflictError):
        editing.change_link(link, by, expected_revision=1, name="Other")
    nobody = django_user_model.objects.create_user("nobody")
    for verb in (editing.change_link, editing.turn_off, editing.turn_on, editing.delete_link):
        with pytest.raises(NotAllowedError):
            verb(link, nobody)


def test_a_link_leads_on_to_its_end_and_is_deleted_only_unused():
    site, now = make_site(), timezone.now()
    link = make_link(expires_at=now, fallback="https://www.example.com/over")
    assert link.website == site, "the one that it leads to"
    target = target_of(link)
    assert target.leads_to(now - timedelta(days=1)) == SALE and target.leads_to(now).endswith("/over")
    assert target_of(editing.turn_off(link, None)).leads_to(now) == ""
    assert target_of(editing.turn_on(link, None)).leads_to(now).endswith("/over")
    assert click(link)
    assert problems_of(editing.delete_link, link, None) == [("in_use", "")]
    assert TrackedLink.objects.exists()
