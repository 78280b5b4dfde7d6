"""A bulk extract of Marketo: its lead ids are not those of people here, unless a user chooses so."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from activities.models import Activity
from activities.recording.import_target import MARKETO
from tests.factories import approved_type, make_person

pytestmark = pytest.mark.django_db


def imported(path, *arguments):
    out = StringIO()
    call_command("import_activities", str(path), "--no-progress", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_people_are_looked_up_by_id_only_when_asked(settings, tmp_path):
    settings.FILES_DIR = tmp_path
    check, ann = approved_type(), make_person()
    row = {
        "leadId": str(ann.pk),
        "activityTypeId": str(check.pk),
        "activityDate": "2026-11-20T10:00:00Z",
        "primaryAttributeValue": "No. 1",
        "attributes": '"{}"',
        "marketoGUID": "783",
    }
    path = tmp_path / "extract.csv"
    path.write_text(",".join(MARKETO.values()) + "\n" + ",".join(row[name] for name in MARKETO.values()) + "\n")
    mine = Activity.objects.filter(activity_type_id=check.pk)
    for arguments in ((), ("--type", "depositCheck"), ("--person", "{leadId}")):
        with pytest.raises(CommandError, match="--person-field is needed"):
            imported(path, *arguments)
    assert not mine.exists()
    assert "1 added" in imported(path, "--person-field", "id")
    assert mine.get().person_id == ann.pk
