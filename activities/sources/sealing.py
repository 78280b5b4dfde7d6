"""Secrets at rest, of webhooks and event sources: sealed under a named key, so that keys can be changed.

WEBHOOK_KEYS lists the keys, the current one first; without it the only key is derived from SECRET_KEY.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Problem, RejectedError

DERIVED = "secret-key"


def seal_secret(secret: bytes) -> tuple[str, bytes]:
    """Seal `secret` under the current key; return the name of the key and the sealed secret."""
    name, key = next(iter(_keys().items()))
    return name, Fernet(key).encrypt(secret)


def unseal_secret(name: str, sealed: bytes | memoryview) -> bytes:
    """Unseal a secret. Raises `RejectedError` (`key_missing`) when none of the keys opens it."""
    keys = _keys()
    first = [keys[name]] if name in keys else []
    try:
        return MultiFernet([Fernet(key) for key in (*first, *keys.values())]).decrypt(bytes(sealed))
    except InvalidToken:
        message = _("The key “%(name)s” that opens this secret is not in WEBHOOK_KEYS.") % {"name": name}
        raise RejectedError(Problem(Code.KEY_MISSING, message, ("secret",))) from None


def current_key_name() -> str:
    """The name of the current key."""
    return next(iter(_keys()))


def sealing_keys() -> Sequence[bytes]:
    """Every key, the current one first, from which keys for other purposes are derived."""
    derived = _derived(settings.SECRET_KEY)
    named = (key.encode() if isinstance(key, str) else key for key in _keys().values())
    return [*(key for key in named if key != derived), derived]


def _keys() -> Mapping[str, bytes]:
    return dict(settings.WEBHOOK_KEYS) or {DERIVED: _derived(settings.SECRET_KEY)}


def _derived(text: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.blake2b(text.encode(), digest_size=32, person=b"webhook secrets").digest())
