"""An installation of its own with the demo and one of everything that an address can name."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.server import new_server

KEPT = "world.json"


@dataclass(frozen=True, slots=True)
class World:
    """Keys by the names in `route_walker.PLACES`, cookies of sessions by user, and texts that are users' data."""

    keys: dict[str, Any]
    sessions: dict[str, str]
    data_texts: list[str]


def kept_world(data_dir: Path) -> World:
    """The world of an earlier run, its database started again."""
    os.environ |= {"DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "config.settings"}

    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    connection.ensure_connection()
    call_command("migrate", verbosity=0)
    call_command("messages", "--compile", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    return World(**json.loads((data_dir / KEPT).read_text()))


def build_world(data_dir: Path) -> World:
    """Start a database of its own below `data_dir` and fill it; sessions are those of an administrator and a viewer."""
    new_server(data_dir)

    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group
    from django.core.management import call_command

    from config import demo
    from people.core import installation
    from people.core.models import Installation
    from tests.access import route_walker

    call_command("messages", "--compile", verbosity=0)
    Installation.objects.create(company="Brisa Motors", time_zone="Europe/Madrid", currency="EUR")
    installation.clear_installation_cache()
    users = get_user_model().objects
    vera = users.create_superuser("vera", "vera@brisa.example", first_name="Vera", last_name="Costa")
    viewer = users.create_user("tom", "tom@brisa.example", first_name="Tom", last_name="Reid", is_staff=True)
    viewer.groups.add(Group.objects.get(name="Viewer"))
    others = route_walker.build_world(vera)
    demo.load_demo(vera)
    sessions = {user.username: _session(user) for user in (vera, viewer)}
    world = World(others | _of_the_demo(), sessions, _data_texts())
    (data_dir / KEPT).write_text(json.dumps(asdict(world), default=str))
    return world


def _session(user: Any) -> str:
    from django.conf import settings
    from django.test import Client

    browser = Client()
    browser.force_login(user)
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def _of_the_demo() -> dict[str, Any]:
    """The demo's things in the places of those that were made only to have one: they are what people look at."""
    from django.db.models import Count

    from activities.log import rollup
    from activities.models import Activity, ActivityType
    from config.demo import manifest
    from smartlists.campaigns import dispatcher
    from smartlists.campaigns.running import scheduling
    from smartlists.evaluation import stored
    from smartlists.models import CampaignRun, DashboardTile, SmartList

    for run in CampaignRun.objects.order_by("pk"):
        scheduling.begin_run(run.pk)
    dispatcher.process_all_due_work()
    rollup.catch_up_rollup()
    loaded = manifest.current_manifest() or {}
    webinar = ActivityType.objects.get(api_name="attendWebinar")
    lists = SmartList.objects.filter(pk__in=loaded["list_ids"]).order_by("pk")
    for smart_list in lists:
        stored.evaluate_list(smart_list, None)
    of_type = Activity.objects.filter(activity_type_id=webinar.pk, person_id__in=loaded["person_ids"])
    busiest = of_type.values("person_id").annotate(number=Count("id")).order_by("-number", "person_id")[0]["person_id"]
    return {
        "type": webinar.pk,
        "amount": "minutes",
        "ann": busiest,
        "activity": of_type.filter(person_id=busiest).order_by("-occurred_at").first().pk,
        "smart_list": lists[1].pk,
        "static_list": loaded["static_list_ids"][0],
        "campaign": loaded["campaign_ids"][0],
        "saved_report": loaded["report_ids"][0],
        "dashboard": (tile := DashboardTile.objects.get(report=loaded["report_ids"][0])).dashboard_id,
        "tile": tile.pk,
        **_of_the_web(loaded["person_ids"][5]),
        **_of_what_comes_in(busiest, loaded["link_ids"][1]),
        "done_import": _import(),
        "open_import": _uploaded(),
    }


def _of_the_web(person_id: int) -> dict[str, Any]:
    """A web site with the visits of a recognized person."""
    from tests.activities.visitors.factories import Evidence, make_hit, make_site, make_visitor, own

    site = make_site("Brisa shop")
    visitor = make_visitor(site)
    for page in ("www.brisa.example/", "www.brisa.example/models", "www.brisa.example/test-drive"):
        make_hit(visitor, site, page)
    own(visitor, person_id, site, Evidence.FORM)
    return {"website": site.pk, "known_visitor": visitor.pk, "web_person": person_id}


def _of_what_comes_in(person_id: int, link_id: int) -> dict[str, Any]:
    """Cars, a filled-in form, and calls of another product; the person of these is the one of the timeline."""
    from activities.models import ActivityType, FormSubmission, InboundCall, InboundMapping
    from people.models import ObjectChange, ObjectType, Person
    from tests.activities.forms.factories import fill_in, make_form
    from tests.activities.inbound import factories as inbound
    from tests.people.objects import world as objects

    email = Person.objects.get(pk=person_id).email
    car = ObjectType.objects.get(api_name="car")
    rows = (
        ("1234 KLM", "Ibiza", "red", "14500"),
        ("8811 BDS", "León", "grey", "23900"),
        ("4402 MNP", "Zoe", "blue", "31200"),
    )
    for plate, model, colour, price in rows:
        record = objects.saved(car, plate=plate, model=model, colour=colour, price=price, owner=email, mileage=12_000)
    record = objects.changed(record, colour="white", mileage=18_250)
    form = make_form("Open day", event="Spring open day")
    for address, company in ((email, "Brisa"), ("marta@fair.example", "Ruiz & Co")):
        fill_in(form, address, company=company, version="1")
    webhook = inbound.make_webhook("Repair shop")
    inbound.make_mapping(webhook, ActivityType.objects.get(api_name="depositCheck"))
    inbound.receive(
        webhook, *(inbound.deposit(number=f"R-{n}", who={"email": email}) for n in range(3)), {"event": "other"}
    )
    inbound.process()
    return {
        "link": link_id,
        "object_type": car.pk,
        "object_record": record.pk,
        "object_change": ObjectChange.objects.filter(record_id=record.pk).latest("pk").pk,
        "form": form.pk,
        "submission": FormSubmission.objects.filter(form=form).latest("pk").pk,
        "inbound": webhook.pk,
        "inbound_mapping": InboundMapping.objects.get(source=webhook.source).pk,
        "inbound_call": InboundCall.objects.filter(source=webhook.source).latest("pk").pk,
    }


def _import() -> int:
    """A file of people, imported, with a rejected row."""
    from django.contrib.auth import get_user_model

    from people.files.imports import jobs as import_jobs
    from people.files.imports import runner as import_runner
    from people.files.imports.plan import ImportPlan

    by = get_user_model().objects.get(username="vera")
    rows = (
        "email,first_name,last_name\nmarta@fair.example,Marta,Ruiz\nkenji@fair.example,Kenji,Sato\nno address,Nobody,\n"
    )
    job = import_jobs.upload_file([rows.encode()], "fair-visitors.csv", "people", by)
    columns = {name: name for name in ("email", "first_name", "last_name")}
    import_jobs.set_plan(job, ImportPlan(columns=columns), by)
    import_jobs.take_step(job, "start", by, queue=False)
    import_runner.run_import(job.pk)
    return int(job.pk)


def _uploaded() -> int:
    """A file of people whose columns are to be matched."""
    from django.contrib.auth import get_user_model

    from people.files.imports import jobs as import_jobs

    rows = (
        "E-mail;Name;Company;Since;Stand visited\nana@fair.example;Ana;Ruiz & Co;03/04/2026;A12\n"
        "ben@fair.example;Ben;Sato Ltd;17/04/2026;B3\n"
    )
    by = get_user_model().objects.get(username="vera")
    return int(import_jobs.upload_file([rows.encode()], "stand-visitors.csv", "people", by).pk)


def _data_texts() -> list[str]:
    """The texts of users, which stay in their language whatever the page's."""
    from activities.models import ActivityVersion
    from people.models import StaticList
    from smartlists.models import SavedReport, SmartCampaign, SmartList

    columns: list[tuple[Any, tuple[str, ...]]] = [
        (ActivityVersion, ("name", "description", "filter_name", "trigger_name")),
        *((model, ("name",)) for model in (SmartList, StaticList, SmartCampaign, SavedReport)),
    ]
    rows = (row for model, names in columns for row in model.objects.values_list(*names))
    return sorted({text for row in rows for text in row if text})
