"""A pass takes a bounded number of bytes, and a request that ends its process becomes stuck and holds up no other."""

import pytest

from activities.intake import due, processing
from activities.intake.keeping import keep_requests
from activities.intake.state import intake_shares
from activities.models import IntakePass, IntakeRequest
from config.collector.http import HttpError
from config.collector.intake import IntakeRoom
from tests.activities.intake.processing import keep, kept, process_all
from tests.activities.intake.test_processing import checks, deposit
from tests.activities.segment.senders import make_program
from tests.factories import approved_type

pytestmark = pytest.mark.django_db


class KilledError(BaseException):
    """The end of the process."""


def test_a_pass_takes_a_bounded_number_of_bytes_and_a_larger_request_alone(monkeypatch):
    approved_type()
    one, other, small = make_program("One"), make_program("Other"), make_program("Small")
    keep(one, deposit(0))
    size = IntakeRequest.objects.get().size
    IntakeRequest.objects.all().delete()
    monkeypatch.setattr(due, "BYTES_AT_ONCE", size * 6)
    for source in (one, other):
        for number in range(5):
            keep(source, deposit(number))
    keep(small, deposit(7))
    keep(small, deposit(8, context={"page": {"title": "x" * 5_000}}))
    assert sorted(request.source_id for request in due.find_due([])) == sorted(
        [one.pk] * 2 + [other.pk] * 2 + [small.pk]
    )
    passes = []
    while done := due.find_due([]):
        passes.append(sum(request.size for request in done))
        assert processing.process_intake() == len(done)
    assert [passed <= size * 6 for passed in passes].count(False) == 1, "the one that is larger"
    assert checks(one) == checks(other) == [str(number) for number in range(5)] and checks(small) == ["7", "8"]


def test_many_sources_with_one_large_request_each_do_not_add_up(monkeypatch):
    sources = [make_program(f"Program {number}") for number in range(6)]
    for source in sources:
        keep(source, deposit(1, context={"page": {"title": "x" * 2_000}}))
    monkeypatch.setattr(due, "BYTES_AT_ONCE", 5_000)
    served = []
    while requests := due.find_due([]):
        assert len(requests) == 2
        served += [request.source_id for request in requests]
        processing.process_intake()
    assert served == [source.pk for source in sources]


def test_a_request_that_kills_its_process_is_stuck_after_its_tries(monkeypatch):
    approved_type()
    source, other = make_program(), make_program("Other")
    for number in range(4):
        keep(source, deposit(number))
    keep(source, deposit("poison"))
    keep(source, deposit(5))
    keep(other, deposit(9))
    kills = iter_kills(monkeypatch)
    assert next(kills) and checks(source) == [], "the first pass has all of them"
    assert set(IntakePass.objects.values_list("last_id", flat=True)) == set(last_ids(source, other))
    assert next(kills) and checks(source) == ["0", "1", "2", "3"], "the next one takes them one by one"
    row = IntakeRequest.objects.order_by("pk").first()
    assert (row.tries, row.error) == (1, due.NO_END)
    for _kill in kills:
        pass
    row.refresh_from_db()
    assert row.is_stuck and row.tries == due.MAX_TRIES and IntakeRequest.objects.count() == 1
    assert checks(source) == ["0", "1", "2", "3", "5"] and checks(other) == ["9"]
    keep(source, deposit(6))
    assert process_all() == 1 and not IntakePass.objects.filter(last_id__gt=0).exists()


def last_ids(*sources):
    return [IntakeRequest.objects.filter(source=source).latest("pk").pk for source in sources]


def iter_kills(monkeypatch):
    """Process until nothing is due; yields after each time at which the process was killed."""
    read_request = processing.read_request

    def read(row, *rest):
        if b"poison" in bytes(row.body):
            raise KilledError
        return read_request(row, *rest)

    monkeypatch.setattr(processing, "read_request", read)
    while True:
        try:
            process_all()
            if not IntakeRequest.objects.filter(is_stuck=False).exists():
                return
        except KilledError:
            yield True
        IntakeRequest.objects.update(try_at=None)


def test_a_backlog_of_one_program_leaves_room_for_others_and_stuck_requests_count_apart(settings):
    settings.INTAKE_BYTES = 100_000
    source, other = make_program(), make_program("Other")
    large = {"context": {"page": {"title": "x" * 4_500}}}
    room = IntakeRoom()

    def fill(source):
        """Keep requests until one is refused, and look at the intake now and then; the bytes that the source has."""
        for number in range(100):
            request = kept(source, deposit(number, **large))
            try:
                room.take(request)
            except HttpError:
                return sum(row.size for row in IntakeRequest.objects.filter(source=source, is_stuck=False))
            keep_requests([request])
            if number % 3 == 0:
                room.note(intake_shares(), (room._new.copy(), room._new_size.copy()))
        raise AssertionError("no end")

    assert 40_000 < fill(source) <= 50_000 and 20_000 < fill(other) <= 25_000 + 5_000
    IntakeRequest.objects.filter(source=other).delete()
    first = IntakeRequest.objects.filter(source=source).earliest("pk")
    IntakeRequest.objects.filter(pk=first.pk).update(is_stuck=True)
    room.note(intake_shares(), (room._new.copy(), room._new_size.copy()))
    room.take(kept(source, deposit(7, **large)))
    IntakeRequest.objects.filter(source=source).update(is_stuck=True)
    room.note(intake_shares(), (room._new.copy(), room._new_size.copy()))
    with pytest.raises(HttpError):
        room.take(kept(source, deposit(8, **large)))
