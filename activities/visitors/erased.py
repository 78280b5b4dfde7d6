"""Visitors whose person was erased: only the hash is left of them, so that nothing is kept of what they do later."""

from collections.abc import Collection

from activities.models import Visitor
from activities.visitors.hits import VisitorKey
from people.core.db import prepared


def burnt_visitors(keys: Collection[VisitorKey]) -> set[VisitorKey]:
    """Those of the visitors whose person was erased."""
    if not keys:
        return set()
    groups, tokens = zip(*sorted(keys), strict=True)
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """select v.site_group, v.token_hash from unnest(%s::text[], %s::bytea[]) as w (site_group, token_hash)
            join visitor v using (site_group, token_hash) where v.state = %s""",
            [list(groups), list(tokens), Visitor.State.BURNT.value],
        )
        return {(group, bytes(token)) for group, token in cursor.fetchall()}
