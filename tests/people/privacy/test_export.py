"""Everything about one person as one document."""

import json
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from people.core import personal_data
from people.core.errors import NotAllowedError, RejectedError
from people.models import Person
from people.persons import deletion
from people.privacy import erasure
from people.privacy import export as privacy_export
from tests.factories import MARKETO, approved_type
from tests.people.persons.test_deletion import rich_person

pytestmark = pytest.mark.django_db


def exported(person_id):
    return json.loads("".join(privacy_export.export_person(person_id, None)))


def test_the_archive_has_every_table_with_everything_of_the_person_and_who_was_merged_into_it():
    approved_type()
    zoe, twin = rich_person()
    found = exported(zoe.pk)
    assert (found["format"], found["person_ids"]) == ("person-archive/1", [zoe.pk, twin.pk])
    assert set(found["tables"]) == {one.table for one in personal_data.registered_tables()}
    people = {row["id"]: row for row in found["tables"]["person"]}
    assert people[zoe.pk]["address"] == 'Calle "Mayor" 7\\b' and people[zoe.pk]["customerNumber"] == "CUST-77"
    assert people[twin.pk]["email"] == "zoe.twin@example.com"
    assert [row["static_list"] for row in found["tables"]["static_list_member"]] == ["Seeds"]
    assert {row["external_id"] for row in found["tables"]["activity_key"]} == {"T-1", "T-2"}
    checks = [row for row in found["tables"]["activity"] if row["activity_type"] == "depositCheck"]
    assert [row["original_person_id"] for row in checks] == [None, twin.pk]
    assert found["tables"]["person_merge"][0]["losers"] == [twin.pk]


def test_deleted_people_can_be_exported_and_merged_or_erased_ones_not():
    approved_type()
    zoe, twin = rich_person()
    deletion.delete_people([zoe.pk], None, MARKETO)
    assert exported(zoe.pk)["tables"]["person_deletion"][0]["static_lists"]
    for nobody, code in ((twin.pk, "person_merged"), (0, "unknown_person"), ("x", "unknown_person")):
        with pytest.raises(RejectedError) as caught:
            privacy_export.export_person(nobody, None)
        assert caught.value.code == code
    erasure.erase_people([zoe.pk], None, MARKETO)
    with pytest.raises(RejectedError):
        privacy_export.export_person(zoe.pk, None)
    with pytest.raises(NotAllowedError):
        privacy_export.export_person(zoe.pk, get_user_model().objects.create_user("nobody"))


def test_commands_export_and_erase(tmp_path):
    approved_type()
    zoe, twin = rich_person()
    said = StringIO()
    call_command("export_person", str(zoe.pk), str(tmp_path / "zoe.json"), stdout=said)
    assert json.loads((tmp_path / "zoe.json").read_text())["person_ids"] == [zoe.pk, twin.pk]
    call_command("erase_person", str(zoe.pk), "--dry-run", stdout=said)
    assert Person.objects.live().exists() and "Dry run" in said.getvalue()
    call_command("erase_person", str(zoe.pk), stdout=said, stderr=StringIO())
    assert said.getvalue().endswith("nothing is left of them.\n") and not Person.objects.live().exists()
    for command in ("export_person", "erase_person"):
        with pytest.raises(CommandError, match="There is no such person"):
            call_command(command, str(zoe.pk))
