from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    name = "people"
    verbose_name = _("People")

    def ready(self) -> None:
        from people import events
        from people.core import references
        from people.fields import catalog
        from people.files import cleanup as file_cleanup
        from people.models import PersonField
        from people.objects import definition as object_definition
        from people.objects import export_kind as object_export_kind  # noqa: F401 (registers the kind)
        from people.objects import import_target as object_import_target  # noqa: F401 (registers the target)
        from people.objects import links as object_links
        from people.objects import personal_data as object_data
        from people.persons import export_kind as person_export_kind  # noqa: F401 (registers the kind)
        from people.persons import import_target as person_import_target  # noqa: F401 (registers the target)
        from people.privacy import registration

        registration.register_personal_data()
        object_data.register_object_data()
        references.register_key_uses(PersonField, object_definition.types_linking_by)
        events.subscribe_to_events(object_links.join_people)
        file_cleanup.register_personal_files()
        post_migrate.connect(catalog.install_standard_fields, sender=self)
