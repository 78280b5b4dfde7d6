"""Bounds of answers: every route that programs read ends its pages early, or is bounded otherwise."""

import json
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.urls import resolve, reverse

from activities.log import reader as log_reader
from activities.models import ActivityType
from activities.types import files as type_files
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.marketo.wire import paging
from people.admin import transfers
from people.core.errors import RejectedError
from people.core.source import SYSTEM
from people.definitions import differences, drafts, lifecycle
from people.files.exports import jobs as export_jobs
from people.files.exports.kinds import KINDS
from people.lists import static_lists
from people.models import Export, ObjectType, Person
from people.persons import deletion
from people.rest.viewsets import ListMixin
from tests.access.route_walker import address, build_world
from tests.access.test_routes import JSON, MARKETO, table
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.people.objects import world as objects

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]

# pages of the Marketo API with rows as large as people and activities are; their parameters beside the token
LARGE_PAGES = {
    "rest/v1/activities.json": {"activityTypeIds": "12,13"},
    "rest/v1/activities/leadchanges.json": {"fields": "firstName,city"},
    "rest/v1/activities/deletedleads.json": {},
    "rest/v1/leads.json": {"filterType": "email", "filterValues": "ana0@example.com,ana1@example.com"},
    "rest/v1/lists/<int:list_id>/leads.json": {},
    "rest/v1/list/<int:list_id>/leads.json": {},
    "rest/v1/customobjects/<str:api_name>.json": {"filterType": "plate", "filterValues": "1,2"},
}
# rows of a known size (names, descriptions, ids, states): at most 300 a page, 200 of assets
SMALL_PAGES = (
    "rest/v1/leads/schema/fields.json",
    "rest/v1/leads/<int:lead_id>/listMembership.json",
    "rest/v1/lists.json",
    "rest/v1/lists/<int:list_id>/leads/ismember.json",
    "rest/v1/campaigns.json",
    "rest/asset/v1/staticLists.json",
    "rest/asset/v1/smartLists.json",
    "rest/asset/v1/folders.json",
    "rest/asset/v1/folder/<int:folder_id>/content.json",
    "rest/asset/v1/smartCampaigns.json",
    "bulk/v1/<bulk_kind:kind>/export.json",
)
# all there is of what a team defines: as much as the limits of types and fields allow, or of a user's own tokens
DEFINITIONS = (
    "rest/v1/activities/types.json",
    "rest/v1/activities/external/types.json",
    "rest/v1/leads/describe.json",
    "rest/v1/leads/describe2.json",
    "rest/v1/customobjects.json",
    "rest/v1/customobjects/schema.json",
    "rest/v1/customobjects/schema/fieldDataTypes.json",
    "rest/v1/customobjects/schema/linkableObjects.json",
    "rest/v1/customobjects/schema/<str:api_name>/describe.json",
    "rest/v1/customobjects/schema/<str:api_name>/dependentAssets.json",
    "rest/v1/customobjects/<str:api_name>/describe.json",
    "api/v1/activity-types/<str:pk>/fields",
    "api/v1/object-types/<str:pk>/fields",
    "api/v1/me/tokens",
    "api/v1/openapi.json",
)
# 100 of a definition's versions, fewer where they are large; Link leads to the others
VERSIONS = ("api/v1/activity-types/<str:pk>/versions", "api/v1/object-types/<str:pk>/versions")
# one object, or a few figures of it
OBJECTS = (
    "rest/v1/activities/pagingtoken.json",
    "rest/v1/activities/external/type/<str:api_name>/describe.json",
    "rest/v1/lead/<int:lead_id>.json",
    "rest/v1/leads/partitions.json",
    "rest/v1/leads/schema/fields/<str:name>.json",
    "rest/v1/lists/<int:list_id>.json",
    "rest/v1/campaigns/<int:campaign_id>.json",
    "rest/v1/stats/usage.json",
    "rest/v1/stats/usage/last7days.json",
    "rest/v1/stats/errors.json",
    "rest/v1/stats/errors/last7days.json",
    "rest/asset/v1/staticList/byName.json",
    "rest/asset/v1/staticList/<int:list_id>.json",
    "rest/asset/v1/smartList/byName.json",
    "rest/asset/v1/smartList/<int:list_id>.json",
    "rest/asset/v1/folder/byName.json",
    "rest/asset/v1/folder/<int:folder_id>.json",
    "rest/asset/v1/smartCampaign/byName.json",
    "rest/asset/v1/smartCampaign/<int:campaign_id>.json",
    "bulk/v1/<bulk_kind:kind>/export/<uuid:key>/status.json",
    "bulk/v1/leads/batch/<int:batch_id>.json",
    "bulk/v1/activities/import/<int:batch_id>/status.json",
    "bulk/v1/customobjects/<str:api_name>/import/<int:batch_id>/status.json",
    "api/v1/me",
    "api/v1/activities/consents",
    "api/v1/activity-types/<str:pk>/versions/<int:number>",
    "api/v1/object-types/<str:pk>/versions/<int:number>",
    "api/v1/activity-types/<str:pk>/quality",
    "api/v1/objects/<str:object_type>/<int:pk>/history",  # 50 changes of a record of 64 KB
    "api/v1/inbound-webhooks/<int:webhook>/mappings/<int:pk>/trial",  # of ten calls
    "api/v1/links/<int:pk>/counts",  # of 30 days
    "api/v1/reports/figures",
    "api/v1/reports/<int:pk>/figures",
    "api/v1/imports/<int:pk>/take-back",
    "api/v1/smart-lists/<int:pk>/count",
    "api/v1/smart-lists/<int:pk>/explain/<int:person>",
    "api/v1/smart-lists/<int:pk>/health",
    "api/v1/smart-lists/<int:pk>/text",
    "api/v1/smart-campaigns/<int:pk>/activation",
    "api/v1/smart-campaigns/<int:pk>/health",
    "api/v1/smart-campaigns/<int:pk>/summary",
    "api/v1/event-sources/<int:pk>/usage",
    "api/v1/event-sources/<int:pk>/events",  # the last 100, each title of 300 characters at most
    "api/v1/inbound-webhooks/<int:pk>/replay",
    "api/v1/inbox/<int:pk>/replay",
)
# sent in pieces, as large as the request
FILES = (
    "bulk/v1/<bulk_kind:kind>/export/<uuid:key>/file.json",
    "bulk/v1/leads/batch/<int:batch_id>/failures.json",
    "bulk/v1/leads/batch/<int:batch_id>/warnings.json",
    "bulk/v1/activities/import/<int:batch_id>/failures.json",
    "bulk/v1/activities/import/<int:batch_id>/warnings.json",
    "bulk/v1/customobjects/<str:api_name>/import/<int:batch_id>/failures.json",
    "bulk/v1/customobjects/<str:api_name>/import/<int:batch_id>/warnings.json",
    "api/v1/exports/<int:pk>/file",
)
# ids only, at most 1,000
IDS = ("api/v1/smart-lists/<int:smart_list>/members",)
# always empty, and pages of the documentation
NOTHING = (
    "rest/asset/v1/programs.json",
    "rest/asset/v1/segmentation.json",
    "rest/asset/v1/emails.json",
    "rest/asset/v1/folder/<int:folder_id>/tokens.json",
    "rest/asset/v1/program/<int:program_id>/smartList.json",
    "rest/asset/v1/smartCampaign/<int:campaign_id>/smartList.json",
    "(?:rest|bulk|userservice)(?:/|$)",
    "api/v1/[\\s\\S]*$",
    "api/v1",
    "api/docs/",
    "api/docs/guide",
    "api/docs/problems/<slug:code>",
)
BOUNDED = {*SMALL_PAGES, *DEFINITIONS, *VERSIONS, *OBJECTS, *FILES, *IDS, *NOTHING}


def native_view(route, world):
    match = resolve(address(route, world))
    actions = getattr(match.func, "actions", None) or {}
    return getattr(match.func, "cls", None), actions.get("get")


class Reader:
    """A program that follows pages to their end."""

    def __init__(self, client, owner):
        program = client_editing.create_client("Reader", owner, None, client_editing.grantable_rights()).client
        self.client = client
        self.native, self.marketo = tokens.issue_token(program).text, client_editing.client_token(program).text

    def get(self, path, token):
        reply = self.client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert reply.status_code == 200, (path, reply.content[:300])
        return reply.json()

    def native_pages(self, path):
        pages = []
        while path:
            body = self.get(path, self.native)
            pages.append(body["results"])
            path = body["next"]
        return pages

    def marketo_pages(self, path, parameters, token):
        pages = []
        while True:
            given = parameters | ({"nextPageToken": token} if token else {})
            body = self.get(f"{path}?{urlencode(given)}", self.marketo)
            assert body["success"], (path, body)
            # `seq` counts the rows of a reply
            pages.append([{name: row[name] for name in row if name != "seq"} for row in body["result"]])
            token = body.get("nextPageToken")
            if not body.get("moreResult", bool(token)):
                return pages


@pytest.fixture
def world(db):
    """Two or more of what is listed most, and one of all else."""
    approved_type("Wave Hand", "waveHand")
    built = build_world(get_user_model().objects.create_superuser("olga"))
    spaniards = [
        make_person(email=f"ana{number}@example.com", first_name="Ana", country="Spain", city="Vigo")
        for number in range(3)
    ]
    record_rows(*(new_activity(person.pk) for person in spaniards))
    static_lists.add_members(
        static_lists.StaticList.objects.get(pk=built["static_list"]), [person.pk for person in spaniards], SYSTEM
    )
    static_lists.create_static_list("More guests", None)
    deletion.delete_people([make_person().pk], None, SYSTEM)
    objects.saved(ObjectType.objects.get(api_name="car"), plate="2")
    return built


def test_every_answer_is_bounded_and_pages_that_end_early_lose_nothing(client, world, settings, own_rows_read):
    reader = Reader(client, get_user_model().objects.get(username="olga"))
    unknown, several = [], set()
    for route in (route for route, methods in table().items() if route.startswith(JSON) and "GET" in methods):
        path = address(route, world)
        view, action = native_view(route, world)
        if route in LARGE_PAGES:
            is_log = "activities" in route
            token = paging.encode_position(log_reader.ReadPosition(None, 0, 0)) if is_log else ""
            read = lambda: reader.marketo_pages(path, LARGE_PAGES[route], token)  # noqa: B023, E731
        elif view is not None and issubclass(view, ListMixin) and action == "list" and route not in IDS:
            read = lambda: reader.native_pages(path)  # noqa: B023, E731
        else:
            is_object = not route.startswith(MARKETO) and action == "retrieve"
            unknown += [] if is_object or route in BOUNDED else [route]
            continue
        settings.API_PAGE_BYTES = 10_000_000
        (whole,) = read()
        settings.API_PAGE_BYTES = 1
        pages = read()
        assert all(len(page) <= 1 for page in pages), route
        assert [row for page in pages for row in page] == whole, route
        several |= {route} if len(whole) > 1 else set()
    assert not unknown, f"say what bounds the answers of {unknown}"
    assert {*table()} >= BOUNDED and {*LARGE_PAGES} <= several, {*LARGE_PAGES} - several
    assert len(several) > 12 and Person.objects.live().exists()


def test_a_page_holds_what_fits(client, world, settings):
    """The bound counts the rows as JSON, and is never passed by more than one row."""
    reader = Reader(client, get_user_model().objects.get(username="olga"))
    settings.API_PAGE_BYTES = 2_500
    pages = reader.native_pages("/api/v1/people?page_size=1000")
    assert len(pages) > 1 and max(map(len, pages)) > 1


@pytest.fixture
def several_versions(world):
    """An activity type and an object type of the world, with the kind's name in addresses: five versions each."""
    found = []
    for kind, model, name in (
        ("activity-types", ActivityType, "activities_activitytype"),
        ("object-types", ObjectType, "people_objecttype"),
    ):
        definition = model.objects.all().custom().exclude(live=None).order_by("pk").first()
        while definition.live.number < 5:
            drafts.edit_draft_names(definition, None, description=f"After {definition.live.number}")
            lifecycle.approve_draft(definition, None)
            definition.refresh_from_db()
        found.append((kind, definition, name))
    return found


def test_versions_of_a_definition_are_bounded_and_listed_in_parts(
    client, admin_client, several_versions, settings, monkeypatch
):
    monkeypatch.setattr(lifecycle, "MAX_VERSIONS", 5)
    monkeypatch.setattr(differences, "SHOWN_VERSIONS", 2)
    reader = Reader(client, get_user_model().objects.get(username="olga"))
    for kind, definition, name in several_versions:
        path, numbers, replies = f"/api/v1/{kind}/{definition.pk}/versions", [], 0
        settings.API_PAGE_BYTES = 1
        while path:
            reply = client.get(path, headers={"Authorization": f"Bearer {reader.native}"})
            numbers += [version["number"] for version in reply.json()]
            path, replies = reply.headers.get("Link", "").partition(">")[0].removeprefix("<"), replies + 1
        assert (numbers, replies) == ([1, 2, 3, 4, 5], 5)
        settings.API_PAGE_BYTES = 10_000_000
        wrong = client.get(
            f"/api/v1/{kind}/{definition.pk}/versions?after=x", headers={"Authorization": f"Bearer {reader.native}"}
        )
        assert wrong.status_code == 400
        page = reverse(
            f"admin:{name}_versions" if kind == "activity-types" else f"admin:{name}_change", args=[definition.pk]
        )
        assert "?before=4" in admin_client.get(page).text
        assert "?before=2" in admin_client.get(f"{page}?before=4").text
        last = admin_client.get(f"{page}?before=2").text
        assert "Version 1" in last and "Older versions" not in last
        drafts.edit_draft_names(definition, None, description="One more")
        with pytest.raises(RejectedError, match="at most 5 versions"):
            lifecycle.approve_draft(definition, None)


# pages that answer with a file, and the query for it: all are sent in pieces from rows read in pieces
FILES_OF_PAGES = {
    "admin/audit/export/": "",
    "admin/people/export/<int:pk>/file/": "",
    "admin/people/import/<int:pk>/report/": "",
    "admin/people/objectrecord/of/<int:type_id>/": "file=csv",
    "admin/activities/activitytype/export/": "",
    "admin/activities/activitytype/timeline/<int:person_id>/export/": "",
    "admin/smartlists/smartlist/<int:pk>/export/": "",
    "admin/smartlists/smartcampaign/<int:pk>/results.csv": "",
}
# the rows of one page: figures, a user's own codes, a page of the demo site
SMALL_FILES = {
    "account/codes/download/": "",
    "demo-site/price-list.csv": "",
    "admin/activities/trackedlink/<int:pk>/code.<slug:extension>": "",  # one QR code
}
POSTED_FILES = {"admin/people/person/<int:pk>/archive.json": ""}


def test_every_file_of_a_page_is_sent_in_pieces(admin_client, world, monkeypatch, settings, tmp_path):
    settings.FILES_DIR = tmp_path
    export = Export.objects.get(pk=world["export"])
    Export.objects.filter(pk=export.pk).update(state=Export.State.COMPLETED)
    export_jobs.export_path(export).write_bytes(b"id\n1\n")
    monkeypatch.setattr("django.template.backends.django.Template.render", lambda *_given, **_more: "")
    for route in (route for route, methods in table().items() if not route.startswith(JSON)):
        if route in POSTED_FILES:
            reply = admin_client.post(address(route, world))
        elif "GET" in table()[route]:
            reply = admin_client.get(f"{address(route, world)}?{FILES_OF_PAGES.get(route, '')}")
        else:
            continue
        is_file = "attachment" in reply.headers.get("Content-Disposition", "")
        is_known = route in {**FILES_OF_PAGES, **POSTED_FILES}
        assert not is_file or is_known or route in SMALL_FILES, f"say what bounds the file of {route}"
        assert not is_known or (is_file and reply.streaming), (route, reply.status_code)


def test_a_long_file_of_a_page_is_written_in_the_background(admin_client, world, monkeypatch, settings, tmp_path):
    settings.FILES_DIR = tmp_path
    routes = ("admin/smartlists/smartlist/<int:pk>/export/", "admin/smartlists/smartcampaign/<int:pk>/results.csv")
    assert all(len(kind) <= Export._meta.get_field("kind").max_length for kind in KINDS)
    monkeypatch.setattr(transfers, "AT_ONCE", -1)
    before = set(Export.objects.values_list("pk", flat=True))
    for route in routes:
        reply = admin_client.get(address(route, world))
        export = Export.objects.exclude(pk__in=before).latest("pk")
        assert reply.headers["Location"] == reverse("admin:people_export_change", args=[export.pk])
        assert export.state == Export.State.QUEUED and export.parameters["excel_safe"]
        export_jobs.run_export(export.pk)
        export.refresh_from_db()
        assert export.state == Export.State.COMPLETED, export.fault


def test_a_document_of_types_is_the_same_in_pieces(world):
    types = ActivityType.objects.all().with_versions().order_by("pk")
    for chosen in (types, types[:1], types.none()):
        whole = json.dumps(type_files.types_as_document(chosen), indent=2, ensure_ascii=False) + "\n"
        assert "".join(type_files.document_pieces(chosen)) == whole
