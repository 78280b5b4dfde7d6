"""Headers of webhooks and of their calls: values can be credentials, so they are stored sealed.

The column `headers` then has the names, each with a mask; the values are in `sealed_headers`. The previous release
would send the masks, and both releases run during an upgrade. An upgraded installation therefore keeps clear values
until a day after the migration, and seals from then on. `seal_all_headers` seals the existing rows.
"""

from datetime import timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from activities.sources import sealing
from smartlists.models import Webhook, WebhookDelivery

HIDDEN = "•••"  # mask of a value
CONTENT_TYPE = "Content-Type"  # set by the product itself, and no secret
UPGRADE_LASTS = timedelta(days=1)
BATCH = 500
_FIRST, _SEALED = "0001_initial", "0010_sealed_headers"

Row = Webhook | WebhookDelivery


def headers_of(row: Row) -> dict[str, str]:
    """The headers with their values. Raises `RejectedError` (`key_missing`)."""
    if row.sealed_headers is None:
        return dict(row.headers)
    return {**row.headers, **orjson.loads(sealing.unseal_secret(row.headers_key_name, bytes(row.sealed_headers)))}


def masked_headers(row: Row) -> dict[str, str]:
    """The headers for pages and API, with masked values."""
    return {name: value if name == CONTENT_TYPE else HIDDEN for name, value in row.headers.items()}


def set_headers(row: Row, headers: dict[str, str], seals: bool) -> None:
    """Set the headers of `row`, sealed if `seals` (the result of `is_sealing_headers`); the caller saves."""
    if seals:
        _seal(row, headers)
    else:
        row.headers, row.sealed_headers, row.headers_key_name = headers, None, ""


def _seal(row: Row, headers: dict[str, str]) -> None:
    row.headers = headers
    row.headers = masked_headers(row)
    secret = {name: value for name, value in headers.items() if name != CONTENT_TYPE}
    row.headers_key_name, row.sealed_headers = sealing.seal_secret(orjson.dumps(secret)) if secret else ("", None)


def is_sealing_headers() -> bool:
    """True if headers are to be sealed: always in a new installation, a day after the migration in an upgraded one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select name, applied from django_migrations where app = 'smartlists' and name = any(%s)",
            [[_FIRST, _SEALED]],
        )
        applied = dict(cursor.fetchall())
    if _SEALED not in applied:
        return False
    is_new = applied[_SEALED] - applied[_FIRST] < timedelta(hours=1)
    return is_new or timezone.now() - applied[_SEALED] > UPGRADE_LASTS


def seal_all_headers() -> int:
    """Seal all clear headers as soon as `is_sealing_headers`; safe to run again. Returns how many rows were sealed."""
    count = 0
    if is_sealing_headers():
        for model in (Webhook, WebhookDelivery):
            while sealed := _seal_batch(model):
                count += sealed
    return count


@transaction.atomic
def _seal_batch(model: type[Row]) -> int:
    clear = RawSQL("headers - %s <> '{}'", [CONTENT_TYPE], BooleanField())
    rows: QuerySet[Any] = (
        model._default_manager.alias(is_clear=clear).filter(is_clear=True, sealed_headers=None).order_by("pk")
    )
    batch = list(rows.select_for_update()[:BATCH])
    for row in batch:
        _seal(row, row.headers)
    model._default_manager.bulk_update(batch, ["headers", "sealed_headers", "headers_key_name"])
    return len(batch)


def reseal_headers() -> int:
    """Seal headers under other keys again under the current key; return how many rows were sealed."""
    count, present = 0, sealing.current_key_name()
    for model in (Webhook, WebhookDelivery):
        outdated: QuerySet[Any] = model._default_manager.exclude(sealed_headers=None).exclude(headers_key_name=present)
        while batch := list(outdated.order_by("pk")[:BATCH]):
            for row in batch:
                name, sealed = sealing.seal_secret(sealing.unseal_secret(row.headers_key_name, row.sealed_headers))
                same = model._default_manager.filter(pk=row.pk, sealed_headers=row.sealed_headers)
                count += same.update(sealed_headers=sealed, headers_key_name=name)
    return count
