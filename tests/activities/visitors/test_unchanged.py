"""Sign-ins that change nothing are settled together; an alias of two known people proposes them as duplicates."""

import pytest

from activities.models import Activity, Association, VisitorActivity
from activities.visitors import identity, unchanged
from people.models import DuplicateGroup, Person, SuggestedPair
from people.persons import duplicates, merge
from people.privacy import erasure
from tests.activities.segment.senders import make_program, make_site, message, send
from tests.activities.visitors.factories import dispatch
from tests.factories import MARKETO

pytestmark = pytest.mark.django_db
CHANGE = 13


def signs_in(user, **traits):
    return message("identify", userId=user, anonymousId=f"{user}-browser", traits=traits)


def waiting():
    return list(VisitorActivity.objects.filter(identity_state=0).order_by("id").values_list("received_at", "id"))


def test_equal_sign_ins_cost_a_few_statements_and_others_are_decided_in_order(django_assert_max_num_queries):
    program = make_program()
    users = [f"u-{number}" for number in range(20)]
    send(program, *(signs_in(user, city="Bern", email=f"{user}@example.com") for user in users))
    dispatch()
    people = set(Person.objects.values_list("pk", flat=True))
    changes = Activity.objects.count()
    send(program, *(signs_in(user, city="Bern", email=f"{user}@example.com", plan="x") for user in users))
    with django_assert_max_num_queries(15):
        assert identity.process_identities() == 40 and not waiting()
    assert Activity.objects.count() == changes and set(Person.objects.values_list("pk", flat=True)) == people
    kept = VisitorActivity.objects.filter(identity__isnull=False).values_list("identity", flat=True)
    assert all(row == {"evidence": 1} for row in kept), "nothing of a person stays"

    # there and back again: the last one counts, though alone it would change nothing
    send(program, signs_in("u-1", city="Rom"), signs_in("u-1", city="Bern"), signs_in("u-2", city="Bern"))
    settled = unchanged.settle_unchanged(waiting())
    assert (len(settled.unchanged), len(settled.changing), len(waiting())) == (2, 1, 4), "u-2's, and the first"
    dispatch()
    ann = Person.objects.get(email="u-1@example.com")
    changed = Activity.objects.filter(person_id=ann.pk, activity_type_id=CHANGE).order_by("pk")
    cities = [row.attributes.get("new_value") for row in changed]
    assert ann.city == "Bern" and cities[-2:] == ["Rom", "Bern"]

    # another address, another evidence, another owner, another person's user id: each is looked at for itself
    send(program, signs_in("u-3", email="new@example.com"), signs_in("u-4", email="u-5@example.com"))
    send(program, message("identify", userId="u-7", anonymousId="u-6-browser", traits={"city": "Bern"}))
    dispatch()
    assert Person.objects.filter(email="new@example.com").exists()
    owners = Association.objects.filter(undone_at=None, to_at=None)
    assert owners.filter(person_id=Person.objects.get(email="u-7@example.com").pk).count() == 3

    # a failure of the quick way costs nothing
    send(program, signs_in("u-8", city="Bern"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unchanged, "_read", lambda _keys: 1 / 0)
        dispatch()
    assert not waiting()


def test_an_alias_of_two_known_people_proposes_them_and_merges_nobody():
    program, site = make_program(), make_site()
    send(program, *(signs_in(user, email=f"{user}@example.com") for user in ("u-1", "u-2", "u-3")))
    dispatch()
    ids = {user: Person.objects.get(email=f"{user}@example.com").pk for user in ("u-1", "u-2", "u-3")}
    loop = [("u-1", "u-2"), ("u-2", "u-1"), ("u-1", "u-1"), ("u-3-browser", "u-2"), ("nobody", "u-1")]
    send(program, *(message("alias", previousId=previous, userId=user) for previous, user in loop))
    send(site, message("alias", previousId="u-1", userId="u-3", anonymousId=...))
    dispatch()
    pairs = set(SuggestedPair.objects.values_list("person_id", "other_id"))
    assert pairs == {(ids["u-1"], ids["u-2"]), (ids["u-2"], ids["u-3"])}, "a page's alias proposes nothing"
    assert Person.objects.live().count() == 3
    shown = [group.person_ids for group in duplicates.duplicate_groups("program")]
    assert sorted(shown) == sorted(map(list, pairs)), "at once"
    duplicates.search_duplicates()
    assert [group.person_ids for group in duplicates.duplicate_groups("program").order_by("pk")] == sorted(
        map(list, pairs)
    )
    ann = Person.objects.get(pk=ids["u-1"])
    (other,) = duplicates.duplicates_of_person(ann)
    assert (other.person.pk, other.labels) == (ids["u-2"], ["Same, says a program"])

    duplicates.mark_as_different([ids["u-1"], ids["u-2"]], None)
    assert not duplicates.suggest_pair(ids["u-2"], ids["u-1"]) and not duplicates.duplicates_of_person(ann)
    merge.merge_people(ids["u-3"], [ids["u-2"]], None, MARKETO)
    duplicates.search_duplicates()
    assert not DuplicateGroup.objects.filter(kind="program").exists()
    erasure.erase_people([ids["u-3"]], None, MARKETO)
    assert SuggestedPair.objects.filter(other_id=ids["u-3"]).count() == 0
