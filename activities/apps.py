from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ActivitiesConfig(AppConfig):
    name = "activities"
    verbose_name = _("Activities")

    def ready(self) -> None:
        from activities.consent import people_column
        from activities.forms import export_kind as form_export_kind  # noqa: F401 (registers the export)
        from activities.inbound import processing as inbound_processing
        from activities.links import owners as link_owners
        from activities.links import processing as link_processing
        from activities.log import export_kind as activity_export_kind  # noqa: F401 (registers the export)
        from activities.log import import_traces, people_list
        from activities.recording import import_target as activity_import_target  # noqa: F401 (registers the import)
        from activities.recording import person_changes
        from activities.types import (
            attendee_lists,
            definition,  # noqa: F401 (registers the definition kind)
            standard_installation,
        )
        from activities.visitors import due_work
        from activities.visitors import identity as visitor_identity
        from activities.visitors import moving as visitor_moving
        from people import events

        self._register_personal_data()
        attendee_lists.register_attendee_lists()
        self._register_uses()
        people_list.register_activity_columns()
        people_column.register_consent_column()
        import_traces.register_log_traces()
        # identity comes before activities
        due_work.register_due_work(visitor_identity.process_identities)
        due_work.register_due_work(visitor_moving.move_due_rows)
        due_work.register_due_work(inbound_processing.process_calls)
        due_work.register_due_work(link_processing.process_clicks)
        link_owners.follow_owners()
        events.subscribe_to_events(person_changes.record_announcement)
        post_migrate.connect(standard_installation.install_after_migration, sender=self)

    def _register_uses(self) -> None:
        from activities.inbound import editing as inbound_editing
        from activities.models import ApprovedField
        from activities.sources import editing as source_editing
        from people.core import references
        from people.models import PersonField

        references.register_key_uses(PersonField, source_editing.sources_with_user_ids_in)
        references.register_key_uses(PersonField, inbound_editing.mappings_with_people_by)
        references.register_named_uses(ApprovedField, inbound_editing.mappings_filling)

    def _register_personal_data(self) -> None:
        from activities.forms import personal_data as form_data
        from activities.inbound import personal_data as inbound_data
        from activities.inbox import personal_data as inbox_data
        from activities.intake import personal_data as intake_data
        from activities.links import personal_data as link_data
        from activities.log import personal_data as log_personal_data
        from activities.recording.quarantine import storing
        from activities.visitors import personal_data as visitor_data

        log_personal_data.register_log_data()
        storing.register_refused_rows()
        link_data.register_clicks()  # before the associations, which it reads
        visitor_data.register_visitors()
        inbox_data.register_inbox()
        inbound_data.register_inbound()
        intake_data.register_intake()
        form_data.register_submissions()
