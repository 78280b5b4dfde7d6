"""Visitors at a glance, for lists and pages: their browser, the pages they saw, and where they came from."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils.translation import gettext as _

from activities.types.standard import VISIT_WEB_PAGE
from activities.visitors.devices import campaign_of, referring_site

MOST_READ = 100  # of the newest rows of a visitor; more pages are not counted
OLDEST_READ = 20  # rows among which the first visit is looked for


@dataclass(frozen=True, slots=True)
class Glance:
    """The kept rows of a visitor in brief; empty without any. `pages` is bounded by `MOST_READ`."""

    browser: str = ""
    platform: str = ""
    pages: int = 0
    is_bounded: bool = False
    last_page: str = ""
    first_page: str = ""
    referrer: str = ""
    campaign: Sequence[tuple[str, str]] = ()  # (UTM field, value)

    @property
    def device(self) -> str:
        """“Chrome on Windows”, or as much of it as is known; empty for nothing."""
        if self.browser and self.platform:
            return _("%(browser)s on %(platform)s") % {"browser": self.browser, "platform": self.platform}
        return self.browser or self.platform

    @property
    def has_origin(self) -> bool:
        """True where anything is known of where the visitor came from."""
        return bool(self.origin or self.referrer or self.campaign or self.pages)

    @property
    def origin(self) -> str:
        """The way to the first page: “newsletter / email”, or the referring site; empty without any visit."""
        values = dict(self.campaign)
        named = [values[name] for name in ("utm_source", "utm_medium") if name in values]
        if named or not self.first_page:
            return " / ".join(named)
        site = referring_site(self.referrer) if self.referrer else ""
        is_own = not site or self.first_page.removeprefix("https://").startswith(site)
        return _("Directly") if is_own else site


def glances_of(visitor_ids: Collection[int]) -> dict[int, Glance]:
    """The glances of visitors by id; one statement that reads a bounded number of rows of each."""
    if not visitor_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select v.id, n.browser, n.platform, n.pages, n.rows = {MOST_READ}, n.page, f.page, f.attributes
            from visitor v
            cross join lateral (
                select count(*) as rows, count(*) filter (where is_page) as pages,
                    (array_agg(page order by id desc) filter (where is_page))[1] as page,
                    (array_agg(browser order by id desc) filter (where browser <> ''))[1] as browser,
                    (array_agg(platform order by id desc) filter (where platform <> ''))[1] as platform
                from (
                    select id, activity_type_id = %(visit)s and not is_bot as is_page, primary_value as page,
                        attributes ->> 'browser' as browser, attributes ->> 'platform' as platform
                    from visitor_activity where visitor_id = v.id order by id desc limit {MOST_READ}) newest) n
            left join lateral (
                select page, attributes
                from (
                    select id, activity_type_id, is_bot, primary_value as page, attributes
                    from visitor_activity where visitor_id = v.id order by id limit {OLDEST_READ}) oldest
                where activity_type_id = %(visit)s and not is_bot order by id limit 1) f on true
            where v.id = any(%(ids)s)""",
            {"visit": VISIT_WEB_PAGE, "ids": list(visitor_ids)},
        )
        return {pk: _glance(*values) for pk, *values in cursor.fetchall()}


def _glance(
    browser: str | None,
    platform: str | None,
    pages: int,
    is_bounded: bool,
    last_page: str | None,
    first_page: str | None,
    attributes: str | None,
) -> Glance:
    values = json.loads(attributes) if attributes else {}
    return Glance(
        browser or "",
        platform or "",
        pages,
        is_bounded,
        last_page or "",
        first_page or "",
        str(values.get("referrer_url") or ""),
        campaign_of(values),
    )
