from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccessConfig(AppConfig):
    name = "config.access"
    label = "access"
    verbose_name = _("Access")

    def ready(self) -> None:
        from config.access import owning, roles

        # after every app: the rights of all of them exist only once the last one is migrated
        post_migrate.connect(roles.install_after_migration)
        owning.register()
