"""Visitors over the native API."""

import pytest

from activities.models import Association
from activities.visitors import ownership
from tests.activities.visitors.factories import log_of, make_hit, make_site, make_visitor
from tests.factories import make_person
from tests.query_budget import query_budget

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]


def test_a_visitor_is_listed_associated_and_undone(api):
    site, ann, bob = make_site(), make_person(), make_person()
    visitor, _other = make_visitor(site), make_visitor(site)
    make_hit(visitor, site, "example.com/before")
    (row,) = api.get(f"visitors?id={visitor.pk}&state=free&first_source={site.pk}").json()["results"]
    assert row["associations"] == [] and "token_hash" not in row
    owned = api.post(f"visitors/{visitor.pk}/associate", {"person": ann.pk})
    assert owned.status_code == 200, owned.content
    (association,) = owned.json()["associations"]
    assert (owned.json()["state"], association["person"], association["evidence"]) == ("owned", ann.pk, "server")
    assert log_of(ann.pk) == [("example.com/before", True)]
    undone = api.post(f"visitors/{visitor.pk}/undo", {"association": association["id"]}).json()
    assert undone["state"] == "free" and undone["associations"][0]["undone_at"] and log_of(ann.pk) == []
    again = api.post(f"visitors/{visitor.pk}/undo", {"association": association["id"]})
    assert (again.status_code, again.json()["code"]) == (409, "association_undone")
    assert api.post(f"visitors/{visitor.pk}/undo", {"association": 99_999_999}).status_code == 422
    assert api.post(f"visitors/{visitor.pk}/associate", {"person": 99_999_999}).status_code == 422
    assert api.post("visitors/99999999/associate", {"person": bob.pk}).status_code == 404
    with query_budget("api: GET visitors"):
        assert len(api.get("visitors").json()["results"]) == 2


def test_rights_to_see_and_to_associate_are_apart(narrowed):
    visitor, ann = make_visitor(make_site()), make_person()
    reader = narrowed(ownership.VIEW)
    assert reader.get(f"visitors/{visitor.pk}").json()["state"] == "free"
    assert reader.post(f"visitors/{visitor.pk}/associate", {"person": ann.pk}).status_code == 403
    blind = narrowed(ownership.VIEW, ownership.RIGHT)
    assert blind.post(f"visitors/{visitor.pk}/associate", {"person": ann.pk}).status_code == 403
    assert narrowed("people.view_person").get("visitors").status_code == 403
    assert not Association.objects.exists()


def test_pages_of_a_site_create_people_only_where_a_setting_says_so(api):
    site = make_site()
    address = f"event-sources/{site.pk}"
    assert api.get(address).json()["creates_people"] is False
    assert api.patch(address, {"creates_people": True, "people_an_hour": 5}).json()["people_an_hour"] == 5
    assert api.patch(address, {"people_an_hour": -1}).status_code == 422
