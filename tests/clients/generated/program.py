"""Records, lists and counts with the client that was generated for Python: what a developer writes."""

import sys

from generated.api.activities import activities_batch_create, activities_list
from generated.api.smart_lists import smart_lists_evaluate_rules
from generated.client import AuthenticatedClient
from generated.models import Batch, BatchGiven, Evaluated, PaginatedActivityList
from generated.models.deposit_check import DepositCheck
from generated.models.rules_given import RulesGiven

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
row = DepositCheck.from_dict(
    {
        "activity_type": "depositCheck",
        "person": {"email": "ann@example.com"},
        "create_person": True,
        "occurred_at": "2026-11-20T10:00:00Z",
        "primary_value": "Check 17",
        "attributes": {"amount": 1250.5},
    }
)
recorded = activities_batch_create.sync(client=client, body=BatchGiven(activities=[row]))
assert isinstance(recorded, Batch), recorded
listed = activities_list.sync(client=client)
assert isinstance(listed, PaginatedActivityList), listed
first: int = listed.results[-1].id
rules = RulesGiven.from_dict({"rules": {"filters": [{"kind": "activity", "type": "depositCheck"}]}})
counted = smart_lists_evaluate_rules.sync(client=client, body=rules)
assert isinstance(counted, Evaluated), counted
print("recorded", recorded.added, "listed", first > 0, "counted", counted.count)
