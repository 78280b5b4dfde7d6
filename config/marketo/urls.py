"""The dialect's addresses: case-sensitive, ending in .json, as Marketo spells them."""

from django.urls import path, re_path

from config.marketo import (
    activities,
    assets,
    changes,
    identity,
    lead_fields,
    leads,
    lists,
    static_lists,
    statistics,
    types,
)
from config.marketo.dispatch import asset_endpoint, endpoint, not_found

_TYPE = "rest/v1/activities/external/type/<str:api_name>"
_ASSET = "rest/asset/v1"

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
    path("rest/v1/leads/<int:lead_id>/listMembership.json", endpoint(GET=lists.of_lead)),
    path("rest/v1/lists.json", endpoint(GET=lists.all_lists)),
    path("rest/v1/lists/<int:list_id>.json", endpoint(GET=lists.one)),
    path("rest/v1/lists/<int:list_id>/leads.json", endpoint(GET=lists.members, POST=lists.add, DELETE=lists.remove)),
    path("rest/v1/list/<int:list_id>/leads.json", endpoint(GET=lists.members, POST=lists.add, DELETE=lists.remove)),
    path("rest/v1/lists/<int:list_id>/leads/ismember.json", endpoint(GET=lists.is_member)),
    path("rest/v1/campaigns.json", endpoint(GET=lists.no_campaigns)),
    path("rest/v1/stats/usage.json", endpoint(GET=statistics.usage_today)),
    path("rest/v1/stats/usage/last7days.json", endpoint(GET=statistics.usage_of_week)),
    path("rest/v1/stats/errors.json", endpoint(GET=statistics.errors_today)),
    path("rest/v1/stats/errors/last7days.json", endpoint(GET=statistics.errors_of_week)),
    path(f"{_ASSET}/staticLists.json", asset_endpoint(GET=static_lists.all_lists, POST=static_lists.create)),
    path(f"{_ASSET}/staticList/byName.json", asset_endpoint(GET=static_lists.by_name)),
    path(f"{_ASSET}/staticList/<int:list_id>.json", asset_endpoint(GET=static_lists.one, POST=static_lists.update)),
    path(f"{_ASSET}/staticList/<int:list_id>/delete.json", asset_endpoint(POST=static_lists.delete)),
    path(f"{_ASSET}/folder/byName.json", asset_endpoint(GET=assets.folder_by_name)),
    # §4: what clients probe before they start
    path(f"{_ASSET}/programs.json", asset_endpoint(GET=assets.nothing)),
    path(f"{_ASSET}/segmentation.json", asset_endpoint(GET=assets.nothing)),
    path(f"{_ASSET}/emails.json", asset_endpoint(GET=assets.nothing)),
    path(f"{_ASSET}/folder/<int:folder_id>/tokens.json", asset_endpoint(GET=assets.nothing)),
    path(f"{_ASSET}/program/<int:program_id>/smartList.json", asset_endpoint(GET=assets.nothing)),
    path(f"{_ASSET}/smartCampaign/<int:campaign_id>/smartList.json", asset_endpoint(GET=assets.nothing)),
    # the bulk API (§5) comes before this line
    re_path(r"^(?:rest|bulk|userservice)(?:/|$)", not_found),
]
