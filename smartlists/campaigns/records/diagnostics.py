"""Problems of a campaign's triggers and steps on object records."""

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Path, Problem
from people.models import ObjectType
from smartlists.campaigns.definitions.model import CampaignDefinition, problem_path, walk_steps
from smartlists.campaigns.definitions.record_parts import DATE, ChangeRecord, CreateRecord


def retired_object_problems(parsed: CampaignDefinition) -> list[Problem]:
    """The triggers and steps that can do nothing, as their object type is retired; dates are still reached."""
    named: list[tuple[str, Path]] = [
        (trigger.object, ("triggers", at, "object")) for at, trigger in parsed.object_triggers if trigger.event != DATE
    ]
    named += [
        (step.type, problem_path(parsed.steps, path))
        for path, step in walk_steps(parsed.steps)
        if isinstance(step, ChangeRecord | CreateRecord)
    ]
    api_names = {name for name, _path in named}
    retired = set(
        ObjectType.objects.filter(api_name__in=api_names, retired_at__isnull=False).values_list("api_name", flat=True)
    )
    message = _("Object type %(name)s is retired: its records no longer change.")
    return [Problem(Code.RETIRED_TYPE, message % {"name": name}, path) for name, path in named if name in retired]
