"""The Marketo API's addresses, spelled as in Marketo: case-sensitive, ending in .json."""

from django.urls import URLPattern, path, re_path, register_converter

from config.marketo.bulk import exports as bulk_exports
from config.marketo.bulk import imports as bulk_imports
from config.marketo.bulk import object_imports
from config.marketo.resources import (
    activities,
    activity_types,
    assets,
    campaigns,
    changes,
    folders,
    forms,
    identity,
    lead_fields,
    lead_removal,
    leads,
    lists,
    object_records,
    object_types,
    smart_lists,
    static_lists,
    stats,
)
from config.marketo.wire.endpoint import asset_endpoint, endpoint, not_found

_TYPE = "rest/v1/activities/external/type/<str:api_name>"
_SCHEMA = "rest/v1/customobjects/schema"
_OBJECT = "rest/v1/customobjects/<str:api_name>"
_OBJECT_IMPORT = "bulk/v1/customobjects/<str:api_name>/import"
_ASSET = "rest/asset/v1"
_EXPORT = "bulk/v1/<bulk_kind:kind>/export"


class BulkKindConverter:
    """Path converter of the kinds of bulk exports (§5.1)."""

    regex = "|".join(bulk_exports.KINDS)

    def to_python(self, value: str) -> str:
        return value

    to_url = to_python


def _batches(base: str, kind: str, status: str) -> list[URLPattern]:
    extra = {"kind": kind}
    return [
        path(f"{base}{status}", endpoint(GET=bulk_imports.import_status), extra),
        path(f"{base}/failures.json", endpoint(GET=bulk_imports.import_failures), extra),
        path(f"{base}/warnings.json", endpoint(GET=bulk_imports.import_warnings), extra),
    ]


register_converter(BulkKindConverter, "bulk_kind")

urlpatterns = [
    path("identity/oauth/token", identity.token_endpoint),
    path("rest/v1/activities.json", endpoint(GET=activities.read_activities)),
    path("rest/v1/activities/types.json", endpoint(GET=activities.list_activity_types)),
    path("rest/v1/activities/pagingtoken.json", endpoint(GET=activities.paging_token)),
    path("rest/v1/activities/leadchanges.json", endpoint(GET=changes.lead_changes)),
    path("rest/v1/activities/deletedleads.json", endpoint(GET=changes.deleted_leads)),
    path("rest/v1/activities/external.json", endpoint(POST=activities.record_activities)),
    path("rest/v1/activities/external/types.json", endpoint(GET=activity_types.list_types)),
    path("rest/v1/activities/external/type.json", endpoint(POST=activity_types.create_type)),
    path(f"{_TYPE}/describe.json", endpoint(GET=activity_types.describe_type)),
    path(f"{_TYPE}/approve.json", endpoint(POST=activity_types.approve_type)),
    path(f"{_TYPE}/discardDraft.json", endpoint(POST=activity_types.discard_type_draft)),
    path(f"{_TYPE}/delete.json", endpoint(POST=activity_types.delete_type)),
    path(f"{_TYPE}/attributes/create.json", endpoint(POST=activity_types.create_attributes)),
    path(f"{_TYPE}/attributes/update.json", endpoint(POST=activity_types.update_attributes)),
    path(f"{_TYPE}/attributes/delete.json", endpoint(POST=activity_types.delete_attributes)),
    path(f"{_TYPE}.json", endpoint(POST=activity_types.update_type)),
    path("rest/v1/leads.json", endpoint(GET=leads.find_leads, POST=leads.sync_leads, DELETE=lead_removal.delete_leads)),
    path("rest/v1/leads/delete.json", endpoint(POST=lead_removal.delete_leads, DELETE=lead_removal.delete_leads)),
    path("rest/v1/leads/<int:lead_id>/merge.json", endpoint(POST=lead_removal.merge_leads)),
    path("rest/v1/lead/<int:lead_id>.json", endpoint(GET=leads.get_lead)),
    path("rest/v1/leads/<int:lead_id>/associate.json", endpoint(POST=leads.associate_lead)),
    path("rest/v1/leads/submitForm.json", endpoint(POST=forms.submit_form)),
    path("rest/v1/leads/partitions.json", endpoint(GET=leads.list_partitions, POST=leads.move_leads_to_partition)),
    path("rest/v1/leads/describe.json", endpoint(GET=lead_fields.describe_leads)),
    path("rest/v1/leads/describe2.json", endpoint(GET=lead_fields.describe_leads2)),
    path(
        "rest/v1/leads/schema/fields.json", endpoint(GET=lead_fields.lead_schema, POST=lead_fields.create_lead_fields)
    ),
    path(
        "rest/v1/leads/schema/fields/<str:name>.json",
        endpoint(GET=lead_fields.lead_field_schema, POST=lead_fields.update_lead_field),
    ),
    path("rest/v1/leads/<int:lead_id>/listMembership.json", endpoint(GET=lists.lists_of_lead)),
    path("rest/v1/lists.json", endpoint(GET=lists.list_static_lists)),
    path("rest/v1/lists/<int:list_id>.json", endpoint(GET=lists.get_list)),
    path(
        "rest/v1/lists/<int:list_id>/leads.json",
        endpoint(GET=lists.list_members, POST=lists.add_members, DELETE=lists.remove_members),
    ),
    path(
        "rest/v1/list/<int:list_id>/leads.json",
        endpoint(GET=lists.list_members, POST=lists.add_members, DELETE=lists.remove_members),
    ),
    path("rest/v1/lists/<int:list_id>/leads/ismember.json", endpoint(GET=lists.check_membership)),
    path("rest/v1/campaigns.json", endpoint(GET=campaigns.list_campaigns)),
    path("rest/v1/campaigns/<int:campaign_id>.json", endpoint(GET=campaigns.get_campaign)),
    path("rest/v1/campaigns/<int:campaign_id>/trigger.json", endpoint(POST=campaigns.trigger_campaign)),
    path("rest/v1/campaigns/<int:campaign_id>/schedule.json", endpoint(POST=campaigns.schedule_campaign)),
    path("rest/v1/customobjects.json", endpoint(GET=object_types.list_objects)),
    path(f"{_SCHEMA}.json", endpoint(GET=object_types.list_types, POST=object_types.sync_type)),
    path(f"{_SCHEMA}/fieldDataTypes.json", endpoint(GET=object_types.list_field_types)),
    path(f"{_SCHEMA}/linkableObjects.json", endpoint(GET=object_types.list_linkable_objects)),
    path(f"{_SCHEMA}/<str:api_name>/describe.json", endpoint(GET=object_types.describe_type)),
    path(f"{_SCHEMA}/<str:api_name>/approve.json", endpoint(POST=object_types.approve_type)),
    path(f"{_SCHEMA}/<str:api_name>/discardDraft.json", endpoint(POST=object_types.discard_type_draft)),
    path(f"{_SCHEMA}/<str:api_name>/delete.json", endpoint(POST=object_types.delete_type)),
    path(f"{_SCHEMA}/<str:api_name>/addField.json", endpoint(POST=object_types.add_fields)),
    path(f"{_SCHEMA}/<str:api_name>/deleteField.json", endpoint(POST=object_types.delete_fields)),
    path(f"{_SCHEMA}/<str:api_name>/<str:name>/updateField.json", endpoint(POST=object_types.update_field)),
    path(f"{_SCHEMA}/<str:api_name>/dependentAssets.json", endpoint(GET=object_types.list_dependent_assets)),
    path(f"{_OBJECT}/describe.json", endpoint(GET=object_types.describe_object)),
    path(f"{_OBJECT}/delete.json", endpoint(POST=object_records.delete_records)),
    path(f"{_OBJECT}.json", endpoint(GET=object_records.query_records, POST=object_records.sync_records)),
    path("rest/v1/stats/usage.json", endpoint(GET=stats.usage_today)),
    path("rest/v1/stats/usage/last7days.json", endpoint(GET=stats.usage_of_week)),
    path("rest/v1/stats/errors.json", endpoint(GET=stats.errors_today)),
    path("rest/v1/stats/errors/last7days.json", endpoint(GET=stats.errors_of_week)),
    path(
        f"{_ASSET}/staticLists.json",
        asset_endpoint(GET=static_lists.list_static_lists, POST=static_lists.create_static_list),
    ),
    path(f"{_ASSET}/staticList/byName.json", asset_endpoint(GET=static_lists.static_list_by_name)),
    path(
        f"{_ASSET}/staticList/<int:list_id>.json",
        asset_endpoint(GET=static_lists.get_static_list, POST=static_lists.update_static_list),
    ),
    path(f"{_ASSET}/staticList/<int:list_id>/delete.json", asset_endpoint(POST=static_lists.delete_static_list)),
    path(f"{_ASSET}/smartLists.json", asset_endpoint(GET=smart_lists.list_smart_lists)),
    path(f"{_ASSET}/smartList/byName.json", asset_endpoint(GET=smart_lists.smart_list_by_name)),
    path(f"{_ASSET}/smartList/<int:list_id>.json", asset_endpoint(GET=smart_lists.get_smart_list)),
    path(f"{_ASSET}/smartList/<int:list_id>/clone.json", asset_endpoint(POST=smart_lists.clone_smart_list)),
    path(f"{_ASSET}/smartList/<int:list_id>/delete.json", asset_endpoint(POST=smart_lists.delete_smart_list)),
    path(f"{_ASSET}/folders.json", asset_endpoint(GET=folders.list_folders)),
    path(f"{_ASSET}/folder/byName.json", asset_endpoint(GET=folders.folder_by_name)),
    path(f"{_ASSET}/folder/<int:folder_id>.json", asset_endpoint(GET=folders.get_folder)),
    path(f"{_ASSET}/folder/<int:folder_id>/content.json", asset_endpoint(GET=folders.folder_contents)),
    path(f"{_ASSET}/smartCampaigns.json", asset_endpoint(GET=campaigns.list_campaign_assets)),
    path(f"{_ASSET}/smartCampaign/byName.json", asset_endpoint(GET=campaigns.campaign_asset_by_name)),
    path(f"{_ASSET}/smartCampaign/<int:campaign_id>.json", asset_endpoint(GET=campaigns.get_campaign_asset)),
    # §4: resources that clients probe when they start
    path(f"{_ASSET}/programs.json", asset_endpoint(GET=assets.no_assets)),
    path(f"{_ASSET}/segmentation.json", asset_endpoint(GET=assets.no_assets)),
    path(f"{_ASSET}/emails.json", asset_endpoint(GET=assets.no_assets)),
    path(f"{_ASSET}/folder/<int:folder_id>/tokens.json", asset_endpoint(GET=assets.no_assets)),
    path(f"{_ASSET}/program/<int:program_id>/smartList.json", asset_endpoint(GET=assets.no_assets)),
    path(f"{_ASSET}/smartCampaign/<int:campaign_id>/smartList.json", asset_endpoint(GET=assets.no_assets)),
    path(f"{_EXPORT}/create.json", endpoint(POST=bulk_exports.create_export)),
    path(f"{_EXPORT}/<uuid:key>/enqueue.json", endpoint(POST=bulk_exports.enqueue_export)),
    path(f"{_EXPORT}/<uuid:key>/cancel.json", endpoint(POST=bulk_exports.cancel_export)),
    path(f"{_EXPORT}/<uuid:key>/status.json", endpoint(GET=bulk_exports.export_status)),
    path(f"{_EXPORT}/<uuid:key>/file.json", endpoint(GET=bulk_exports.export_file)),
    path(f"{_EXPORT}.json", endpoint(GET=bulk_exports.list_exports)),
    path("bulk/v1/leads.json", endpoint(POST=bulk_imports.import_leads)),
    *_batches("bulk/v1/leads/batch/<int:batch_id>", "people", ".json"),
    path("bulk/v1/activities/import.json", endpoint(POST=bulk_imports.import_activities)),
    *_batches("bulk/v1/activities/import/<int:batch_id>", "activities", "/status.json"),
    path(f"{_OBJECT_IMPORT}.json", endpoint(POST=object_imports.import_objects)),
    path(f"{_OBJECT_IMPORT}/<int:batch_id>/status.json", endpoint(GET=object_imports.object_import_status)),
    path(f"{_OBJECT_IMPORT}/<int:batch_id>/failures.json", endpoint(GET=object_imports.object_import_failures)),
    path(f"{_OBJECT_IMPORT}/<int:batch_id>/warnings.json", endpoint(GET=object_imports.object_import_warnings)),
    re_path(r"^(?:rest|bulk|userservice)(?:/|$)", not_found),
]
