from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    name = "people"
    verbose_name = _("People")

    def ready(self) -> None:
        from people.fields import catalog
        from people.files import cleanup as file_cleanup
        from people.persons import export_kind as person_export_kind  # noqa: F401 (registers the kind)
        from people.persons import import_target as person_import_target  # noqa: F401 (registers the target)
        from people.privacy import registration

        registration.register_personal_data()
        file_cleanup.register_personal_files()
        post_migrate.connect(catalog.install_standard_fields, sender=self)
