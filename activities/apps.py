from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ActivitiesConfig(AppConfig):
    name = "activities"
    verbose_name = _("Activities")

    def ready(self) -> None:
        from activities import exporting, importing, owning, quarantine, standard  # noqa: F401 (what files can hold)
        from people import announcing

        owning.register()
        quarantine.register()
        announcing.subscribe(standard.record_announcement)
        post_migrate.connect(standard.install_after_migration, sender=self)
