"""Static lists: made, named, filled, emptied, kept while used."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from activities.models import Activity
from activities.types.standard import ADD_TO_LIST, REMOVE_FROM_LIST
from people.core import audit
from people.core.errors import NotAllowedError, RejectedError
from people.core.models import Folder
from people.core.source import Channel, Source
from people.lists import static_lists
from people.lists.static_lists import Membership
from people.models import StaticList, StaticListCount, StaticListMember
from people.persons import deletion
from people.persons import merge as person_merge
from people.privacy import erasure
from tests.activities.recording.test_races import InThread
from tests.factories import MARKETO, make_person

pytestmark = pytest.mark.django_db
ADDED, ALREADY, REMOVED, ABSENT, UNKNOWN = Membership


def make(name="Seeds", **options):
    return static_lists.create_static_list(name, None, **options)


def members(static_list):
    return list(StaticListMember.objects.of_list(static_list.pk).values_list("person_id", flat=True))


def refusal(verb, *args, **options):
    with pytest.raises(RejectedError) as caught:
        verb(*args, **options)
    return caught.value


def test_people_join_and_leave_once_and_the_log_says_so():
    seeds, ann, bob = make(), make_person(), make_person()
    assert static_lists.add_members(seeds, [ann.pk, bob.pk, ann.pk, 2_000_000_000], MARKETO) == [
        ADDED,
        ADDED,
        ALREADY,
        UNKNOWN,
    ]
    assert static_lists.add_members(seeds, [ann.pk], MARKETO) == [ALREADY]
    assert static_lists.remove_members(seeds, [bob.pk, 0, bob.pk], MARKETO) == [REMOVED, UNKNOWN, ABSENT]
    assert members(seeds) == [ann.pk]
    log = Activity.objects.filter(activity_type_id__in=[ADD_TO_LIST, REMOVE_FROM_LIST]).order_by("pk")
    assert list(log.values_list("person_id", "activity_type_id", "primary_value")) == [
        (ann.pk, ADD_TO_LIST, "Seeds"),
        (bob.pk, ADD_TO_LIST, "Seeds"),
        (bob.pk, REMOVE_FROM_LIST, "Seeds"),
    ]


def test_a_membership_says_since_when_and_through_whom():
    user = get_user_model().objects.create_user("mia")
    seeds, ann = make(), make_person()
    static_lists.add_members(seeds, [ann.pk], Source(Channel.IMPORT, user.pk, 7))
    member = StaticListMember.objects.get()
    assert (member.channel, member.user, member.origin_id) == (Channel.IMPORT, user, 7)
    assert member.added_at is not None


@pytest.mark.parametrize("nobody", [True, -1, 2**31, 10**4000, "١", "1 ", None, 1.0, "x\0"])
def test_what_is_no_id_is_nobody(nobody):
    assert static_lists.add_members(make(), [nobody], MARKETO) == [UNKNOWN]


def test_ten_thousand_ids_in_one_call_cost_a_few_statements():
    seeds = make()
    ids = [make_person().pk, *range(2_000_000_000, 2_000_009_999)]
    with CaptureQueriesContext(connection) as queries:
        outcomes = static_lists.add_members(seeds, ids, MARKETO)
    assert outcomes == [ADDED] + [UNKNOWN] * 9_999
    assert len(queries) <= 16
    with pytest.raises(ValueError):
        static_lists.add_members(seeds, [*ids, 1], MARKETO)
    assert static_lists.add_all_members(seeds, iter([*ids, make_person().pk]), MARKETO) == 1


def test_a_list_is_renamed_described_and_moved_under_the_same_id():
    seeds, folder = make(), Folder.objects.create(name="Events")
    changed = static_lists.change_static_list(seeds, None, name="  Sprouts ", description="Fresh", folder=folder)
    found = StaticList.objects.get(pk=seeds.pk)
    assert (found.name, found.description, found.folder) == ("Sprouts", "Fresh", folder) and changed == found
    entry = LogEntry.objects.latest("pk")
    assert audit.entry_sentence(entry) == "Changed: description, folder, name"
    static_lists.change_static_list(found, None, name="Sprouts")
    assert LogEntry.objects.latest("pk") == entry


@pytest.mark.parametrize("name", ["", "  ", None, "a\0b", "\ud800", "two\nlines", "x" * 256, 7.5j, ["x"]])
def test_bad_names_are_refused(name):
    assert refusal(make, name).problems[0].path == ("name",)
    assert not StaticList.objects.exists()


def test_no_two_lists_share_a_name_whatever_the_case():
    make("Seeds")
    other = make("Others")
    assert refusal(make, "SEEDS").code == "name_taken"
    assert refusal(static_lists.change_static_list, other, None, name="seeds").code == "name_taken"


def test_an_archived_list_is_put_away_with_its_members():
    seeds, ann = make(), make_person()
    static_lists.add_members(seeds, [ann.pk], MARKETO)
    static_lists.archive_static_list(seeds, None)
    assert not StaticList.objects.unarchived().exists() and members(seeds) == [ann.pk]
    static_lists.unarchive_static_list(seeds, None)
    assert StaticList.objects.unarchived().get() == seeds


def test_a_deleted_list_takes_nobody_with_it_and_is_unknown_afterwards():
    seeds, ann = make(), make_person()
    static_lists.add_members(seeds, [ann.pk], MARKETO)
    static_lists.delete_static_list(seeds, None)
    ann.refresh_from_db()
    assert ann.is_live and not StaticListMember.objects.exists()
    gone = StaticList(pk=seeds.pk or 1)
    for verb in (static_lists.add_members, static_lists.remove_members):
        assert refusal(verb, gone, [ann.pk], MARKETO).code == "unknown_list"
    assert refusal(static_lists.change_static_list, gone, None, name="x").code == "unknown_list"


def test_rights_are_checked_by_the_verbs():
    nobody, seeds = get_user_model().objects.create_user("nobody"), make()
    for verb, args in (
        (static_lists.create_static_list, ("Mine", nobody)),
        (static_lists.change_static_list, (seeds, nobody)),
        (static_lists.archive_static_list, (seeds, nobody)),
        (static_lists.delete_static_list, (seeds, nobody)),
    ):
        with pytest.raises(NotAllowedError):
            verb(*args)


def test_pasted_text_names_people_by_id_and_e_mail():
    ann, bob, eve = (
        make_person(email="ann@example.com"),
        make_person(email="bob@example.com"),
        make_person(email="eve@example.com"),
    )
    text = f'Ann Álvarez 7 <ANN@example.com>; bob@example.com {ann.pk},\n"{eve.pk}"\t{ann.pk}\0\n\n'
    found = static_lists.find_pasted_people(text)
    assert (found.person_ids, found.problems) == ([ann.pk, bob.pk, eve.pk], [])


def test_pasted_text_that_names_nobody_or_several_is_told_apart():
    from people.persons import upsert

    upsert.upsert_people([{"email": "twins@example.com"}] * 2, MARKETO, action=upsert.UpsertAction.DUPLICATE)
    found = static_lists.find_pasted_people(
        "twins@example.com 12345678 nonsense \U0001f600@example.com 99999999999999999999"
    )
    assert found.person_ids == []
    assert [(problem.code, problem.path) for problem in found.problems] == [
        ("ambiguous_person", (0,)),
        ("unknown_person", (1,)),
    ]
    found = static_lists.find_pasted_people("nonsense\n99999999999999999999\n１２")
    assert [problem.code for problem in found.problems] == ["unknown_person"] * 3
    assert refusal(static_lists.find_pasted_people, "1 " * 10_001).code == "too_many"


@pytest.mark.django_db(transaction=True)
def test_a_delete_waits_for_who_is_adding_and_who_comes_later_is_refused():
    seeds, ann = make(), make_person()
    with transaction.atomic():
        static_lists.add_members(seeds, [ann.pk], MARKETO)
        deleting = InThread(lambda: static_lists.delete_static_list(seeds, None))
        assert deleting.is_waiting()
    deleting.result()
    assert not StaticListMember.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_add_the_same_people_in_any_order_add_them_once():
    seeds, ann, bob = make(), make_person(), make_person()
    with transaction.atomic():
        first = static_lists.add_members(seeds, [bob.pk, ann.pk], MARKETO)
        other = InThread(lambda: static_lists.add_members(seeds, [ann.pk, bob.pk], MARKETO))
        assert other.is_waiting()
    assert (first, other.result()) == ([ADDED, ADDED], [ALREADY, ALREADY])
    assert Activity.objects.filter(activity_type_id=ADD_TO_LIST).count() == 2


def sizes():
    """(the kept sizes of the lists, those of a recount)."""
    lists = StaticList.objects.order_by("pk")
    return {one.pk: static_lists.static_list_size(one) for one in lists}, {one.pk: len(members(one)) for one in lists}


def test_the_size_is_kept_whatever_moves_people():
    seeds, buds, ann, bob, cem = make(), make("Buds"), make_person(), make_person(), make_person()
    static_lists.add_members(seeds, [ann.pk, bob.pk, cem.pk, ann.pk], MARKETO)
    static_lists.add_members(buds, [bob.pk, cem.pk], MARKETO)
    static_lists.remove_members(seeds, [cem.pk, cem.pk], MARKETO)
    merged = person_merge.merge_people(ann.pk, [bob.pk], None, MARKETO)  # ann is on both lists now, bob on none
    assert sizes() == ({seeds.pk: 1, buds.pk: 2},) * 2
    static_lists.sum_up_list_counts()
    assert StaticListCount.objects.count() == 2
    person_merge.undo_merge(merged.pk, None, MARKETO)
    deletion.delete_people([bob.pk], None, MARKETO)
    deletion.restore_people([bob.pk], None, MARKETO)
    erasure.erase_people([cem.pk], None, MARKETO)
    assert sizes() == ({seeds.pk: 2, buds.pk: 1},) * 2
    assert static_lists.miscounted_lists() == []
    StaticListCount.objects.filter(static_list_id=buds.pk).update(people=7)
    assert [row[0] for row in static_lists.miscounted_lists()] == [buds.pk]
    static_lists.delete_static_list(buds, None)
    static_lists.sum_up_list_counts()
    assert [row.static_list_id for row in StaticListCount.objects.all()] == [seeds.pk]
    assert sizes() == ({seeds.pk: 2},) * 2


@pytest.mark.django_db(transaction=True)
def test_nobody_who_joins_is_lost_while_sizes_are_added_up():
    seeds, ann, bob, cem = make(), make_person(), make_person(), make_person()
    static_lists.add_members(seeds, [ann.pk], MARKETO)
    with transaction.atomic():
        static_lists.add_members(seeds, [bob.pk], MARKETO)
        InThread(static_lists.sum_up_list_counts).result()  # waits for no transaction
        with transaction.atomic():
            static_lists.sum_up_list_counts()
            second = InThread(static_lists.sum_up_list_counts)
            static_lists.add_members(seeds, [cem.pk], MARKETO)
    second.result()
    static_lists.sum_up_list_counts()
    assert sizes() == ({seeds.pk: 3},) * 2 and StaticListCount.objects.count() == 1


def test_the_page_of_a_list_counts_nobody(client):
    seeds = make()
    static_lists.add_members(seeds, [make_person().pk, make_person().pk], MARKETO)
    client.force_login(get_user_model().objects.create_superuser("vera"))
    with CaptureQueriesContext(connection) as queries:
        reply = client.get(f"/admin/people/staticlist/{seeds.pk}/change/")
    assert reply.context["count"] == 2
    assert not [one["sql"] for one in queries if "count(" in one["sql"].lower() and "static_list_member" in one["sql"]]
