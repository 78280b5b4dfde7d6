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

        from config.access import roles, sessions
        from config.access.clients import personal_data as client_personal_data
        from config.access.clients import tokens
        from config.access.sign_in import audit as sign_in_audit
        from config.access.sign_in import mfa
        from people.core import permissions

        # after every app: the rights of all of them exist only once the last one is migrated
        post_migrate.connect(roles.install_roles)
        client_personal_data.register_personal_data()
        permissions.register_confirmation(tokens.refuse_unconfirmed_session, sessions.confirmation_redirect)
        user_logged_in.connect(sessions.begin_session)
        factors.authenticator_added.connect(mfa.note_factor_added)
        factors.authenticator_removed.connect(mfa.note_factor_removed)
        factors.authenticator_reset.connect(mfa.note_codes_renewed)
        factors.authentication_failed.connect(sign_in_audit.note_wrong_code)
        sign_in_complete.connect(sign_in_audit.note_success)
        user_logged_out.connect(sign_in_audit.note_end)
        user_login_failed.connect(sign_in_audit.note_failure)
        user_locked_out.connect(sign_in_audit.note_lock)
