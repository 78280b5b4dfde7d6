"""Tokens of people: sealed, of one link or of all, and over after a time."""

from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from activities.links.tokens import new_token, open_token, read_token

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def test_a_token_is_opened_for_its_link_until_its_day_is_over(settings):
    own, every = new_token(501, 7, days=10, today=NOW.date()), new_token(501, today=NOW.date(), days=10)
    assert len(own) == 36 and b"\x01\xf5" not in urlsafe_b64decode(own[1:] + "="), "the person is sealed"
    assert [open_token(own, 7, NOW), open_token(own, 8, NOW), open_token(every, 8, NOW)] == [501, None, 501]
    assert open_token(own, 7, NOW + timedelta(days=10)) == 501
    assert open_token(own, 7, NOW + timedelta(days=11)) is None
    assert read_token(own).last_day == (NOW + timedelta(days=10)).date()
    assert new_token(501, 7, days=10, today=NOW.date()) == own, "the same for the same"
    assert new_token(502, 7, days=10, today=NOW.date()) != own


@pytest.mark.parametrize("change", range(0, 36, 2))
def test_a_changed_token_is_nobodys(change):
    token = new_token(501, 7)
    other = token[:change] + ("A" if token[change] != "A" else "B") + token[change + 1 :]
    assert open_token(other, 7, datetime.now(UTC)) is None


def test_what_is_no_token_is_nobodys():
    for text in ("", "t", "t" * 36, "té" * 18, "t" + "=" * 35, "../" * 12, "t" * 10_000, "\0" * 36):
        assert read_token(text) is None


def test_keys_can_be_changed(settings):
    first, second = (Fernet.generate_key().decode() for _number in range(2))
    derived = new_token(5)
    settings.WEBHOOK_KEYS = [("one", first)]
    token = new_token(5)
    settings.WEBHOOK_KEYS = [("two", second), ("one", first)]
    assert new_token(5) not in (token, derived)
    assert [read_token(text).person_id for text in (token, derived, new_token(5))] == [5, 5, 5]
    settings.WEBHOOK_KEYS = [("two", second)]
    assert read_token(token) is None, "its key is gone"
