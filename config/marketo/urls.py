"""The dialect's addresses: case-sensitive, ending in .json, as Marketo spells them."""

from django.urls import path, re_path

from config.marketo import activities, identity, leads, types
from config.marketo.dispatch import endpoint, not_found

_TYPE = "rest/v1/activities/external/type/<str:api_name>"

urlpatterns = [
    path("identity/oauth/token", identity.token),
    path("rest/v1/activities.json", endpoint(GET=activities.read)),
    path("rest/v1/activities/types.json", endpoint(GET=activities.types)),
    path("rest/v1/activities/pagingtoken.json", endpoint(GET=activities.paging_token)),
    path("rest/v1/activities/external.json", endpoint(POST=activities.record)),
    path("rest/v1/activities/external/types.json", endpoint(GET=types.all_types)),
    path("rest/v1/activities/external/type.json", endpoint(POST=types.create)),
    path(f"{_TYPE}/describe.json", endpoint(GET=types.describe)),
    path(f"{_TYPE}/approve.json", endpoint(POST=types.approve)),
    path(f"{_TYPE}/discardDraft.json", endpoint(POST=types.discard_draft)),
    path(f"{_TYPE}/delete.json", endpoint(POST=types.delete)),
    path(f"{_TYPE}/attributes/create.json", endpoint(POST=types.create_attributes)),
    path(f"{_TYPE}/attributes/update.json", endpoint(POST=types.update_attributes)),
    path(f"{_TYPE}/attributes/delete.json", endpoint(POST=types.delete_attributes)),
    path(f"{_TYPE}.json", endpoint(POST=types.update)),
    path("rest/v1/leads.json", endpoint(GET=leads.by_filter, POST=leads.sync)),
    path("rest/v1/lead/<int:person_id>.json", endpoint(GET=leads.by_id)),
    re_path(r"^(?:rest|bulk)(?:/|$)", not_found),
]
