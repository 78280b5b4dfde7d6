from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccessConfig(AppConfig):
    name = "config.access"
    label = "access"
    verbose_name = _("Access")

    def ready(self) -> None:
        from allauth.mfa import signals as factors
        from django.contrib.auth.signals import user_logged_in

        from config.access import owning, roles, second_factor, sessions

        # after every app: the rights of all of them exist only once the last one is migrated
        post_migrate.connect(roles.install_after_migration)
        owning.register()
        user_logged_in.connect(sessions.begin)
        factors.authenticator_added.connect(second_factor.note_added)
        factors.authenticator_removed.connect(second_factor.note_removed)
        factors.authenticator_reset.connect(second_factor.note_renewed)
