"""Settings of sign-in: passwords, throttling, sessions, second step, single sign-on."""

from datetime import timedelta
from typing import Any

import environ

env = environ.Env()

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "config.access.backends.EffectiveRightsBackend"]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
LOGOUT_REDIRECT_URL = "admin:login"
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Wrong passwords for one user name from one address; other users, and the same user elsewhere, are not locked
AXES_FAILURE_LIMIT = env.int("LOGIN_ATTEMPTS", 5)
AXES_COOLOFF_TIME = timedelta(minutes=env.int("LOGIN_LOCK_MINUTES", 15))
# Wrong passwords and secrets from one address (of IPv6 one /64) in a minute, for any user
LOGIN_FAILURES_PER_ADDRESS = env.int("LOGIN_FAILURES_PER_ADDRESS", 20)
PASSWORD_HASHERS = ["config.access.throttling.BoundedPBKDF2"]
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "config.access.sign_in.views.client_network"
AXES_LOCKOUT_CALLABLE = "config.access.sign_in.views.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # further attempts do not prolong the lock
AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True  # sessions show who is signed in

SESSION_ENGINE = "config.access.sessions"
SESSION_COOKIE_AGE = env.int("SESSION_IDLE_MINUTES", 12 * 60) * 60
SESSION_MAX_SECONDS = env.int("SESSION_MAX_HOURS", 7 * 24) * 3600

# Roles that need a second step at sign-in, by their names, or "all"
REQUIRE_SECOND_FACTOR = env.list("REQUIRE_SECOND_FACTOR", default=[])
MFA_ADAPTER = "config.access.sign_in.mfa.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_TOLERANCE = 1  # clocks of phones are off by some seconds

ACCOUNT_ADAPTER = "config.access.sign_in.sso.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_USER_DISPLAY = "config.access.sign_in.sso.account_display_name"
# Wrong codes of the second step: only a caller with the password can use them up
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300  # seconds for which a password or a second step confirms the user's identity
ACCOUNT_RATE_LIMITS = {"login_failed": "60/15m/ip,10/15m/key", "reauthenticate": "10/m/user"}

# Single sign-on (OpenID Connect): on when an issuer is given
SOCIALACCOUNT_ADAPTER = "config.access.sign_in.sso.SingleSignOnAdapter"
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_STORE_TOKENS = False
OIDC_CREATE_USERS = env.bool("OIDC_CREATE_USERS", False)
OIDC_LINK_BY_EMAIL = env.bool("OIDC_LINK_BY_EMAIL", False)
OIDC_ROLE_CLAIM = env.str("OIDC_ROLE_CLAIM", "")
OIDC_ROLES: dict[str, str] = env.dict("OIDC_ROLES", default={})  # role name of the provider: role name of the product
OIDC_IS_SECOND_FACTOR = env.bool("OIDC_IS_SECOND_FACTOR", False)


def _provider() -> dict[str, Any]:
    if not (issuer := env.str("OIDC_ISSUER", "")):
        return {}
    app = {
        "provider_id": "oidc",
        "name": env.str("OIDC_NAME", "Single sign-on"),
        "client_id": env.str("OIDC_CLIENT_ID"),
        "secret": env.str("OIDC_CLIENT_SECRET"),
        "settings": {"server_url": issuer.rstrip("/")},
    }
    return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}


SOCIALACCOUNT_PROVIDERS = _provider()

# Used codes and counted attempts, for all processes together
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache_entry"}}
