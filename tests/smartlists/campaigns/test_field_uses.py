"""Whatever names a field of an activity type keeps it: approving its removal and deleting the type name the users."""

import pytest
from django.contrib.auth import get_user_model

from activities.models import ActivityType, ApprovedField
from people.core import references
from people.core.errors import RejectedError
from people.definitions import drafts, lifecycle
from people.fields import editing as field_editing
from smartlists.lists import editing as list_editing
from smartlists.webhooks import editing as webhook_editing
from tests.activities.inbound.factories import DEFINITION, make_mapping, make_webhook
from tests.factories import approved_type
from tests.smartlists.campaign_factories import CHECK, add_to_list_step, make_draft_campaign, make_static_list

pytestmark = pytest.mark.django_db
CONSTRAINT = {"field": "branch", "operator": "is", "values": ["Main Street"]}


def filled_by_a_mapping():
    mapping = make_mapping(make_webhook(), ActivityType.objects.get(api_name="depositCheck"))
    assert set(DEFINITION["attributes"]) == {"amount", "branch"}
    return mapping


def constrained_by_a_list():
    rules = {"filters": [{"kind": "activity", "did": True, "type": "depositCheck", "constraints": [CONSTRAINT]}]}
    return list_editing.create_smart_list("Of the branch", rules, None)


def constrained_by_a_trigger():
    return make_draft_campaign(add_to_list_step(make_static_list()), triggers=[CHECK | {"constraints": [CONSTRAINT]}])


def recorded_by_a_step():
    step = {"do": "record", "type": "depositCheck", "primary": "No. 1", "attributes": {"branch": "Main Street"}}
    return make_draft_campaign(step)


def named_by_an_alert():
    get_user_model().objects.create_user("ann", email="ann@example.com", is_staff=True)
    step = {"do": "alert", "to": ["ann@example.com"], "subject": "At {{trigger.branch}}", "body": "So it is."}
    return make_draft_campaign(step)


def named_by_a_called_webhook():
    values = {"url": "https://example.com/{{trigger.branch}}"}
    hook, _secret = webhook_editing.create_webhook("CRM", None, **values)
    make_draft_campaign({"do": "webhook", "webhook": hook.pk})
    return hook


@pytest.mark.parametrize(
    "make",
    [
        filled_by_a_mapping,
        constrained_by_a_list,
        constrained_by_a_trigger,
        recorded_by_a_step,
        named_by_an_alert,
        named_by_a_called_webhook,
    ],
)
def test_a_field_that_something_names_is_not_removed(make):
    check = approved_type()
    user = make()
    branch, pages = (ApprovedField.objects.get(activity_type=check, api_name=name) for name in ("branch", "pages"))
    (use,) = references.uses_of(branch)
    assert use.user == user and not references.uses_of(pages)
    drafts.remove_draft_fields(check, ["branch"], None)
    for verb in (lifecycle.approve_draft, lifecycle.delete_definition):
        with pytest.raises(RejectedError) as refusal:
            verb(check, None)
        assert refusal.value.code == "in_use" and str(use) in str(refusal.value)
    lifecycle.discard_draft(check, None)
    drafts.remove_draft_fields(check, ["pages"], None)
    lifecycle.approve_draft(check, None)


def test_a_webhook_that_no_campaign_of_the_type_calls_does_not_hold_its_field():
    """A token of the trigger is of the types that trigger, not of every type with a field of that name."""
    check, other = approved_type(), approved_type("Open Branch", "openBranch")
    hook, _secret = webhook_editing.create_webhook("CRM", None, url="https://example.com/{{trigger.branch}}")
    rules = {"filters": [{"kind": "activity", "did": True, "type": "depositCheck", "constraints": []}]}
    make_draft_campaign(
        {"do": "webhook", "webhook": hook.pk},
        triggers=[{"type": "openBranch", "constraints": []}],
        audience={"rules": rules},
    )
    fields = {kind.pk: ApprovedField.objects.get(activity_type=kind, api_name="branch") for kind in (check, other)}
    assert not references.uses_of(fields[check.pk])
    assert [use.user for use in references.uses_of(fields[other.pk])] == [hook]


def test_a_person_field_that_a_webhook_names_is_not_deleted():
    field = field_editing.create_person_field("Shoe size", "string", None)
    hook, _secret = webhook_editing.create_webhook(
        "CRM", None, url="https://example.com/", format="json", body=f'{{"size": "{{{{person.{field.api_name}}}}}"}}'
    )
    with pytest.raises(RejectedError, match="CRM"):
        field_editing.delete_person_field(field, None)
    webhook_editing.change_webhook(hook, None, body="{}")
    field_editing.delete_person_field(field, None)
