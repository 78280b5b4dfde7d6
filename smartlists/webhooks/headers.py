"""Headers of webhooks and of their calls: their values can be credentials, so that they are kept sealed.

The column `headers` then has the names, each with a mask; the values lie in `sealed_headers`. A version from before
that would send the masks, and both versions run during an upgrade: so an installation that was upgraded keeps values
as that version reads them until a day after the migration, and seals from then on. `seal_all` seals what is there.
"""

from datetime import timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from smartlists.models import Webhook, WebhookDelivery
from smartlists.webhooks import secrets as webhook_secrets

HIDDEN = "•••"  # in the place of a value
CONTENT_TYPE = "Content-Type"  # said by the product itself, and no secret
UPGRADE_LASTS = timedelta(days=1)
BATCH = 500
_FIRST, _SEALED = "0001_initial", "0010_sealed_headers"

Row = Webhook | WebhookDelivery


def of(row: Row) -> dict[str, str]:
    """The headers with their values. Raises `RejectedError` (`key_missing`)."""
    if row.sealed_headers is None:
        return dict(row.headers)
    return {**row.headers, **orjson.loads(webhook_secrets.unseal(row.headers_key_name, bytes(row.sealed_headers)))}


def masked(row: Row) -> dict[str, str]:
    """The headers as pages and programs see them."""
    return {name: value if name == CONTENT_TYPE else HIDDEN for name, value in row.headers.items()}


def put(row: Row, headers: dict[str, str], seals: bool) -> None:
    """Give `row` these headers, sealed if `seals` (what `is_sealing` says); the caller saves."""
    if seals:
        _seal(row, headers)
    else:
        row.headers, row.sealed_headers, row.headers_key_name = headers, None, ""


def _seal(row: Row, headers: dict[str, str]) -> None:
    row.headers = headers
    row.headers = masked(row)
    secret = {name: value for name, value in headers.items() if name != CONTENT_TYPE}
    row.headers_key_name, row.sealed_headers = webhook_secrets.seal(orjson.dumps(secret)) if secret else ("", None)


def is_sealing() -> bool:
    """Whether headers are sealed now: at once in a new installation, a day after the migration in an upgraded one."""
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


def seal_all() -> int:
    """Seal the headers that are kept clear, once that may be; safe to run again. How many rows were sealed."""
    done = 0
    if is_sealing():
        for model in (Webhook, WebhookDelivery):
            while some := _seal_some(model):
                done += some
    return done


@transaction.atomic
def _seal_some(model: type[Row]) -> int:
    clear = RawSQL("headers - %s <> '{}'", [CONTENT_TYPE], BooleanField())
    rows: QuerySet[Any] = (
        model._default_manager.alias(is_clear=clear).filter(is_clear=True, sealed_headers=None).order_by("pk")
    )
    some = list(rows.select_for_update()[:BATCH])
    for row in some:
        _seal(row, row.headers)
    model._default_manager.bulk_update(some, ["headers", "sealed_headers", "headers_key_name"])
    return len(some)


def reseal() -> int:
    """Seal again under the present key what lies under another one. How many rows were sealed."""
    done, present = 0, webhook_secrets.present()
    for model in (Webhook, WebhookDelivery):
        others: QuerySet[Any] = model._default_manager.exclude(sealed_headers=None).exclude(headers_key_name=present)
        while some := list(others.order_by("pk")[:BATCH]):
            for row in some:
                name, sealed = webhook_secrets.seal(webhook_secrets.unseal(row.headers_key_name, row.sealed_headers))
                same = model._default_manager.filter(pk=row.pk, sealed_headers=row.sealed_headers)
                done += same.update(sealed_headers=sealed, headers_key_name=name)
    return done
