"""The pages to visit: the routes of the URL resolver that answer a GET with a whole page, and states of some of them."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.screenshots.world import World

PLACES = ("admin/", "account/", "setup/", "join/", "api/docs/")
# routes that are no page of ours, leave the session, or are reached by another route
NOT_VISITED = re.compile(r"logout|autocomplete|jsi18n|/history/|procrastinate|<path:object_id>/$|/sso/|/r/<|auth/group")
# pages in the states that people see them in; (name, address, user)
TYPE, LIST, PEOPLE = "/admin/activities/activitytype", "/admin/smartlists/smartlist", "/admin/people/person"
STATES = (
    ("people, filtered", f"{PEOPLE}/?did={{type}}&new=country", "vera"),
    ("people, nobody", f"{PEOPLE}/?q=zzzz", "vera"),
    ("type, all time", f"{TYPE}/{{type}}/change/?days=all", "vera"),
    ("types, standard", f"{TYPE}/?state=standard", "vera"),
    ("new type from template", f"{TYPE}/add/?template=webinar", "vera"),
    ("new list from template", f"{LIST}/add/?template=quiet", "vera"),
    ("new campaign from template", "/admin/smartlists/smartcampaign/add/?template=follow_up", "vera"),
    ("record, form", f"{TYPE}/record/{{ann}}/?type={{type}}", "vera"),
    ("record again", f"{TYPE}/record/{{ann}}/?again={{activity}}", "vera"),
    ("trend", "/admin/reports/?report=trend&type={type}&days=90", "vera"),
    ("trend, months compared", "/admin/reports/?report=trend&type={type}&days=365&interval=month&compare=on", "vera"),
    ("funnel", "/admin/reports/?report=funnel&step_1={type}&step_2={type}", "vera"),
    ("breakdown", "/admin/reports/?report=breakdown&type={type}", "vera"),
    ("top people", "/admin/reports/?report=people&type={type}", "vera"),
    ("404", "/admin/nowhere/", "vera"),
    ("403", "/admin/access/user/", "tom"),
    ("403, adding", f"{TYPE}/add/", "tom"),
    ("home of a viewer", "/admin/", "tom"),
    ("person of a viewer", f"{PEOPLE}/{{ann}}/change/", "tom"),
    ("smart list, history", f"{LIST}/{{smart_list}}/history/", "vera"),
    ("web site, install", "/admin/activities/eventsource/{website}/install/", "vera"),
    ("web site, live", "/admin/activities/eventsource/{website}/live/", "vera"),
    ("web site, settings", "/admin/activities/eventsource/{website}/change/", "vera"),
    ("visitor, known", "/admin/activities/visitor/{known_visitor}/change/", "vera"),
    ("timeline, from the web", f"{TYPE}/timeline/{{web_person}}/", "vera"),
    ("import, columns", "/admin/people/import/{open_import}/columns/?subject=people", "vera"),
    ("import, done", "/admin/people/import/{done_import}/change/", "vera"),
    ("import, undo", "/admin/people/import/{done_import}/take-back/", "vera"),
    ("sign in", "/admin/login/", ""),
)


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    address: str
    user: str  # empty: without signing in


def pages(world: World) -> Iterator[Page]:
    """Yield every page once: those of the resolver that are whole pages for the administrator, then `STATES`."""
    from django.test import Client

    from tests.access import route_walker

    browser = Client()
    browser.cookies["sessionid"] = world.sessions["vera"]
    logging.disable(logging.WARNING)  # forbidden and missing addresses are no pages
    seen = set()
    for route in route_walker.routes():
        if not route.startswith(PLACES) or NOT_VISITED.search(route):
            continue
        address = route_walker.address(route, world.keys)
        if address in seen:
            continue
        seen.add(address)
        reply = browser.get(address, headers={"host": "127.0.0.1"})
        if reply.status_code == 200 and not reply.streaming and b"<html" in reply.content:
            yield Page(route.removeprefix("admin/").rstrip("/$") or "home", address, "vera")
    logging.disable(logging.NOTSET)
    for name, address, user in STATES:
        yield Page(name, address.format(**world.keys), user)
