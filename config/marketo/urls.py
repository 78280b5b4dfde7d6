"""The Marketo API's addresses, spelled as in Marketo: case-sensitive, ending in .json."""

from django.urls import URLPattern, path, re_path, register_converter

from config.marketo.bulk import exports as bulk_exports
from config.marketo.bulk import imports as bulk_imports
from config.marketo.resources import (
    activities,
    activity_types,
    assets,
    campaigns,
    changes,
    folders,
    identity,
    lead_fields,
    lead_removal,
    leads,
    lists,
    smart_lists,
    static_lists,
    stats,
)
from config.marketo.wire.endpoint import asset_endpoint, endpoint, not_found

_TYPE = "rest/v1/activities/external/type/<str:api_name>"
_ASSET = "rest/asset/v1"
_EXPORT = "bulk/v1/<bulk_kind:kind>/export"


class BulkKind:
    """Path converter of the kinds of bulk exports (§5.1)."""

    regex = "|".join(bulk_exports.KINDS)

    def to_python(self, value: str) -> str:
        return value

    to_url = to_python


def _batches(base: str, kind: str, status: str) -> list[URLPattern]:
    extra = {"kind": kind}
    return [
        path(f"{base}{status}", endpoint(GET=bulk_imports.status), extra),
        path(f"{base}/failures.json", endpoint(GET=bulk_imports.failures), extra),
        path(f"{base}/warnings.json", endpoint(GET=bulk_imports.warnings), extra),
    ]


register_converter(BulkKind, "bulk_kind")

urlpatterns = [
    path("identity/oauth/token", identity.token),
    path("rest/v1/activities.json", endpoint(GET=activities.read)),
    path("rest/v1/activities/types.json", endpoint(GET=activities.types)),
    path("rest/v1/activities/pagingtoken.json", endpoint(GET=activities.paging_token)),
    path("rest/v1/activities/leadchanges.json", endpoint(GET=changes.lead_changes)),
    path("rest/v1/activities/deletedleads.json", endpoint(GET=changes.deleted_leads)),
    path("rest/v1/activities/external.json", endpoint(POST=activities.record)),
    path("rest/v1/activities/external/types.json", endpoint(GET=activity_types.all_types)),
    path("rest/v1/activities/external/type.json", endpoint(POST=activity_types.create)),
    path(f"{_TYPE}/describe.json", endpoint(GET=activity_types.describe)),
    path(f"{_TYPE}/approve.json", endpoint(POST=activity_types.approve)),
    path(f"{_TYPE}/discardDraft.json", endpoint(POST=activity_types.discard_draft)),
    path(f"{_TYPE}/delete.json", endpoint(POST=activity_types.delete)),
    path(f"{_TYPE}/attributes/create.json", endpoint(POST=activity_types.create_attributes)),
    path(f"{_TYPE}/attributes/update.json", endpoint(POST=activity_types.update_attributes)),
    path(f"{_TYPE}/attributes/delete.json", endpoint(POST=activity_types.delete_attributes)),
    path(f"{_TYPE}.json", endpoint(POST=activity_types.update)),
    path("rest/v1/leads.json", endpoint(GET=leads.by_filter, POST=leads.sync, DELETE=lead_removal.delete)),
    path("rest/v1/leads/delete.json", endpoint(POST=lead_removal.delete, DELETE=lead_removal.delete)),
    path("rest/v1/leads/<int:lead_id>/merge.json", endpoint(POST=lead_removal.merge)),
    path("rest/v1/lead/<int:lead_id>.json", endpoint(GET=leads.by_id)),
    path("rest/v1/leads/<int:lead_id>/associate.json", endpoint(POST=leads.associate)),
    path("rest/v1/leads/partitions.json", endpoint(GET=leads.partitions, POST=leads.move_to_partition)),
    path("rest/v1/leads/describe.json", endpoint(GET=lead_fields.describe)),
    path("rest/v1/leads/describe2.json", endpoint(GET=lead_fields.describe2)),
    path("rest/v1/leads/schema/fields.json", endpoint(GET=lead_fields.schema, POST=lead_fields.create)),
    path("rest/v1/leads/schema/fields/<str:name>.json", endpoint(GET=lead_fields.schema_of, POST=lead_fields.update)),
    path("rest/v1/leads/<int:lead_id>/listMembership.json", endpoint(GET=lists.of_lead)),
    path("rest/v1/lists.json", endpoint(GET=lists.all_lists)),
    path("rest/v1/lists/<int:list_id>.json", endpoint(GET=lists.one)),
    path("rest/v1/lists/<int:list_id>/leads.json", endpoint(GET=lists.members, POST=lists.add, DELETE=lists.remove)),
    path("rest/v1/list/<int:list_id>/leads.json", endpoint(GET=lists.members, POST=lists.add, DELETE=lists.remove)),
    path("rest/v1/lists/<int:list_id>/leads/ismember.json", endpoint(GET=lists.is_member)),
    path("rest/v1/campaigns.json", endpoint(GET=campaigns.listed)),
    path("rest/v1/campaigns/<int:campaign_id>.json", endpoint(GET=campaigns.one)),
    path("rest/v1/campaigns/<int:campaign_id>/trigger.json", endpoint(POST=campaigns.trigger)),
    path("rest/v1/campaigns/<int:campaign_id>/schedule.json", endpoint(POST=campaigns.schedule)),
    path("rest/v1/stats/usage.json", endpoint(GET=stats.usage_today)),
    path("rest/v1/stats/usage/last7days.json", endpoint(GET=stats.usage_of_week)),
    path("rest/v1/stats/errors.json", endpoint(GET=stats.errors_today)),
    path("rest/v1/stats/errors/last7days.json", endpoint(GET=stats.errors_of_week)),
    path(f"{_ASSET}/staticLists.json", asset_endpoint(GET=static_lists.all_lists, POST=static_lists.create)),
    path(f"{_ASSET}/staticList/byName.json", asset_endpoint(GET=static_lists.by_name)),
    path(f"{_ASSET}/staticList/<int:list_id>.json", asset_endpoint(GET=static_lists.one, POST=static_lists.update)),
    path(f"{_ASSET}/staticList/<int:list_id>/delete.json", asset_endpoint(POST=static_lists.delete)),
    path(f"{_ASSET}/smartLists.json", asset_endpoint(GET=smart_lists.all_lists)),
    path(f"{_ASSET}/smartList/byName.json", asset_endpoint(GET=smart_lists.by_name)),
    path(f"{_ASSET}/smartList/<int:list_id>.json", asset_endpoint(GET=smart_lists.one)),
    path(f"{_ASSET}/smartList/<int:list_id>/clone.json", asset_endpoint(POST=smart_lists.clone)),
    path(f"{_ASSET}/smartList/<int:list_id>/delete.json", asset_endpoint(POST=smart_lists.delete)),
    path(f"{_ASSET}/folders.json", asset_endpoint(GET=folders.all_folders)),
    path(f"{_ASSET}/folder/byName.json", asset_endpoint(GET=folders.by_name)),
    path(f"{_ASSET}/folder/<int:folder_id>.json", asset_endpoint(GET=folders.one)),
    path(f"{_ASSET}/folder/<int:folder_id>/content.json", asset_endpoint(GET=folders.contents)),
    path(f"{_ASSET}/smartCampaigns.json", asset_endpoint(GET=campaigns.all_assets)),
    path(f"{_ASSET}/smartCampaign/byName.json", asset_endpoint(GET=campaigns.asset_by_name)),
    path(f"{_ASSET}/smartCampaign/<int:campaign_id>.json", asset_endpoint(GET=campaigns.one_asset)),
    # §4: resources that clients probe when they start
    path(f"{_ASSET}/programs.json", asset_endpoint(GET=assets.nothing)),
    path(f"{_ASSET}/segmentation.json", asset_endpoint(GET=assets.nothing)),
    path(f"{_ASSET}/emails.json", asset_endpoint(GET=assets.nothing)),
    path(f"{_ASSET}/folder/<int:folder_id>/tokens.json", asset_endpoint(GET=assets.nothing)),
    path(f"{_ASSET}/program/<int:program_id>/smartList.json", asset_endpoint(GET=assets.nothing)),
    path(f"{_ASSET}/smartCampaign/<int:campaign_id>/smartList.json", asset_endpoint(GET=assets.nothing)),
    path(f"{_EXPORT}/create.json", endpoint(POST=bulk_exports.create)),
    path(f"{_EXPORT}/<uuid:key>/enqueue.json", endpoint(POST=bulk_exports.enqueue)),
    path(f"{_EXPORT}/<uuid:key>/cancel.json", endpoint(POST=bulk_exports.cancel)),
    path(f"{_EXPORT}/<uuid:key>/status.json", endpoint(GET=bulk_exports.status)),
    path(f"{_EXPORT}/<uuid:key>/file.json", endpoint(GET=bulk_exports.file)),
    path(f"{_EXPORT}.json", endpoint(GET=bulk_exports.listed)),
    path("bulk/v1/leads.json", endpoint(POST=bulk_imports.import_leads)),
    *_batches("bulk/v1/leads/batch/<int:batch_id>", "people", ".json"),
    path("bulk/v1/activities/import.json", endpoint(POST=bulk_imports.import_activities)),
    *_batches("bulk/v1/activities/import/<int:batch_id>", "activities", "/status.json"),
    re_path(r"^(?:rest|bulk|userservice)(?:/|$)", not_found),
]
