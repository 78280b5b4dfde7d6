"""GUIDs of records: valid, all different, and those of one moment beside each other."""

from people.objects.writing.rows import new_guid


def test_guids_are_of_version_7_and_begin_with_the_time():
    guids = [new_guid() for _number in range(2_000)]
    assert {(guid.version, guid.variant) for guid in guids} == {(7, "specified in RFC 4122")}
    assert len(set(guids)) == len(guids)
    starts = [guid.int >> 80 for guid in guids]
    assert starts == sorted(starts)
