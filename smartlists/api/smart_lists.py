"""Smart lists in the native API."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.settings import api_settings

from people.core.codes import Code
from people.core.errors import NotFoundError, Problem, UnprocessableError, bad_value
from people.core.models import Folder
from people.core.permissions import MAKER, find_owner
from people.datatypes import keys as datatype_keys
from people.datatypes.canonical import moment_text
from people.datatypes.keys import MAX_BIG_ID
from people.lists import static_lists
from people.objects import records as object_records
from people.rest.object_actions import delete_action, verb_action
from people.rest.viewsets import ListMixin, RetrieveMixin, note_people_in_reply
from people.rights import VIEW_PERSON
from smartlists.api.copies import static_list_from_body
from smartlists.api.filters import SmartListFilterSet
from smartlists.api.serializers import (
    CountSerializer,
    EvaluatedSerializer,
    ExplanationSerializer,
    HealthSerializer,
    PutInputSerializer,
    PutSerializer,
    RulesInputSerializer,
    SmartListInputSerializer,
    SmartListMemberSerializer,
    SmartListSerializer,
    TranslatedSerializer,
    health_representation,
)
from smartlists.catalog import Catalogue
from smartlists.evaluation import explanation
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import copies as list_copies
from smartlists.lists import diagnostics as list_diagnostics
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList, StoredEvaluation
from smartlists.rights import ADD_SMARTLIST, DELETE_SMARTLIST
from smartlists.rules import model as rules
from smartlists.rules import sentences
from smartlists.rules.parsing import parse_rules
from smartlists.rules.text import language

VIEW, CHANGE = stored_evaluations.VIEW, list_editing.CHANGE
SHOWN_PEOPLE = 100
SCHEDULE = {"evaluate_every_minutes", "refresh_automatically"}


class MemberPagination(api_settings.DEFAULT_PAGINATION_CLASS):  # type: ignore[name-defined]
    """The members of one stored evaluation, by id. All pages read the evaluation of the first page."""

    def paginate_evaluation(self, smart_list: SmartList, request: Any, view: Any) -> list[dict[str, int]]:
        self.request, self.view = request, view
        stored, start = self._place(smart_list, request.user)
        ids = stored.person_ids
        self.evaluation = stored
        page = stored_evaluations.page_of_members(stored, start, self.size())
        self.has_more = start + len(page) < len(ids)
        self.cursor = self.encoded(["members", stored.pk, start + len(page)])
        return [{"person": pk} for pk in page]

    def _place(self, smart_list: SmartList, by: Any) -> tuple[StoredEvaluation, int]:
        state = self.decoded()
        if state is None:
            return stored_evaluations.current_or_new_evaluation(smart_list, by), 0
        if (
            len(state) != 3
            or state[0] != "members"
            or not all(type(part) is int and 0 <= part < 2**62 for part in state[1:])
        ):
            raise self.bad_cursor()
        stored = smart_list.evaluations.filter(pk=state[1], members__isnull=False).first()
        if stored is None:
            raise self.bad_cursor()
        return stored, state[2]

    def get_paginated_response(self, data: Any) -> Response:
        reply = super().get_paginated_response(data)
        reply.data |= {"count": self.evaluation.count, "as_of": CountSerializer(self.evaluation).data["as_of"]}
        return reply

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        page_schema = super().get_paginated_response_schema(schema)
        page_schema["required"] += ["count", "as_of"]
        page_schema["properties"] |= {
            "count": {"type": "integer", "description": "The number of people on the list."},
            "as_of": {"type": "string", "format": "date-time"},
        }
        return page_schema


class SmartListViewSet(ListMixin, RetrieveMixin):
    """Lists whose members are determined by rules."""

    queryset = SmartList.objects.select_related("current", "owner", "created_by", "updated_by")
    serializer_class = SmartListSerializer
    filterset_class = SmartListFilterSet
    orderings = ("id", "-id")
    rights = {
        "list": VIEW,
        "retrieve": VIEW,
        "create": ADD_SMARTLIST,
        "partial_update": CHANGE,
        "destroy": DELETE_SMARTLIST,
        "archive": CHANGE,
        "unarchive": CHANGE,
        "count": VIEW,
        "evaluate": VIEW,
        "put_into": static_lists.CHANGE,
        "text": VIEW,
        "health": VIEW,
        "explain": VIEW,
        "evaluate_rules": VIEW,
        "translate": VIEW,
    }

    def revision(self, smart_list: SmartList) -> str:
        return f"{smart_list.pk}-{smart_list.revision}-{smart_list.updated_at.timestamp():.6f}"

    @extend_schema(request=SmartListInputSerializer, responses={201: SmartListSerializer})
    def create(self, request: Any) -> Response:
        """Create a smart list from rules, as JSON or as text."""
        body = self.validated_body(SmartListInputSerializer)
        document, owner = _document(body), find_owner(body["owner"]) if "owner" in body else MAKER
        smart_list = list_editing.create_smart_list(
            body.get("name", document.name),
            document.rules,
            request.user,
            description=body.get("description", document.description),
            folder=_folder(body),
            owner=owner,
        )
        if SCHEDULE & set(body):
            _schedule(smart_list, body, request.user)
        return self._response_for_pk(smart_list.pk, 201, Location=f"{request.build_absolute_uri()}/{smart_list.pk}")

    @extend_schema(request=SmartListInputSerializer, responses=SmartListSerializer)
    @transaction.atomic
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change a list's name, description, rules, folder, owner or schedule."""
        smart_list = self.get_object()
        self.require_match(smart_list)
        body = self.validated_body(SmartListInputSerializer, partial=True)
        value = _document(body).rules if {"rules", "text"} & set(body) else None
        with self.expecting(smart_list.revision) as expected:
            if value is not None or {"name", "description"} & set(body):
                list_editing.change_smart_list(
                    smart_list,
                    request.user,
                    expected_revision=expected,
                    value=value,
                    name=body.get("name"),
                    description=body.get("description"),
                )
        if {"folder", "owner"} & set(body):
            folder = _folder(body) if "folder" in body else smart_list.folder
            owner = find_owner(body["owner"], smart_list.owner_id) if "owner" in body else smart_list.owner
            list_editing.set_folder_and_owner(smart_list, request.user, folder, owner)
        if SCHEDULE & set(body):
            _schedule(smart_list, body, request.user)
        return self._response_for_pk(smart_list.pk)

    destroy = delete_action(
        list_editing.delete_smart_list, "Delete a smart list with its history. 409 if it is in use."
    )

    archive = verb_action(
        "archive", list_editing.archive_smart_list, "Archive a smart list; whatever uses it continues to work."
    )
    unarchive = verb_action("unarchive", list_editing.unarchive_smart_list, "Unarchive a smart list.")

    @extend_schema(responses=CountSerializer)
    @action(["GET"], detail=True)
    def count(self, request: Any, pk: int) -> Response:
        """Get the number of members, as shown on pages and in exports, and the time of the evaluation."""
        return Response(
            CountSerializer(stored_evaluations.current_or_new_evaluation(self.get_object(), request.user)).data
        )

    @extend_schema(request=None, responses=CountSerializer)
    @action(["POST"], detail=True)
    def evaluate(self, request: Any, pk: int) -> Response:
        """Evaluate a smart list now; pages, exports and the API show the new result."""
        return Response(CountSerializer(stored_evaluations.evaluate_list(self.get_object(), request.user)).data)

    @extend_schema(request=PutInputSerializer, responses=PutSerializer)
    @action(["POST"], detail=True, url_path="put-into")
    def put_into(self, request: Any, pk: int) -> Response:
        """Add the current members to a static list now. For smart lists of up to 100,000 people."""
        smart_list, body = self.get_object(), self.validated_body(PutInputSerializer)
        result = list_copies.copy_members_now(
            smart_list, static_list_from_body(body), self.source, request.user, body["mode"]
        )
        return Response(PutSerializer(result).data)

    @extend_schema(responses=TranslatedSerializer)
    @action(["GET"], detail=True)
    def text(self, request: Any, pk: int) -> Response:
        """Get the rules as JSON, as text for version control, and as a sentence."""
        smart_list = self.get_object()
        return Response(_translation_json(smart_list.parsed, smart_list.name, smart_list.description))

    @extend_schema(responses=HealthSerializer)
    @action(["GET"], detail=True)
    def health(self, request: Any, pk: int) -> Response:
        """List problems of the rules: retired types, contradictions, filters that reach beyond the retention period."""
        return Response(health_representation(list_diagnostics.smart_list_problems(self.get_object())))

    @extend_schema(responses=ExplanationSerializer)
    @action(["GET"], detail=True, url_path="explain/<int:person>")
    def explain(self, request: Any, pk: int, person: int) -> Response:
        """Explain why a person is or is not a member: the result of each filter, with evidence or the closest miss."""
        self.require(VIEW_PERSON)
        explained = explanation.explain_membership(self.get_object().parsed, min(person, datatype_keys.MAX_ID))
        note_people_in_reply(request, {person})
        return Response(_explanation_json(explained, request.user.has_perm(object_records.VIEW)))

    @extend_schema(
        request=RulesInputSerializer, responses=EvaluatedSerializer, operation_id="smart_lists_evaluate_rules"
    )
    @action(["POST"], detail=False, url_path="evaluate", url_name="evaluate-rules")
    def evaluate_rules(self, request: Any) -> Response:
        """Evaluate rules without saving them; returns the number of people and the first hundred."""
        tag = f"api {request.user.pk}"
        evaluation = stored_evaluations.count_people(
            _document(self.validated_body(RulesInputSerializer)).rules, request.user, tag
        )
        body = {
            "count": evaluation.count,
            "as_of": evaluation.as_of,
            "per_filter": [part.count for part in evaluation.per_filter],
            "answered_by": [part.engine for part in evaluation.per_filter],
            "seconds": evaluation.seconds,
            "people": list(evaluation.members[:SHOWN_PEOPLE]),
        }
        return Response(EvaluatedSerializer(body).data)

    @extend_schema(request=RulesInputSerializer, responses=TranslatedSerializer)
    @action(["POST"], detail=False)
    def translate(self, request: Any) -> Response:
        """Convert rules from text to JSON, or from JSON to text."""
        document = _document(self.validated_body(RulesInputSerializer))
        return Response(_translation_json(document.rules, document.name, document.description))

    def _response_for_pk(self, pk: int, status: int = 200, **headers: str) -> Response:
        return self.response_for(self.get_queryset().get(pk=pk), status, **headers)


class SmartListMemberViewSet(ListMixin):
    """The members of a smart list, in its stored evaluation."""

    queryset = StoredEvaluation.objects.all()
    serializer_class = SmartListMemberSerializer
    pagination_class = MemberPagination
    orderings = ("id",)
    rights = {"list": VIEW}

    def list(self, request: Any, smart_list: int) -> Response:
        """List the members, ordered by id, with their number and the time of the evaluation."""
        existing = SmartList.objects.filter(pk=min(smart_list, MAX_BIG_ID)).first()
        if existing is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such smart list.")))
        self.filter_queryset(self.get_queryset().none())
        assert isinstance(self.paginator, MemberPagination)
        page = self.paginator.paginate_evaluation(existing, request, self)
        return self.get_paginated_response(self.show_all(page))


def _document(body: dict[str, Any]) -> language.ListDocument:
    """The rules of a validated body, which has them as JSON or as text.

    Raises `RejectedError` with the place of every problem.
    """
    if ("rules" in body) == ("text" in body):
        message = _("Give the rules as “rules” or as “text”, not both.")
        raise UnprocessableError(Problem(Code.MISSING_VALUE, message, ("rules",)))
    if "text" in body:
        return language.parse_document(body["text"], Catalogue())
    return language.ListDocument(parse_rules(body["rules"], Catalogue()))


def _translation_json(parsed: rules.Rules, name: str, description: str) -> dict[str, Any]:
    catalogue = Catalogue()
    return {
        "rules": rules.dump_rules(parsed),
        "text": language.render_rules_text(parsed, catalogue, name, description),
        "sentence": sentences.list_sentence(parsed, catalogue),
    }


def _explanation_json(explained: explanation.Explanation, may_view_records: bool) -> dict[str, Any]:
    return {
        "person": explained.person_id,
        "is_live": explained.is_live,
        "is_member": explained.is_member,
        "as_of": moment_text(explained.as_of),
        "deciding": list(explained.deciding),
        "verdicts": [_verdict_json(verdict, may_view_records) for verdict in explained.verdicts],
    }


def _verdict_json(verdict: explanation.Verdict, may_view_records: bool) -> dict[str, Any]:
    return {
        "number": verdict.number,
        "filter": rules.dump_filter(verdict.filter),
        "holds": verdict.holds,
        "value": verdict.value,
        "times": verdict.times,
        "since": None if verdict.since is None else moment_text(verdict.since),
        "activities": [
            {"id": evidence.activity_id, "occurred_at": moment_text(evidence.occurred_at), "step": evidence.step}
            for evidence in verdict.activities
        ],
        "records": [
            {"id": record.record_id, "name": record.name, "updated_at": moment_text(record.updated_at)}
            for record in (verdict.records if may_view_records else ())
        ],
        "miss": None if verdict.miss is None else {"code": verdict.miss.code, "text": verdict.miss.text},
        "nested": None if verdict.nested is None else _explanation_json(verdict.nested, may_view_records),
    }


def _schedule(smart_list: SmartList, body: dict[str, Any], by: Any) -> None:
    """Set when the list is evaluated; what the body does not name stays as it is."""
    minutes = body.get("evaluate_every_minutes", smart_list.evaluate_every_minutes)
    is_refreshed = body.get("refresh_automatically", smart_list.is_refreshed)
    list_editing.schedule_evaluations(smart_list, minutes, by, is_refreshed=is_refreshed)


def _folder(body: dict[str, Any]) -> Folder | None:
    if body.get("folder") is None:
        return None
    folder = Folder.objects.filter(pk=body["folder"]).first()
    if folder is None:
        raise UnprocessableError(bad_value(Code.UNKNOWN_FOLDER, _("the id of a folder"), body["folder"], "folder"))
    return folder
