"""Odd arguments of every command: a sentence and an exit code, never a traceback."""

from pathlib import Path
from unittest.mock import Mock

import pytest
from django.core.management import get_commands
from django.db import transaction

from config.command_line import run_command

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
OWN = {path.stem for path in ROOT.glob("*/management/commands/[!_]*.py")}
HUGE, LONG = "9" * 40, "x" * 300
# in the place of a file: one without sense, a folder, one in no folder, a name that no file can have
FILES, WRITTEN = ("FILE", "FOLDER", "MISSING", LONG), ("FOLDER", LONG)
NUMBERS = ("-1", "0", "1.5", HUGE, "²", "")
TEXTS = ("", LONG, "nobody", "-1", "a\tb")
# commands that run until they are stopped, or change nothing by any argument
NOT_TRIED = {
    "collect",
    "dispatch",
    "first_start",
    "intake",
    "postgres",
    "run",
    "welcome",
    "worker",
    "messages",
    "migrate",
    "check",
    "doctor",
}


def cases():
    for file in FILES:
        yield from (["restore", file], ["rehearse_restore", file], ["upgrade_postgres", "--backup", file])
        yield from (["import_people", file], ["import_activities", file, "--type", "none"])
        yield ["import_objects", file, "--type", "none"]
        yield from (["smart_list", "import", file], ["activity_types", "import", file])
    for file in WRITTEN:
        yield from (["backup", file], ["sbom", file], ["export_people", file], ["export_activities", file])
        yield ["export_objects", file, "--type", "none"]
        yield from (["export_person", "1", file], ["activity_types", "export", file])
    yield from (
        ["postman", "FOLDER"],
        ["export_smart_list", "none", "FOLDER"],
        ["smart_list", "export", "--folder", "FILE"],
    )
    for number in NUMBERS:
        yield from (["erase_person", number], ["export_person", number], ["take_back_import", number, "--reason", "x"])
        yield from (["import_people", "FILE", "--resume", number], ["import_people", "FILE", "--list", number])
        yield from (["import_people", "FILE", "--header-row", number], ["retention", "--type", "x", "--months", number])
        yield from (["retention", "--months", number], ["distribute", "--shards", number])
    for text in TEXTS:
        yield from (["export_activities", "-", "--since", text], ["export_activities", "-", "--type", text])
        yield from (["export_people", "-", "--fields", text], ["export_people", "-", "--static-list", text])
        yield from (["import_people", "FILE", "--zone", text], ["import_people", "FILE", "--field", text])
        yield from (["import_people", "FILE", "--lookup", text], ["import_people", "FILE", "--set", text])
        yield from (["smart_list", "evaluate", text], ["smart_list", "explain", text, "--person", text])
        yield from (["smart_list", "copy", text, "--to", text], ["smart_list", "export", text])
        yield from (["export_smart_list", text, "-"], ["reset_second_factor", text], ["create_api_client", text])
        yield from (["create_event_source", text, "--origin", text], ["verify_activities", "--head", text])
        yield from (["activity_types", "export", "-", "--only", text], ["create_api_client", "x", "--owner", text])
    yield ["create_api_client", "\udcff"]
    yield from (["no_such_command"], ["import_people"], ["smart_list"], ["columns", "nothing"], ["rollup", "--nothing"])


def test_every_command_is_tried():
    named = {case[0] for case in cases()} | NOT_TRIED
    rest = {
        "createsuperuser",
        "load_demo",
        "merge_object_doubles",
        "remove_demo",
        "rotate_webhook_secrets",
    }  # take no values
    assert named | rest >= OWN and set(get_commands()) >= OWN


def test_no_argument_has_a_command_end_in_a_traceback(tmp_path, capfd, monkeypatch):
    file, folder = tmp_path / "file.csv", tmp_path / "folder"
    file.write_text("a,b\n1,2\n")
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("django.core.management.base.BaseCommand.check", lambda *_given, **_options: None)
    monkeypatch.setattr("django.core.management.base.connections.close_all", lambda: None)
    places = {"FILE": str(file), "FOLDER": str(folder), "MISSING": str(tmp_path / "no" / "file")}
    wrong = []
    for case in cases():
        words = [places.get(word, word.replace("FOLDER", str(folder))) for word in case]
        try:
            with transaction.atomic():
                code = run_command(["manage.py", *words])
                transaction.set_rollback(True)
        except BaseException as error:  # a traceback on the terminal
            wrong.append(f"{case}: {type(error).__name__}: {str(error)[:200]}")
            capfd.readouterr()
            continue
        out, said = capfd.readouterr()
        if code == 0 and not out + said:
            wrong.append(f"{case}: silent")
        if code and (not said.strip() or "Traceback" in said):
            wrong.append(f"{case}: {code} {said[:200]}")
    assert not wrong, "\n".join(line[:400] for line in wrong)


@pytest.mark.parametrize(
    ("raised", "code", "sentence"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device", "/data/part"), 1, "/data/part: No space left on device"),
        (SystemExit("plain words"), 1, "plain words"),
    ],
)
def test_what_comes_in_the_middle_is_said_and_has_a_code(raised, code, sentence, monkeypatch, capfd):
    monkeypatch.setattr("activities.log.rollup.catch_up_rollup", Mock(side_effect=raised))
    monkeypatch.setattr("django.core.management.base.connections.close_all", lambda: None)
    assert run_command(["manage.py", "rollup"]) == code
    said = capfd.readouterr().err
    assert sentence in said and "Traceback" not in said


def test_a_fault_with_a_file_that_nobody_named_keeps_its_traceback(monkeypatch):
    fault = PermissionError(13, "Permission denied", "/opt/product/rows.json")
    monkeypatch.setattr("activities.log.rollup.catch_up_rollup", Mock(side_effect=fault))
    monkeypatch.setattr("django.core.management.base.connections.close_all", lambda: None)
    with pytest.raises(PermissionError):
        run_command(["manage.py", "rollup"])
