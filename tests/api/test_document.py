"""The OpenAPI document: valid, whole, with every approved type as a schema of its own."""

import json
import re

import pytest
from django.contrib.auth import get_user_model
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

from activities.models import ActivityType
from config.api import openapi, views
from config.api.urls import router
from people.definitions import lifecycle
from tests.factories import approved_type, draft_type, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def made():
    """The document's bytes, once made: each test makes the same types, and looks at them only."""
    return []


@pytest.fixture
def document(api, made):
    approved_type()
    draft_type("Attend Webinar", "attendWebinar")
    if not made:
        reply = api.get("openapi.json")
        assert reply.status_code == 200
        made.append(reply.content)
    return json.loads(made[0])


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                yield path, method, operation


def test_it_needs_somebody_known(nobody):
    assert nobody.get("openapi.json").status_code == 401


@pytest.mark.parametrize("is_public", [True, False])
def test_the_pages_of_the_api_are_public_where_the_setting_says_so(client, nobody, settings, is_public):
    settings.API_DOCS_PUBLIC = is_public
    assert (nobody.get("openapi.json").status_code == 200) is is_public
    for address in ("/api/docs/", "/api/docs/guide"):
        reply = client.get(address)
        assert reply.status_code == (200 if is_public else 302), address
    assert nobody.get("activities").status_code == 401, "documents only"


def test_the_owner_of_a_client_reads_the_pages_whatever_their_role(client):
    owner = get_user_model().objects.create_user("olga", password="x")
    client.force_login(owner, backend="config.access.backends.EffectiveRightsBackend")
    for address in ("/api/docs/", "/api/docs/guide", "/api/v1/openapi.json"):
        assert client.get(address).status_code == 200, address


def test_it_is_openapi_3_1_with_an_id_and_a_summary_for_every_operation(document):
    assert document["openapi"].startswith("3.1")
    ids = [operation["operationId"] for _path, _method, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations(document):
        assert operation.get("summary"), (method, path)
        assert "401" in operation["responses"] or path.endswith("/token"), (method, path)


def test_every_route_is_in_it(document):
    count = sum(len(set(pattern.callback.actions) - {"head"}) for pattern in router.urls)
    assert len(list(operations(document))) >= count


def test_every_component_is_a_json_schema_and_every_reference_leads_somewhere(document):
    def references(value):
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        assert name
    missing = {one for one in references(document) if one.removeprefix("#/components/schemas/") not in schemas}
    assert not missing


def test_every_body_has_an_example_that_fits_and_every_parameter_a_description(document):
    for path, method, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (method, path, parameter["name"])
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body is None or path.endswith("/token"):
            continue
        shown = [body["example"]] if "example" in body else [one["value"] for one in body["examples"].values()]
        validator = Draft202012Validator({**body["schema"], "components": document["components"]})
        for one in shown:
            assert not list(validator.iter_errors(one)), (method, path, one)


# phrases that only their author understands, and sentences without a subject
UNCLEAR = re.compile(
    r"^(Of|Who|Whom|Whose|Which)\b(?!.*\?$)|^Only (these|where)\b|\b(whom|for ever|told|says?|taken? back|whose rights)\b",
    re.IGNORECASE,
)


def test_what_a_writing_operation_asks_for_is_no_filter(document):
    for path, method, operation in operations(document):
        for parameter in operation.get("parameters", ()) if method != "get" else ():
            assert not parameter["description"].startswith("Only objects"), (path, method, parameter["name"])


def test_what_makes_nothing_new_answers_200(document):
    """A generated client reads no answer of a status that the document does not have."""
    for path in ("/api/v1/static-lists/{static_list}/members", "/api/v1/static-lists/{static_list}/members/remove"):
        assert (
            "200" in document["paths"][path]["post"]["responses"]
            and "201" not in document["paths"][path]["post"]["responses"]
        ), path


def test_descriptions_are_understood_without_the_code(document):
    def texts(value):
        if isinstance(value, dict):
            for name, inner in value.items():
                if name in ("description", "summary") and isinstance(inner, str):
                    yield inner
                else:
                    yield from texts(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from texts(inner)

    shown = set(texts(document))
    assert len(shown) > 500
    assert not [text for text in shown if UNCLEAR.search(text)]


def snake_case(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def test_ids_are_required_names_are_free_and_nothing_is_a_schema_that_generators_trip_over(document):
    schemas = document["components"]["schemas"]
    shown = {name: one for name, one in schemas.items() if "id" in one.get("properties", {})}
    optional = {name for name, one in shown.items() if "id" not in one.get("required", ())}
    assert optional == {"ObjectOutcome", "ObjectRecordGiven", "Outcome", "PersonOutcome", "PersonRow"}, (
        "a refused row has none"
    )
    assert not {"List", "Type", "Field", "ApiClient"} & schemas.keys()
    alike = {name: schema.get("properties", {}).get(snake_case(name), {}) for name, schema in schemas.items()}
    named_alike = {name for name, member in alike.items() if {"items", "$ref", "allOf"} & member.keys()}
    assert not named_alike, (
        "generators give a variable the name of the schema, and one of another type that of the member"
    )
    assert {one["name"] for one in document["tags"]} == {
        tag for _path, _method, operation in operations(document) for tag in operation["tags"]
    }
    assert document["servers"]

    def walk(value):
        if isinstance(value, dict):
            for choice in ("oneOf", "anyOf", "allOf"):
                assert {} not in value.get(choice, ()), value
            for name, member in (value.get("properties") or {}).items():
                assert not isinstance(member, bool), (name, value)
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(inner)

    walk(schemas)


def test_each_approved_type_is_a_schema_discriminated_by_type(document, api):
    schemas = document["components"]["schemas"]
    given = schemas["ActivityGiven"]
    assert given["discriminator"]["propertyName"] == "activity_type"
    assert given["discriminator"]["mapping"] == {"depositCheck": "#/components/schemas/ActivityGiven.depositCheck"}
    typed = schemas["ActivityGiven.depositCheck"]
    assert schemas["ActivityAttributes.depositCheck"]["properties"]["amount"]["type"] == "number"
    validator = Draft202012Validator({**typed, "components": document["components"]})
    good = typed["examples"][0]
    assert not list(validator.iter_errors(good))
    assert list(validator.iter_errors({**good, "attributes": {"amount": "twelve"}}))
    assert list(validator.iter_errors({**good, "attributes": {"colour": 1}}))
    make_person(email=good["person"]["email"])
    assert api.post("activities", good).status_code == 201


def test_it_is_generated_again_when_a_type_has_changed_and_only_then(document, api, client, monkeypatch):
    generated = []
    generate = SchemaGenerator.get_schema
    monkeypatch.setattr(SchemaGenerator, "get_schema", lambda *a, **k: generated.append(1) or generate(*a, **k))
    views._generated.cache_clear()
    first = api.get("openapi.json").json()
    again = client.get("/api/v1/openapi.json", headers={"Host": "127.0.0.1", **api.headers}).json()
    assert len(generated) == 1 and again["servers"][0]["url"] == "http://127.0.0.1"
    assert {**again, "servers": first["servers"]} == first
    lifecycle.retire_definition(ActivityType.objects.get(api_name="depositCheck"), None)
    assert "ActivityGiven.depositCheck" not in api.get("openapi.json").json()["components"]["schemas"]
    assert len(generated) == 2


def test_the_pages_come_from_here_alone(client, admin_user, document):
    client.force_login(admin_user, backend="config.access.backends.EffectiveRightsBackend")
    for query in ("", "?script="):
        page = client.get(f"/api/docs/{query}")
        assert page.status_code == 200
        assert b"https://cdn" not in page.content and b"jsdelivr" not in page.content
    page = client.get("/api/v1/activity-types", headers={"Accept": "text/html"})
    assert page["Content-Type"].startswith("text/html") and b"visitWebPage" in page.content


def test_pages_are_for_people_who_are_logged_in(client, db):
    assert client.get("/api/docs/").status_code == 302


def test_it_is_the_same_byte_for_byte_from_every_process(document):
    """The framework keeps the methods of a path in a set, whose order changes with the process."""
    for path, methods in document["paths"].items():
        assert list(methods) == sorted(methods, key=openapi.METHODS.index), path
