"""Munchkin's cookies: the value by which pages and programs of Marketo identify a visitor."""

import re
from typing import NamedTuple

from activities.models import EventSource, Visitor
from activities.sources.addresses import parse_munchkin_id
from activities.visitors.tokens import token_hash

_COOKIE = re.compile(r"(?:id:([0-9A-Za-z-]+)(?:&|%26))?token:([0-9A-Za-z._-]+)")


class Cookie(NamedTuple):
    """The account and the token of a cookie; only the token identifies the visitor."""

    munchkin_id: str | None
    token: str


def parse_cookie(value: str) -> Cookie | None:
    """The parts of a cookie's value; None for anything else."""
    match = _COOKIE.fullmatch(value)
    return Cookie(*match.groups()) if match else None


def find_visitor(cookie: Cookie) -> Visitor | None:
    """The visitor with the token: in the account's site group, else the only visitor with it."""
    visitors = {row.site_group: row for row in Visitor.objects.filter(token_hash=token_hash(cookie.token))[:100]}
    site = _site(cookie)
    if site is not None and site.site_group in visitors:
        return visitors[site.site_group]
    return next(iter(visitors.values())) if len(visitors) == 1 else None


def visitor_of_cookie(cookie: Cookie) -> Visitor | None:
    """The visitor of a cookie, created if its account is that of a web site: the first visit may still be under way.

    None if neither the token nor the account is known.
    """
    site = _site(cookie)
    if (visitor := find_visitor(cookie)) is not None or site is None:
        return visitor
    return Visitor.objects.get_or_create(
        site_group=site.site_group, token_hash=token_hash(cookie.token), defaults={"first_source": site}
    )[0]


def _site(cookie: Cookie) -> EventSource | None:
    munchkin_id = parse_munchkin_id(cookie.munchkin_id or "")
    return EventSource.objects.filter(munchkin_id=munchkin_id).first() if munchkin_id else None
