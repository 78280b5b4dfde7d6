"""Every kind of row that files hold is offered by every surface, and takes back what it does."""

import pytest
from django.core.management import get_commands, load_command_class

from people.admin.import_forms import PLAN_PARTS
from people.files.exports.kinds import KINDS
from people.files.imports.command import ImportCommand
from people.files.imports.plan import ImportPlan, ImportStatus
from people.files.imports.targets import TARGETS

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", TARGETS)
def test_a_kind_is_offered_everywhere(kind, admin_client):
    target = TARGETS[kind]
    assert kind in PLAN_PARTS and kind in KINDS and target.label and target.rights
    command = load_command_class(get_commands()[f"import_{kind}"], f"import_{kind}")
    assert isinstance(command, ImportCommand) and command.kind == kind
    upload = admin_client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/imports"]["post"]
    (parameter,) = [given for given in upload["parameters"] if given["name"] == "kind"]
    assert kind in parameter["schema"]["enum"]
    assert ImportPlan(**target.defaults) and set(target.statuses) <= set(ImportStatus)


def test_exactly_the_registered_kinds_have_a_form():
    assert set(PLAN_PARTS) == set(TARGETS)
