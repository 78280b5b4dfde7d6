"""Names of time zones: one is known exactly where the list of all has it, without making the list."""

from unittest import mock
from zoneinfo import available_timezones

from people.core import installation

ODD = ("", "America", "posix/UTC", "right/UTC", "posixrules", "../etc/passwd", "/etc/localtime", "Mars/Base", "\0")
ODD += ("a" * 5_000, "\ud800", "utc", "Europe/Madrid/", "zone.tab", "leapseconds", ".", "./UTC", "Europe//Madrid")


def test_a_zone_is_known_where_the_list_has_it():
    zones = available_timezones()
    with mock.patch.object(installation, "available_timezones", side_effect=AssertionError):
        known = {zone for zone in (*zones, *ODD) if installation.is_zone(zone)}
    assert known == zones


def test_the_list_is_read_once():
    installation.all_zones()
    with mock.patch.object(installation, "available_timezones", side_effect=AssertionError):
        assert "Europe/Madrid" in installation.all_zones() and installation.inhabited_zones()[0] == "UTC"
