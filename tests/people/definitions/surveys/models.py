"""A second kind of definition, as small as one can be: surveys with questions, which mailings use and people answer."""

from django.db import models
from django.db.models import Q

from people.datatypes.registry import BY_NAME
from people.definitions.models import (
    DefinedField,
    Definition,
    DefinitionQuerySet,
    HeldName,
    Version,
    named_for_programs,
    numbered_when_approved,
)


class Survey(Definition):
    live = models.OneToOneField("SurveyVersion", models.PROTECT, null=True, related_name="live_of")
    draft = models.OneToOneField("SurveyVersion", models.SET_NULL, null=True, related_name="draft_of")

    objects = DefinitionQuerySet.as_manager()

    class Meta:
        app_label = "surveys"
        db_table = "survey"
        permissions = [("approve_survey", "Can approve surveys")]
        constraints = [named_for_programs("survey_api_name_is_a_name")]

    def __str__(self):
        return self.live_or_draft.name if self.live_or_draft else self.api_name


class SurveyVersion(Version):
    survey = models.ForeignKey(Survey, models.CASCADE, related_name="versions")
    plural_name = models.CharField("plural name", max_length=255)

    class Meta:
        app_label = "surveys"
        db_table = "survey_version"
        constraints = [
            models.UniqueConstraint("survey", "number", name="survey_version_number_is_unique"),
            models.UniqueConstraint("survey", condition=Q(number__isnull=True), name="survey_version_one_draft"),
            numbered_when_approved("survey_version_number_means_approved"),
        ]


class Question(DefinedField):
    version = models.ForeignKey(SurveyVersion, models.CASCADE, related_name="fields")
    data_type = models.CharField(
        max_length=16, choices=[(name, BY_NAME[name].label) for name in ("string", "integer", "boolean")]
    )
    must_be_answered = models.BooleanField(default=False)

    class Meta:
        app_label = "surveys"
        db_table = "question"
        ordering = ["position", "id"]


class ApprovedQuestion(models.Model):
    survey = models.ForeignKey(Survey, models.PROTECT, related_name="approved_fields")
    api_name = models.CharField(max_length=255)
    data_type = models.CharField(max_length=16)

    class Meta:
        app_label = "surveys"
        db_table = "approved_question"
        constraints = [models.UniqueConstraint("survey", "api_name", name="approved_question_is_unique")]


class SurveyName(HeldName):
    survey = models.ForeignKey(Survey, models.CASCADE, related_name="names")
    kind = models.CharField(max_length=12)

    class Meta:
        app_label = "surveys"
        db_table = "survey_name"
        constraints = [models.UniqueConstraint("kind", "key", name="survey_name_is_unique")]


class Mailing(models.Model):
    """An object that uses surveys and questions."""

    name = models.CharField(max_length=255)
    survey = models.ForeignKey(Survey, models.PROTECT, null=True)
    question = models.ForeignKey(ApprovedQuestion, models.PROTECT, null=True)

    class Meta:
        app_label = "surveys"
        db_table = "mailing"

    def __str__(self):
        return self.name

    @property
    def used_by(self):
        return self


class Answers(models.Model):
    """A row that the live version of a survey shaped, as activities are of their types."""

    survey_id = models.IntegerField()
    version = models.IntegerField()

    class Meta:
        app_label = "surveys"
        db_table = "answers"


MODELS = (Survey, SurveyVersion, Question, ApprovedQuestion, SurveyName, Mailing, Answers)

# triggers as in the migration of a kind: `refuse_change` is that of the first migrations
GUARDS = """
create function freeze_survey_version() returns trigger language plpgsql as $$
begin
    if old.number is not null then
        raise exception 'an approved version never changes' using errcode = 'restrict_violation';
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    if new.number is not null then
        if exists (select from question q join approved_question a on a.survey_id = new.survey_id
                   and a.api_name = q.api_name where q.version_id = new.id and a.data_type <> q.data_type) then
            raise exception 'a question had another data type' using errcode = 'restrict_violation';
        end if;
        insert into approved_question (survey_id, api_name, data_type)
            select new.survey_id, q.api_name, q.data_type from question q where q.version_id = new.id
            on conflict (survey_id, api_name) do nothing;
    end if;
    return new;
end $$;
create trigger survey_version_is_frozen before update or delete on survey_version
    for each row execute function freeze_survey_version();
create trigger approved_question_is_for_ever before update or delete on approved_question
    for each statement execute function refuse_change();
"""
DROP_GUARDS = "drop function freeze_survey_version() cascade"
