"""The kind of surveys for the life cycle."""

from dataclasses import dataclass

from people.core.db import locks
from people.definitions import kinds
from tests.people.definitions.surveys.models import Survey


@dataclass(frozen=True, slots=True)
class SurveyNames:
    api_name: str
    name: str
    plural_name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class QuestionSpec(kinds.FieldSpec):
    must_be_answered: bool = False


SURVEYS = kinds.DefinitionKind(
    model=Survey,
    names=SurveyNames,
    field=QuestionSpec,
    lock=locks.LockSpace.TYPE,  # ids of the tests' surveys are those of standard types, which no test changes meanwhile
    page="admin:index",
    sentences=kinds.DefinitionSentences(
        gone="The survey does not exist any more.",
        not_deleted="The survey is not deleted.",
        name_taken="“%(name)s” is too like a name of the survey %(other)s.",
        too_many="There are %(limit)s surveys at most.",
        too_many_fields="A survey has at most %(limit)s questions.",
        field_removed="%(field)s is no longer asked",
    ),
    unique_names=("name", "plural_name"),
    limit=lambda: 3,
    field_limit=lambda: 4,
)
kinds.register_definition_kind(SURVEYS)
