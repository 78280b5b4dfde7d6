from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccessConfig(AppConfig):
    name = "config.access"
    label = "access"
    verbose_name = _("Access")

    def ready(self) -> None:
        from allauth.account.signals import user_logged_in as sign_in_complete
        from allauth.mfa import signals as factors
        from axes.signals import user_locked_out
        from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

        from config.access import owning, roles, second_factor, sessions, sign_ins

        # after every app: the rights of all of them exist only once the last one is migrated
        post_migrate.connect(roles.install_after_migration)
        owning.register()
        user_logged_in.connect(sessions.begin)
        factors.authenticator_added.connect(second_factor.note_added)
        factors.authenticator_removed.connect(second_factor.note_removed)
        factors.authenticator_reset.connect(second_factor.note_renewed)
        factors.authentication_failed.connect(sign_ins.note_wrong_code)
        sign_in_complete.connect(sign_ins.note_success)
        user_logged_out.connect(sign_ins.note_end)
        user_login_failed.connect(sign_ins.note_failure)
        user_locked_out.connect(sign_ins.note_lock)
