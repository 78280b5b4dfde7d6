"""Every boolean column that a verb sets: one entry a change, a revision where the model has one, and its right."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model

from activities.forms import editing as forms
from activities.links import editing as links
from activities.sources import editing as sources
from people.core.errors import NotAllowedError, RejectedError
from people.lists import static_lists
from smartlists.lists import editing as smart_lists

pytestmark = pytest.mark.django_db

EMPTY = {"match": "all", "filters": []}
SWITCHES = {
    "event source": (
        lambda: sources.create_source("Shop", "server", None).key.source,
        (sources.turn_off, sources.turn_on),
    ),
    "link": (lambda: links.create_link("Fair", "https://example.com/", None), (links.turn_off, links.turn_on)),
    "form": (lambda: forms.create_form("Fair", None), (forms.archive_form, forms.reopen_form)),
    "static list": (
        lambda: static_lists.create_static_list("Fair", None),
        (static_lists.archive_static_list, static_lists.unarchive_static_list),
    ),
    "smart list": (
        lambda: smart_lists.create_smart_list("Fair", EMPTY, None),
        (smart_lists.archive_smart_list, smart_lists.unarchive_smart_list),
    ),
}


@pytest.mark.parametrize("kind", SWITCHES)
def test_a_switch_writes_one_entry_a_change_and_needs_its_right(kind):
    make, verbs = SWITCHES[kind]
    row = make()
    revision = getattr(row, "revision", None)
    for times, verb in enumerate(verbs, 1):
        entries = LogEntry.objects.count()
        changed = verb(verb(row, None), None)
        assert LogEntry.objects.count() == entries + 1
        if revision is not None and kind != "smart list":
            assert changed.revision == revision + times
        with pytest.raises(NotAllowedError):
            verb(row, get_user_model().objects.create_user(f"nobody {times}"))
    type(row).objects.filter(pk=row.pk).delete()
    with pytest.raises(RejectedError):
        verbs[0](row, None)
