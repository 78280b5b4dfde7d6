"""The part of the form of an import's columns that belongs to object records."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.admin.import_forms import CAMPAIGNS, PLAN_PARTS, PlanForm, select
from people.files.imports.plan import ImportPlan
from people.objects.outcomes import RecordAction, RecordKey

KEYS: dict[str, Any] = {
    RecordKey.DEDUPE: gettext_lazy("Their dedupe fields"),
    RecordKey.ID: gettext_lazy("Record id: only existing records are updated"),
    RecordKey.GUID: gettext_lazy("GUID: only existing records are updated"),
}
ACTIONS: dict[str, Any] = {
    RecordAction.UPSERT: gettext_lazy("Update existing records and create the others"),
    RecordAction.UPDATE: gettext_lazy("Only update existing records"),
    RecordAction.CREATE: gettext_lazy("Only create new records"),
}


def add_object_fields(form: PlanForm, plan: ImportPlan) -> None:
    """Add how records are found, what is done with them, and whether campaigns start."""
    form.add("lookup_field", select(_("Find records by"), list(KEYS.items())), plan.lookup_field)
    help_text = _("An empty cell removes the value; a column that maps to nothing leaves its field as it is.")
    form.add("action", select(_("What to do"), list(ACTIONS.items()), help_text), plan.action)
    form.add_starts_campaigns(plan, _("Should these changes start smart campaigns?"), CAMPAIGNS)


PLAN_PARTS["objects"] = add_object_fields
