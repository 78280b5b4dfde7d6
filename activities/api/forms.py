"""Forms and their submissions in the native API."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from activities.forms import checks, editing, moderation
from activities.forms.fields import MAX_FIELDS, MAX_VALUE, form_inputs
from activities.forms.reading import CONSENT, read_form
from activities.forms.submitting import RECORD, SUBMIT_RIGHTS, Sender, Way, submit_form
from activities.models import EventSource, Form, FormSubmission
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.core.permissions import find_owner, refuse_unconfirmed_session
from people.datatypes.keys import MAX_BIG_ID, MAX_ID
from people.rest.filters import NUMBER_KEY, FilterColumn, SearchFilter, StrictFilterSet
from people.rest.object_actions import RevisedMixin, delete_action, verb_action
from people.rest.viewsets import (
    ListMixin,
    RetrieveMixin,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    UTCDateTimeField,
)
from people.rights import VIEW_PERSON

_SETTINGS = (
    *("key", "title", "intro", "button", "thanks", "next_url", "language", "known_people", "people_an_hour"),
    *("consent", "is_consent_required", "session", "revision", "created_by", "notified"),
    *("kiosk_hash", "kiosk_sealed", "kiosk_sealed_under", "kiosk_key"),
)
_UNFILTERED = (
    *("form", "message_id", "digest", "reason", "values", "page", "ip_address", "consent", "is_consent_recorded"),
    *("has_created_person", "visitor_id", "activity_id", "code_hash", "user"),
)


class FormFilterSet(StrictFilterSet):
    class Meta:
        model = Form
        fields = ()

    search = SearchFilter("name")
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": FilterColumn("string", is_nullable=False),
        "event": FilterColumn("string", is_nullable=False),
        "is_archived": FilterColumn("boolean", is_nullable=False),
        "website": FilterColumn("integer", "website_id", operators=("", "in", "isempty")),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "updated_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = dict.fromkeys(_SETTINGS, "a text or a setting, not something to look a form up by")


class FormFieldSerializer(StrictSerializer):
    field = StrictCharField(max_length=100, help_text="The API name of the person field.")
    label = StrictCharField(  # type: ignore[assignment]  # a declared field: DRF takes it off the class
        max_length=checks.MAX_LABEL, required=False, allow_blank=True, help_text="Empty: its own."
    )
    is_required = StrictBooleanField(required=False)


class FormConsentSerializer(StrictSerializer):
    purpose = StrictCharField(max_length=checks.MAX_PURPOSE)
    text = StrictCharField(max_length=checks.MAX_CONSENT)
    version = StrictCharField(max_length=checks.MAX_VERSION, help_text="A changed text needs a new version.")


class FormInputSerializer(StrictSerializer):
    """The members that can be changed."""

    name = StrictCharField(max_length=255)
    title = StrictCharField(max_length=255, required=False, allow_blank=True)
    intro = StrictCharField(max_length=checks.TEXTS["intro"], required=False, allow_blank=True)
    button = StrictCharField(max_length=checks.LINES["button"], required=False, allow_blank=True)
    thanks = StrictCharField(max_length=checks.TEXTS["thanks"], required=False, allow_blank=True)
    next_url = StrictCharField(
        max_length=2_000, required=False, allow_blank=True, help_text="A page of one of your web sites."
    )
    language = StrictCharField(max_length=8, required=False, allow_blank=True)
    website = StrictIntegerField(min_value=1, max_value=MAX_ID, required=False, allow_null=True)
    known_people = serializers.ChoiceField(Form.KnownPeople.choices, required=False)
    people_an_hour = StrictIntegerField(min_value=0, max_value=checks.MAX_PEOPLE_AN_HOUR, required=False)
    is_consent_required = StrictBooleanField(required=False)
    event = StrictCharField(max_length=255, required=False, allow_blank=True)
    session = StrictCharField(max_length=255, required=False, allow_blank=True)
    fields_of_form = serializers.ListField(child=FormFieldSerializer(), required=False, max_length=MAX_FIELDS)
    consent = FormConsentSerializer(required=False, allow_null=True)
    notified = serializers.ListField(
        child=StrictCharField(max_length=150), required=False, max_length=100, help_text="User names."
    )


class FormSerializer(serializers.ModelSerializer):
    website = serializers.IntegerField(source="website_id", allow_null=True)
    fields_of_form = serializers.SerializerMethodField()
    consent = FormConsentSerializer(allow_null=True)
    notified = serializers.SerializerMethodField(help_text="User names.")
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    class Meta:
        model = Form
        fields = (
            "id",
            "key",
            "name",
            *editing.FIELDS,
            "fields_of_form",
            "consent",
            "notified",
            "is_archived",
            "created_at",
            "updated_at",
        )

    @extend_schema_field(FormFieldSerializer(many=True))
    def get_fields_of_form(self, form: Form) -> list[dict[str, Any]]:
        return [
            {"field": row.person_field.api_name, "label": row.label, "is_required": row.is_required}
            for row in form.fields.all()
        ]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_notified(self, form: Form) -> list[str]:
        return sorted(user.get_username() for user in form.notified.all())


class FormViewSet(RevisedMixin, ListMixin, RetrieveMixin):
    """Forms that people fill in."""

    queryset = Form.objects.select_related("consent").prefetch_related("fields__person_field", "notified")
    serializer_class = FormSerializer
    filterset_class = FormFilterSet
    orderings = ("id", "-id")
    rights = {
        "list": editing.VIEW,
        "retrieve": editing.VIEW,
        "create": editing.ADD,
        "partial_update": editing.CHANGE,
        "destroy": editing.DELETE,
        "archive": editing.CHANGE,
        "reopen": editing.CHANGE,
    }

    @extend_schema(request=FormInputSerializer, responses={201: FormSerializer})
    def create(self, request: Any) -> Response:
        """Create a form. The email address is always one of its fields."""
        body = _values(self.validated_body(FormInputSerializer))
        if editing.needs_confirmation(None, body):
            refuse_unconfirmed_session(request._request)
        form = editing.create_form(body.pop("name"), request.user, **body)
        return self.response_for(form, 201, Location=f"{request.build_absolute_uri()}/{form.pk}")

    @extend_schema(request=FormInputSerializer, responses=FormSerializer)
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change a form; takes effect at once. `fields_of_form` replaces all fields."""
        return self.change_from_body(
            FormInputSerializer,
            editing.change_form,
            lambda _form, body: _values(body),
            needs_confirmation=editing.needs_confirmation,
        )

    destroy = delete_action(editing.delete_form, "Delete a form that nobody has filled in.")

    archive = verb_action("archive", editing.archive_form, "Close a form: it takes no more submissions.")
    reopen = verb_action("reopen", editing.reopen_form, "Have a form take submissions again.")


def _values(body: dict[str, Any]) -> dict[str, Any]:
    """The body as the verbs take it."""
    values = dict(body)
    if "fields_of_form" in values:
        values["fields"] = values.pop("fields_of_form")
    if values.get("website") is not None:
        website = EventSource.objects.filter(pk=values["website"]).first()
        if website is None:
            raise RejectedError(bad_value(Code.UNKNOWN_SOURCE, _("the id of a web site"), values["website"], "website"))
        values["website"] = website
    if "notified" in values:
        values["notified"] = [find_owner(name) for name in values["notified"]]
    return values


# --- Submissions ----------------------------------------------------------------------------------------------


class FormSubmissionFilterSet(StrictFilterSet):
    class Meta:
        model = FormSubmission
        fields = ()

    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "state": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "way": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "person_id": FilterColumn("integer", operators=("", "in", "isempty")),
        "occurred_at": FilterColumn("datetime", is_nullable=False),
        "received_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = dict.fromkeys(_UNFILTERED, "not something to look a submission up by")


class FormSubmissionSerializer(serializers.ModelSerializer):
    form = serializers.IntegerField(source="form_id")
    values = serializers.DictField(child=serializers.CharField(), help_text="What was typed, by person field.")
    consent_version = serializers.CharField(source="consent.version", allow_null=True, default=None)
    occurred_at = UTCDateTimeField()
    received_at = UTCDateTimeField()

    class Meta:
        model = FormSubmission
        fields = (
            "id",
            "form",
            "state",
            "reason",
            "way",
            "person_id",
            "has_created_person",
            "activity_id",
            "values",
            "consent_version",
            "is_consent_recorded",
            "occurred_at",
            "received_at",
        )


class NewSubmissionSerializer(StrictSerializer):
    values = serializers.DictField(
        child=StrictCharField(max_length=MAX_VALUE, allow_blank=True),
        help_text="Text by the API name of the person field.",
    )
    consent_version = StrictCharField(
        max_length=checks.MAX_VERSION,
        required=False,
        allow_null=True,
        help_text="The version of the consent text that the person agreed to.",
    )
    message_id = StrictCharField(
        max_length=64,
        required=False,
        help_text="Your id: sent again, it is the same. Without it content counts once in ten minutes.",
    )


class RecordInputSerializer(StrictSerializer):
    as_new = StrictBooleanField(default=False, help_text="Whether campaigns start, as if it had just been received.")


class FormSubmissionViewSet(ListMixin, RetrieveMixin):
    """The submissions of a form."""

    queryset = FormSubmission.objects.select_related("consent", "form")
    serializer_class = FormSubmissionSerializer
    filterset_class = FormSubmissionFilterSet
    orderings = ("id", "-id")
    rights = {
        "list": (moderation.VIEW, VIEW_PERSON),
        "retrieve": (moderation.VIEW, VIEW_PERSON),
        "create": (editing.VIEW, *SUBMIT_RIGHTS),
        "mark_spam": (moderation.CHANGE, moderation.VIEW, VIEW_PERSON),  # the reply shows what was typed
        "record": (moderation.CHANGE, RECORD, moderation.VIEW, VIEW_PERSON),
    }

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset()
        form = get_object_or_404(Form, pk=min(self.kwargs["form"], MAX_BIG_ID))
        return super().get_queryset().filter(form=form)

    @extend_schema(request=NewSubmissionSerializer, responses={201: FormSubmissionSerializer})
    def create(self, request: Any, form: int) -> Response:
        """Submit a form for a person: the person is created or changed, and Fill Out Form recorded."""
        body = self.validated_body(NewSubmissionSerializer)
        rows = Form.objects.select_related("consent", "website")
        web_form = get_object_or_404(rows, pk=min(form, MAX_BIG_ID))
        inputs = form_inputs(web_form)
        _refuse_unknown(body["values"], [entry.name for entry in inputs])
        reading = read_form(web_form, inputs, {**body["values"], CONSENT: body.get("consent_version") or ""})
        reading.spam = ""  # a program with a token sends what it means
        sender = Sender(Way.API, user_id=request.user.pk)
        message_id = body.get("message_id")
        outcome = submit_form(web_form, reading, sender, f"api:{message_id}" if message_id else "")
        return self.response_for(outcome.submission, 200 if outcome.is_repeat else 201)

    @extend_schema(request=None, responses=FormSubmissionSerializer)
    @action(["POST"], detail=True, url_path="mark-spam")
    def mark_spam(self, request: Any, form: int, pk: int) -> Response:
        """Mark a submission as spam; person and activity stay."""
        return self.response_for(moderation.mark_as_spam(self.get_object(), request.user))

    @extend_schema(request=RecordInputSerializer, responses=FormSubmissionSerializer)
    @action(["POST"], detail=True)
    def record(self, request: Any, form: int, pk: int) -> Response:
        """Record a submission that is spam or waits, at its own time."""
        body = self.validated_body(RecordInputSerializer)
        return self.response_for(moderation.restore_submission(self.get_object(), request.user, as_new=body["as_new"]))


def _refuse_unknown(values: Any, names: list[str]) -> None:
    unknown = sorted(set(values) - set(names))
    if unknown:
        message = _("the form has no field “%(name)s”; it has %(names)s")
        shown = {"name": unknown[0][:100], "names": ", ".join(names)}
        raise RejectedError(Problem(Code.UNKNOWN_FIELD, message % shown, ("values", unknown[0][:100])))
