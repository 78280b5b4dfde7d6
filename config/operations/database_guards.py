"""The triggers that the database has to have: (table, trigger)."""

NEVER_TRUNCATED = (
    *("activity_day", "activity_field", "activity_type", "activity_version", "approved_field"),
    *("inbound_call", "object_change", "object_type", "object_version", "object_field", "approved_object_field"),
    "smart_campaign_version",
)
# the rules that the database enforces: without one of these an error would go unnoticed
GUARDS = frozenset(
    {
        ("access_user", "users_are_never_deleted"),
        ("activity", "activity_change_is_noted"),
        ("activity", "activity_insert_holds_high_water"),
        ("activity", "activity_is_never_truncated"),
        ("activity", "activity_is_never_updated"),
        ("activity", "activity_removal_is_accounted"),
        ("activity", "activity_removal_is_noted"),
        ("activity_day", "activity_day_is_kept"),
        ("activity_field", "activity_field_is_frozen"),
        ("activity_key", "activity_key_is_never_truncated"),
        ("activity_removal", "activity_removal_is_append_only"),
        ("activity_removal", "activity_removal_is_never_truncated"),
        ("activity_removal", "activity_removal_is_stamped"),
        ("activity_removal", "activity_removal_withdrawal_is_founded"),
        ("activity_type", "activity_type_is_kept"),
        ("activity_version", "activity_version_is_frozen"),
        ("approved_field", "approved_field_is_for_ever"),
        ("approved_object_field", "approved_object_field_is_for_ever"),
        ("django_admin_log", "admin_log_is_append_only"),
        *((table, f"{table}_is_never_truncated") for table in NEVER_TRUNCATED),
        *(("person", f"person_{what}_is_counted") for what in ("added", "removed", "state")),
        ("inbound_call", "inbound_call_stays"),
        ("link_code", "link_code_is_for_ever"),
        ("link_destination", "link_destination_is_never_changed"),
        ("object_change", "object_change_has_link_keys"),
        ("object_change", "object_change_insert_holds_mark"),
        ("object_change", "object_change_is_kept"),
        ("object_field", "object_field_is_frozen"),
        ("object_type", "object_type_is_kept"),
        ("object_version", "object_version_is_frozen"),
        ("smart_campaign_version", "smart_campaign_version_is_frozen"),
        ("static_list_member", "static_list_member_joined_is_counted"),
        ("static_list_member", "static_list_member_left_is_counted"),
        ("tracked_link", "tracked_link_keeps_its_code"),
    }
)
