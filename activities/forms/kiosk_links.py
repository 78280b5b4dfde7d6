"""The secret in the address of a form's kiosk: found by its hash, shown again from what is sealed.

A reader of the database cannot use a kiosk. A link in `kiosk_key` was written by the version before this one while
both ran, and is the present one; it is replaced when it is met.
"""

from hashlib import sha256

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from activities.models import Form
from activities.models.forms import new_kiosk_key
from activities.sources import sealing

COLUMNS = ("kiosk_hash", "kiosk_sealed", "kiosk_sealed_under", "kiosk_key")


def set_kiosk_link(form: Form, key: str = "") -> None:
    """Give a form, which the caller saves, a kiosk with this secret, or a new one."""
    key = key or new_kiosk_key()
    form.kiosk_hash, form.kiosk_key = sha256(key.encode()).digest(), None
    form.kiosk_sealed_under, form.kiosk_sealed = sealing.seal_secret(key.encode())


def kiosk_secret(form: Form) -> str:
    """The secret of a stored form's kiosk. Raises `RejectedError` (`key_missing`) where no key opens it."""
    current = _without_clear_key(form)
    if current.kiosk_sealed is None:
        with transaction.atomic():
            current = Form.objects.select_for_update().get(pk=form.pk)
            if current.kiosk_sealed is None:
                set_kiosk_link(current)
                current.save(update_fields=COLUMNS)
    assert current.kiosk_sealed is not None
    return sealing.unseal_secret(current.kiosk_sealed_under, current.kiosk_sealed).decode()


def kiosk_address(form: Form, site: str) -> str:
    """The address of the form's kiosk, which is a secret. `site`: scheme and host, where SITE_URL is not set."""
    return f"{settings.SITE_URL or site}{reverse('form-kiosk', args=[kiosk_secret(form)])}"


def form_of_kiosk(key: str) -> Form | None:
    """The form whose kiosk has this secret; None if there is none."""
    digest = sha256(key.encode()).digest()
    forms = Form.objects.select_related("consent", "website")
    form = forms.filter(kiosk_key=key).first() or forms.filter(kiosk_hash=digest).first()
    if form is None or form.kiosk_key is None:
        return form
    current = _without_clear_key(form)
    return current if bytes(current.kiosk_hash or b"") == digest else None


def reseal_links() -> int:
    """Seal all links under other keys again under the current key; return how many."""
    count = 0
    for form in Form.objects.exclude(kiosk_sealed=None).exclude(kiosk_sealed_under=sealing.current_key_name()):
        assert form.kiosk_sealed is not None
        name, sealed = sealing.seal_secret(sealing.unseal_secret(form.kiosk_sealed_under, form.kiosk_sealed))
        unchanged = Form.objects.filter(pk=form.pk, kiosk_hash=form.kiosk_hash)
        count += unchanged.update(kiosk_sealed=sealed, kiosk_sealed_under=name)
    return count


@transaction.atomic
def _without_clear_key(form: Form) -> Form:
    """The form with its link as it is stored now; a link in clear is replaced first."""
    if form.kiosk_key is None:
        return form
    locked = Form.objects.select_related("consent", "website").select_for_update(of=("self",)).get(pk=form.pk)
    if locked.kiosk_key is not None:
        set_kiosk_link(locked, locked.kiosk_key)
        locked.save(update_fields=COLUMNS)
    return locked
