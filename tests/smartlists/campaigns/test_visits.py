"""Visits start campaigns in the round of the dispatcher that moves them; those that waited start none."""

import pytest

from tests.activities.visitors.factories import Evidence, make_hit, make_site, make_visitor, says
from tests.factories import approved_type, make_person
from tests.smartlists.campaign_factories import (
    add_to_list_step,
    list_member_ids,
    make_active_campaign,
    make_static_list,
    process_due_work,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]


def test_the_act_that_tells_who_it_is_and_what_follows_start_campaigns():
    check, site, ann = approved_type(), make_site(), make_person()
    entered = make_static_list()
    make_active_campaign(add_to_list_step(entered))
    visitor = make_visitor(site)
    make_hit(visitor, site, "No. 1", type_id=check.pk)
    make_hit(visitor, site, "No. 2", type_id=check.pk)
    assert process_due_work() == [], "strangers start nothing"
    make_hit(visitor, site, "No. 3", type_id=check.pk, said=says(Evidence.FORM, ann.email))
    states = process_due_work()
    assert sorted((state, reason) for _person, state, reason in states) == [
        ("done", ""),
        ("skipped", "past"),
        ("skipped", "past"),
    ]
    make_hit(visitor, site, "No. 4", type_id=check.pk)
    assert [state for _person, state, _reason in process_due_work()].count("done") == 2
    assert list_member_ids(entered) == {ann.pk}
