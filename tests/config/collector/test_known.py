"""Keys that are known are used on, whatever strangers make up and while the database is slow or away."""

import asyncio
import threading
from math import inf
from time import monotonic

import pytest
from django.db import OperationalError

from activities.inbox.mapping import Decision
from activities.models import SourceKey
from activities.tracking import senders
from activities.tracking.live_types import LiveTypes
from activities.tracking.senders import KnownKey, KnownKeys
from config.collector import application, known
from config.collector.http import HttpError

GOOD = "cab_" + "a" * 24


def junk(number):
    return f"cab_{number:024d}"


def test_made_up_keys_keep_no_known_one_waiting(monkeypatch):
    released, is_away = threading.Event(), False

    def read(text):
        if text != GOOD:
            released.wait(20)
            return KnownKey(None, 0, monotonic())
        if is_away:
            raise OperationalError
        return KnownKey(SourceKey(), 0, monotonic())

    async def run():
        nonlocal is_away
        state = known.KnownState()
        try:
            first = await state.find_key(GOOD)
            asked = [asyncio.create_task(state.find_key(junk(number))) for number in range(known.MOST_READINGS + 1)]
            await asyncio.sleep(0)
            with pytest.raises(HttpError):
                await asked[-1]
            assert await state.find_key(GOOD) is first
            first.read_at -= senders.FRESH_SECONDS
            second = await state.find_key(GOOD)
            assert second is not first, "read again meanwhile"
            is_away = True
            second.read_at -= senders.FRESH_SECONDS
            assert await state.find_key(GOOD) is second
            second.read_at -= senders.USABLE_SECONDS
            with pytest.raises(HttpError):
                await state.find_key(GOOD)
            assert await state.find_key(GOOD, oldest=inf) is second, "for scripts"
            released.set()
            assert (await asked[0]).key is None
        finally:
            released.set()
            state.close()

    monkeypatch.setattr(known, "read_key", read)
    asyncio.run(run())


def test_made_up_keys_push_no_known_one_out(monkeypatch):
    monkeypatch.setattr(senders, "MAX_UNKNOWN", 3)
    keys, good = KnownKeys(), KnownKey(SourceKey(), 0, 0)
    keys.keep(GOOD, good)
    for number in range(10):
        keys.keep(junk(number), KnownKey(None, 0, 0))
    assert keys.find(GOOD) is good and keys.find(junk(9)) and keys.find(junk(0)) is None
    keys.keep(GOOD, KnownKey(None, 0, 0))
    assert keys.find(GOOD).key is None, "deleted meanwhile"


def test_names_that_no_type_has_are_asked_for_once_a_beat(monkeypatch):
    read = []
    types = LiveTypes(decisions={(7, "ignored"): Decision("ignored"), (7, "full"): Decision()})
    monkeypatch.setattr(known, "load_live_types", lambda: read.append(1) or types)
    monkeypatch.setattr(known, "NEW_TYPES_SECONDS", -1)

    async def reads(state, *names, source_id=7):
        before = len(read)
        await state.current_types(names, source_id)
        return len(read) - before

    async def run():
        state = known.KnownState()
        try:
            assert await reads(state) == 1
            assert await reads(state, "Ignored", "FULL") == 0, "decided about"
            assert await reads(state, "ignored", source_id=8) == 1, "of another source"
            assert await reads(state, "New", "new") == 1 and await reads(state, "New", "Ignored") == 0
            assert await reads(state, "New", source_id=None) == 1, "a name of a type"
            async with state._reading_types:  # another request reads just now
                assert await asyncio.wait_for(reads(state, "New", "full"), 5) == 0
            monkeypatch.setattr(known, "MOST_UNKNOWN", 3)
            assert await reads(state, "Newer") == 0, "made-up names without end cause no reads"
            state._unknown.clear()
            assert await reads(state, "New") == 1
        finally:
            state.close()

    asyncio.run(run())


def test_a_type_approved_just_after_a_reading_is_there_and_requests_beside_it_share_the_next_one(monkeypatch):
    read, types = [], [LiveTypes(), LiveTypes(decisions={(7, "approved"): Decision("approved")})]
    monkeypatch.setattr(known, "load_live_types", lambda: read.append(1) or types[min(len(read), 2) - 1])
    monkeypatch.setattr(known, "NEW_TYPES_SECONDS", 0.05)

    async def run():
        state = known.KnownState()
        try:
            assert not (await state.current_types()).knows_event(7, "Approved")
            beside = await asyncio.gather(*(state.current_types([name], 7) for name in ("Approved", "Other", "Third")))
            assert all(answer.knows_event(7, "Approved") for answer in beside) and len(read) == 2
            assert await state.current_types(["Other"], 7) is types[1] and len(read) == 2
        finally:
            state.close()

    asyncio.run(run())


def test_a_database_that_hangs_is_not_ready(monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(application, "_ask_database", released.wait)
    monkeypatch.setattr(application, "READY_SECONDS", 0.02)

    async def run():
        collector = application.Collector()
        try:
            with pytest.raises(HttpError) as refusal:
                await collector._require_database()
            assert refusal.value.status == 503
        finally:
            released.set()
            collector.known.close()

    asyncio.run(run())
