"""The activity types that web pages can send, cached for a few seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from activities.models import CONSENT_TYPES, ActivityType
from activities.recording.schema import Schema, schema_of_version
from activities.visitors.moving import TRACKED_TYPES

VISIT_WEB_PAGE, FILL_OUT_FORM, CLICK_LINK = 1, 2, 3
CONSENT_GIVEN, CONSENT_WITHDRAWN = CONSENT_TYPES


@dataclass(frozen=True, slots=True)
class LiveTypes:
    """`by_name`: custom types by API name, and by name in lower case; `standard`: those of `TRACKED_TYPES` by id.

    Types that accept no activities are left out.
    """

    by_name: Mapping[str, Schema] = field(default_factory=dict)
    standard: Mapping[int, Schema] = field(default_factory=dict)

    def find(self, name: str) -> Schema | None:
        return self.by_name.get(name) or self.by_name.get(name.strip().lower())


def load_live_types() -> LiveTypes:
    """Load the types: two statements, and one more for each version that this process has not compiled."""
    rows = list(
        ActivityType.objects.filter(live__isnull=False, retired_at=None, deleted_at=None)
        .exclude(is_standard=True)
        .values_list("api_name", "live__name", "live_id")
    )
    names = {name.lower(): schema_of_version(live_id) for _api_name, name, live_id in rows}
    names |= {api_name: schema_of_version(live_id) for api_name, _name, live_id in rows}
    standard = ActivityType.objects.filter(pk__in=TRACKED_TYPES, live__isnull=False).values_list("pk", "live_id")
    return LiveTypes(names, {pk: schema_of_version(live_id) for pk, live_id in standard})
