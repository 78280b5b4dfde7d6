"""The dialect's addresses: case-sensitive, ending in .json, as Marketo spells them."""

from django.urls import path, re_path

from config.marketo import activities, changes, identity, lead_fields, leads, statistics, types
from config.marketo.dispatch import endpoint, not_found

_TYPE = "rest/v1/activities/external/type/<str:api_name>"

urlpatterns = [
    path("identity/oauth/token", identity.token),
    path("rest/v1/activities.json", endpoint(GET=activities.read)),
    path("rest/v1/activities/types.json", endpoint(GET=activities.types)),
    path("rest/v1/activities/pagingtoken.json", endpoint(GET=activities.paging_token)),
    path("rest/v1/activities/leadchanges.json", endpoint(GET=changes.lead_changes)),
    path("rest/v1/activities/deletedleads.json", endpoint(GET=changes.deleted_leads)),
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
    path("rest/v1/lead/<int:lead_id>.json", endpoint(GET=leads.by_id)),
    path("rest/v1/leads/<int:lead_id>/associate.json", endpoint(POST=leads.associate)),
    path("rest/v1/leads/partitions.json", endpoint(GET=leads.partitions)),
    path("rest/v1/leads/describe.json", endpoint(GET=lead_fields.describe)),
    path("rest/v1/leads/describe2.json", endpoint(GET=lead_fields.describe2)),
    path("rest/v1/leads/schema/fields.json", endpoint(GET=lead_fields.schema)),
    path("rest/v1/leads/schema/fields/<str:name>.json", endpoint(GET=lead_fields.schema_of)),
    path("rest/v1/stats/usage.json", endpoint(GET=statistics.usage_today)),
    path("rest/v1/stats/usage/last7days.json", endpoint(GET=statistics.usage_of_week)),
    path("rest/v1/stats/errors.json", endpoint(GET=statistics.errors_today)),
    path("rest/v1/stats/errors/last7days.json", endpoint(GET=statistics.errors_of_week)),
    # the bulk API (§5) comes before this line
    re_path(r"^(?:rest|bulk|userservice)(?:/|$)", not_found),
]
