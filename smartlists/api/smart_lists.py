"""Smart lists over the native API."""

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
from people.rest.viewsets import Listed, Retrieved, name_people
from smartlists.api.copies import static_list_of
from smartlists.api.filters import SmartListFilters
from smartlists.api.serializers import (
    CountShown,
    EvaluatedShown,
    ExplanationShown,
    HealthShown,
    PutGiven,
    PutShown,
    RulesGiven,
    SmartListGiven,
    SmartListMemberShown,
    SmartListShown,
    TranslatedShown,
    health_shown,
)
from smartlists.catalog import Catalogue
from smartlists.evaluation import explanation
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import copies as list_copies
from smartlists.lists import diagnostics as list_diagnostics
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList, StoredEvaluation
from smartlists.rules import model as rules
from smartlists.rules import sentences
from smartlists.rules.parsing import parse_rules
from smartlists.rules.text import language

VIEW, CHANGE = stored_evaluations.VIEW, list_editing.CHANGE
SHOWN_PEOPLE = 100


class MemberPagination(api_settings.DEFAULT_PAGINATION_CLASS):  # type: ignore[name-defined]
    """The members of one stored evaluation, by id: later pages are of the same evaluation as the first."""

    def paginate_evaluation(self, smart_list: SmartList, request: Any, view: Any) -> list[dict[str, int]]:
        self.request, self.view = request, view
        stored, start = self._place(smart_list, request.user)
        ids = stored.person_ids
        self.evaluation = stored
        page = stored_evaluations.page_of(stored, start, self.size())
        self.has_more = start + len(page) < len(ids)
        self.cursor = self.encoded(["members", stored.pk, start + len(page)])
        return [{"person": pk} for pk in page]

    def _place(self, smart_list: SmartList, by: Any) -> tuple[StoredEvaluation, int]:
        state = self.decoded()
        if state is None:
            return stored_evaluations.shown(smart_list, by), 0
        if (
            len(state) != 3
            or state[0] != "members"
            or not all(type(one) is int and 0 <= one < 2**62 for one in state[1:])
        ):
            raise self.bad_cursor()
        stored = smart_list.evaluations.filter(pk=state[1], members__isnull=False).first()
        if stored is None:
            raise self.bad_cursor()
        return stored, state[2]

    def get_paginated_response(self, data: Any) -> Response:
        reply = super().get_paginated_response(data)
        reply.data |= {"count": self.evaluation.count, "as_of": CountShown(self.evaluation).data["as_of"]}
        return reply

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        found = super().get_paginated_response_schema(schema)
        found["required"] += ["count", "as_of"]
        found["properties"] |= {
            "count": {"type": "integer", "description": "How many people are on the list."},
            "as_of": {"type": "string", "format": "date-time"},
        }
        return found


class SmartLists(Listed, Retrieved):
    """Rules that say who is on a list: always current."""

    queryset = SmartList.objects.select_related("current", "owner", "created_by", "updated_by")
    serializer_class = SmartListShown
    filterset_class = SmartListFilters
    orderings = ("id", "-id")
    rights = {
        "list": VIEW,
        "retrieve": VIEW,
        "create": "smartlists.add_smartlist",
        "partial_update": CHANGE,
        "destroy": "smartlists.delete_smartlist",
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

    def revision(self, found: SmartList) -> str:
        return f"{found.pk}-{found.revision}-{found.updated_at.timestamp():.6f}"

    @extend_schema(request=SmartListGiven, responses={201: SmartListShown})
    def create(self, request: Any) -> Response:
        """Create a smart list from rules, as JSON or as text."""
        given = self.given(SmartListGiven)
        document, owner = _document(given), find_owner(given["owner"]) if "owner" in given else MAKER
        made = list_editing.create(
            given.get("name", document.name),
            document.rules,
            request.user,
            description=given.get("description", document.description),
            folder=_folder(given),
            owner=owner,
        )
        if given.get("evaluate_every_minutes"):
            list_editing.schedule(made, given["evaluate_every_minutes"], request.user)
        return self._now(made.pk, 201, Location=f"{request.build_absolute_uri()}/{made.pk}")

    @extend_schema(request=SmartListGiven, responses=SmartListShown)
    @transaction.atomic
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change a list's name, description, rules, folder, owner or schedule."""
        found = self.get_object()
        self.require_match(found)
        given = self.given(SmartListGiven, partial=True)
        value = _document(given).rules if {"rules", "text"} & set(given) else None
        with self.expecting(found.revision) as expected:
            if value is not None or {"name", "description"} & set(given):
                list_editing.change(
                    found,
                    request.user,
                    expected_revision=expected,
                    value=value,
                    name=given.get("name"),
                    description=given.get("description"),
                )
        if {"folder", "owner"} & set(given):
            folder = _folder(given) if "folder" in given else found.folder
            owner = find_owner(given["owner"], found.owner_id) if "owner" in given else found.owner
            list_editing.arrange(found, request.user, folder, owner)
        if "evaluate_every_minutes" in given:
            list_editing.schedule(found, given["evaluate_every_minutes"], request.user)
        return self._now(found.pk)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Any, pk: int) -> Response:
        """Delete a list with its history. 409 while something uses it."""
        found = self.get_object()
        self.require_match(found)
        list_editing.delete(found, request.user)
        return Response(status=204)

    @extend_schema(request=None, responses=SmartListShown)
    @action(["POST"], detail=True)
    def archive(self, request: Any, pk: int) -> Response:
        """Take the list out of sight; what uses it goes on using it."""
        return self._now(list_editing.archive(self.get_object(), request.user).pk)

    @extend_schema(request=None, responses=SmartListShown)
    @action(["POST"], detail=True)
    def unarchive(self, request: Any, pk: int) -> Response:
        """Bring an archived list back."""
        return self._now(list_editing.unarchive(self.get_object(), request.user).pk)

    @extend_schema(responses=CountShown)
    @action(["GET"], detail=True)
    def count(self, request: Any, pk: int) -> Response:
        """How many people are on the list, as pages and exports show it, with the time it is as of."""
        return Response(CountShown(stored_evaluations.shown(self.get_object(), request.user)).data)

    @extend_schema(request=None, responses=CountShown)
    @action(["POST"], detail=True)
    def evaluate(self, request: Any, pk: int) -> Response:
        """Evaluate the list now; everybody sees the result from now on."""
        return Response(CountShown(stored_evaluations.evaluate(self.get_object(), request.user)).data)

    @extend_schema(request=PutGiven, responses=PutShown)
    @action(["POST"], detail=True, url_path="put-into")
    def put_into(self, request: Any, pk: int) -> Response:
        """Put the members, as pages show them, on a static list now. For lists of up to 100,000 people."""
        found, given = self.get_object(), self.given(PutGiven)
        done = list_copies.put_into(found, static_list_of(given), self.source, request.user, given["mode"])
        return Response(PutShown(done).data)

    @extend_schema(responses=TranslatedShown)
    @action(["GET"], detail=True)
    def text(self, request: Any, pk: int) -> Response:
        """The list's rules as JSON, as text for version control, and as a sentence."""
        found = self.get_object()
        return Response(_translated(found.parsed, found.name, found.description))

    @extend_schema(responses=HealthShown)
    @action(["GET"], detail=True)
    def health(self, request: Any, pk: int) -> Response:
        """What is wrong with the list: retired types, contradictions, filters that look back further than is kept."""
        return Response(health_shown(list_diagnostics.of_list(self.get_object())))

    @extend_schema(responses=ExplanationShown)
    @action(["GET"], detail=True, url_path="explain/<int:person>")
    def explain(self, request: Any, pk: int, person: int) -> Response:
        """Why a person is on the list or not: each filter's verdict, what proves it, the nearest miss."""
        self.require("people.view_person")
        found = explanation.explain(self.get_object().parsed, min(person, datatype_keys.MAX_ID))
        name_people(request, {person})
        return Response(_explained(found))

    @extend_schema(request=RulesGiven, responses=EvaluatedShown, operation_id="smart_lists_evaluate_rules")
    @action(["POST"], detail=False, url_path="evaluate", url_name="evaluate-rules")
    def evaluate_rules(self, request: Any) -> Response:
        """Evaluate rules without saving them: how many people, and the first hundred."""
        tag = f"api {request.user.pk}"
        found = stored_evaluations.count(_document(self.given(RulesGiven)).rules, request.user, tag)
        body = {
            "count": found.count,
            "as_of": found.as_of,
            "per_filter": [part.count for part in found.per_filter],
            "answered_by": [part.engine for part in found.per_filter],
            "seconds": found.seconds,
            "people": list(found.members[:SHOWN_PEOPLE]),
        }
        return Response(EvaluatedShown(body).data)

    @extend_schema(request=RulesGiven, responses=TranslatedShown)
    @action(["POST"], detail=False)
    def translate(self, request: Any) -> Response:
        """Rules in all their forms: from text to JSON, and from JSON to text."""
        document = _document(self.given(RulesGiven))
        return Response(_translated(document.rules, document.name, document.description))

    def _now(self, pk: int, status: int = 200, **headers: str) -> Response:
        return self.shown(self.get_queryset().get(pk=pk), status, **headers)


class SmartListMembers(Listed):
    """Who is on a smart list, in its stored evaluation."""

    queryset = StoredEvaluation.objects.all()
    serializer_class = SmartListMemberShown
    pagination_class = MemberPagination
    orderings = ("id",)
    rights = {"list": VIEW}

    def list(self, request: Any, smart_list: int) -> Response:
        """The people on the list, by id, with the count and the time that every page of it shows."""
        found = SmartList.objects.filter(pk=min(smart_list, MAX_BIG_ID)).first()
        if found is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such smart list.")))
        self.filter_queryset(self.get_queryset().none())
        assert isinstance(self.paginator, MemberPagination)
        page = self.paginator.paginate_evaluation(found, request, self)
        return self.get_paginated_response(self.show_all(page))


def _document(given: dict[str, Any]) -> language.Document:
    """The rules of a body that gives them as JSON or as text.

    Raises `RejectedError` with the place of every problem.
    """
    if ("rules" in given) == ("text" in given):
        message = _("Give the rules as “rules” or as “text”, one of the two.")
        raise UnprocessableError(Problem(Code.MISSING_VALUE, message, ("rules",)))
    if "text" in given:
        return language.read(given["text"], Catalogue())
    return language.Document(parse_rules(given["rules"], Catalogue()))


def _translated(found: rules.Rules, name: str, description: str) -> dict[str, Any]:
    names = Catalogue()
    return {
        "rules": rules.dump(found),
        "text": language.render(found, names, name, description),
        "sentence": sentences.list_sentence(found, names),
    }


def _explained(found: explanation.Explanation) -> dict[str, Any]:
    return {
        "person": found.person_id,
        "is_live": found.is_live,
        "is_member": found.is_member,
        "as_of": moment_text(found.as_of),
        "deciding": list(found.deciding),
        "verdicts": [_verdict(one) for one in found.verdicts],
    }


def _verdict(one: explanation.Verdict) -> dict[str, Any]:
    return {
        "number": one.number,
        "filter": rules.dump_filter(one.filter),
        "holds": one.holds,
        "value": one.value,
        "times": one.times,
        "since": None if one.since is None else moment_text(one.since),
        "activities": [
            {"id": shown.activity_id, "occurred_at": moment_text(shown.occurred_at), "step": shown.step}
            for shown in one.activities
        ],
        "miss": None if one.miss is None else {"code": one.miss.code, "text": one.miss.text},
        "nested": None if one.nested is None else _explained(one.nested),
    }


def _folder(given: dict[str, Any]) -> Folder | None:
    if given.get("folder") is None:
        return None
    folder = Folder.objects.filter(pk=given["folder"]).first()
    if folder is None:
        raise UnprocessableError(bad_value(Code.UNKNOWN_FOLDER, _("the id of a folder"), given["folder"], "folder"))
    return folder
