from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    name = "people"
    verbose_name = _("People")

    def ready(self) -> None:
        from people import exporting_people, fields, importing_people, owning, transfer_files  # noqa: F401 (what files can hold)

        owning.register()
        transfer_files.register()
        post_migrate.connect(fields.install_after_migration, sender=self)
