"""Codes by which people are checked in: a person's, which the team gives away, and one of each submission of a form.

A submission's code discloses nothing of its sender, and is the same kind of text for known, new and refused people:
any visitor can send any person's address. It stands for what was sent, which the team sees when the code is scanned. It
follows from the submission's id and SECRET_KEY; only its hash is stored.
"""

import base64
import re
from hashlib import sha256

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.crypto import salted_hmac

from activities.models import Form, FormSubmission
from people import lookup as people_lookup
from people.core.numerals import whole_number

_SIGNER = signing.Signer(salt="activities.forms.check_in", sep=".")
_SUBMISSION = re.compile(r"[A-Za-z0-9_-]{24}")
MAX_TOKEN = 200


def person_token(form: Form, person_id: int) -> str:
    """The code of a person for a form's event, for the team to give to them; it cannot be made up."""
    return _SIGNER.sign(f"{form.pk}-{person_id}")


def person_of_token(form: Form, token: str) -> int | None:
    """The person of a person's code, the winner after a merge; None for a code of another form, or without a person."""
    try:
        form_id, _separator, person_id = _SIGNER.unsign(token[:MAX_TOKEN]).partition("-")
    except signing.BadSignature:
        return None
    number = whole_number(person_id, -1, most_digits=10)
    if form_id != str(form.pk) or number < 0:
        return None
    return people_lookup.person_ids_by_id([number]).get(number)


def submission_code(form: Form, message_id: str) -> str:
    """The code of the submission with this id: 144 bits, as base64, that disclose nothing."""
    digest = salted_hmac("activities.forms.codes", f"{form.pk}:{message_id}", algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest[:18]).decode()


def hash_code(code: str) -> bytes:
    """The SHA-256 of a code, which is stored instead of it."""
    return sha256(code.encode()).digest()


def submission_of_code(form: Form, code: str) -> FormSubmission | None:
    """The submission of this form with a code; None if there is none."""
    if not _SUBMISSION.fullmatch(code):
        return None
    return FormSubmission.objects.filter(form=form, code_hash=hash_code(code)).select_related("form", "consent").first()


def check_in_address(form: Form, token: str, site: str) -> str:
    """The address that a phone opens from a code: for those of the team who are signed in."""
    return f"{settings.SITE_URL or site}{reverse('admin:activities_form_check_in_person', args=[form.pk, token])}"
