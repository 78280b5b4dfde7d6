"""People, person fields and static lists over the native API."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from people import changing, defining, deleting, finding, merging, owners, static_lists
from people.changing import Action, Status
from people.filters import MemberFilters, PersonFieldFilters, PersonFilters, StaticListFilters
from people.models import Folder, Person, PersonField, StaticList, StaticListMember
from people.problems import Conflict, Problem, bad_value, fault
from people.receiving import flat, placed, row_of
from people.refusals import NotFound, Unprocessable
from people.rest import LARGEST_ID, Listed, Retrieved, refuse_unknown_members, rows_of
from people.serializers import (
    ListGiven,
    ListShown,
    MembersGiven,
    MemberShown,
    MembersShown,
    MergeGiven,
    MergeShown,
    PeopleGiven,
    PeopleShown,
    PersonFieldChange,
    PersonFieldGiven,
    PersonFieldShown,
    PersonGiven,
    PersonShown,
    shown_quickly,
)
from people.static_lists import Membership

VIEW, CHANGE = "people.view_person", "people.change_person"
CONFLICTS = frozenset({"person_exists", "value_taken", "too_late", "not_deleted"})


class People(Listed, Retrieved):
    """Everybody we know."""

    queryset = Person.objects.live()
    serializer_class = PersonShown
    filterset_class = PersonFilters
    orderings = ("id", "-id", "created_at", "-created_at", "updated_at", "-updated_at")
    served = frozenset({"id", "id__in", "email", "email__in"})
    rights = {
        "list": VIEW,
        "retrieve": VIEW,
        "create": "people.add_person",
        "partial_update": CHANGE,
        "destroy": "people.delete_person",
        "batch": CHANGE,
        "restore": "people.restore_person",
        "erase": "people.erase_person",
        "merge": "people.merge_person",
        "undo_merge": "people.merge_person",
    }

    def revision(self, person: Person) -> str:
        return f"{person.pk}-{person.revision}"

    def get_object(self) -> Person:
        """The live person; a merged person's id answers as the winner."""
        pk = self.kwargs["pk"]
        found = finding.by_id([pk]).get(pk) if 0 < pk <= finding.MAX_ID else None
        return self._person(found)

    def _person(self, pk: int | None) -> Person:
        person = None if pk is None else self.filter_queryset(self.get_queryset()).filter(pk=pk).first()
        if person is None:
            raise NotFound(Problem("not_found", _("there is no such person")))
        self.request._request.person_ids = {person.pk, self.kwargs.get("pk", person.pk)}
        return person

    def shown_quickly(self, things: Iterable[Person]) -> list[dict[str, Any]]:
        return [shown_quickly(person) for person in things]

    def shown(self, person: Person, status: int = 200, **headers: str) -> Response:
        if self.kwargs.get("pk", person.pk) != person.pk:
            headers["Content-Location"] = self.request.build_absolute_uri(f"/api/v1/people/{person.pk}")
        return super().shown(person, status, **headers)

    @extend_schema(request=PersonGiven, responses={201: PersonShown})
    def create(self, request: Any) -> Response:
        """Create a person. 409 when somebody has the e-mail address, or the value of a unique field, already."""
        values = flat(request.data)
        kind = Action.CREATE if values.get("email") not in (None, "") else Action.DUPLICATE
        (outcome,) = changing.upsert([values], self.source, "email", kind)
        person = self._person(_done(outcome))
        return self.shown(person, 201, Location=f"{request.build_absolute_uri()}/{person.pk}")

    @extend_schema(request=PersonGiven, responses=PersonShown)
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change some of a person's fields; null takes a value away."""
        person = self.get_object()
        self.require_match(person)
        with self.expecting(person.revision) as expected:
            outcome = changing.update(person, flat(request.data), self.source, expected)
        return self.shown(self._person(_done(outcome)))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Any, pk: int) -> Response:
        """Take a person out of every list and page; can be restored for a while."""
        person = self.get_object()
        self.require_match(person)
        (outcome,) = deleting.delete([person.pk], request.user, self.source)
        _refuse(outcome.problems)
        return Response(status=204)

    @extend_schema(request=PeopleGiven, responses=PeopleShown)
    @action(["POST"], detail=False)
    def batch(self, request: Any) -> Response:
        """Create or update up to 1,000 people in one transaction; each row counts on its own."""
        refuse_unknown_members(request.data, ("people", "lookup_field", "action"))
        kind = request.data.get("action", Action.UPSERT)
        if not isinstance(kind, str) or kind not in set(Action):
            raise Unprocessable(bad_value("wrong_type", ", ".join(Action), kind, "action"))
        lookup = request.data.get("lookup_field", "email")
        if not isinstance(lookup, str):
            raise Unprocessable(bad_value("wrong_type", _("the API name of a field"), lookup, "lookup_field"))
        if kind != Action.UPDATE:
            self.require("people.add_person")
        rows = [row_of(row) for row in rows_of(request.data, "people")]
        good = [row for row in rows if isinstance(row, dict)]
        outcomes = iter(changing.upsert(good, self.source, lookup, Action(kind)))
        results = []
        for index, row in enumerate(rows):
            shown = _outcome(next(outcomes)) if isinstance(row, dict) else _refused(row)
            results.append({"index": index, **shown})
        sums = {str(status): sum(result["status"] == status for result in results) for status in Status}
        request._request.person_ids = {result["id"] for result in results if "id" in result}
        return Response({**sums, "results": results})

    @extend_schema(request=None, responses=PersonShown)
    @action(["POST"], detail=True)
    def restore(self, request: Any, pk: int) -> Response:
        """Bring a deleted person back, with the lists it was on."""
        (outcome,) = deleting.restore([pk], request.user, self.source)
        _refuse(outcome.problems)
        return self.shown(self._person(pk))

    @extend_schema(request=None, responses={204: None})
    @action(["POST"], detail=True)
    def erase(self, request: Any, pk: int) -> Response:
        """Remove everything about a person, and about those merged into it, everywhere and for good."""
        if not Person.objects.filter(pk=min(pk, finding.MAX_ID)).exclude(state=Person.State.ERASED).exists():
            raise NotFound(Problem("not_found", _("there is no such person")))
        deleting.erase([pk], request.user, self.source)
        return Response(status=204)

    @extend_schema(request=MergeGiven, responses=MergeShown)
    @action(["POST"], detail=True)
    def merge(self, request: Any, pk: int) -> Response:
        """Merge other people into this one; their ids answer as this one from now on."""
        winner = self.get_object()
        self.require_match(winner)
        given = self.given(MergeGiven)
        done = merging.merge(winner.pk, given["losers"], request.user, self.source, choices=given.get("choices"))
        request._request.person_ids = {winner.pk, *given["losers"]}
        return Response({"merge": done.pk, "person": self.show(self._person(winner.pk))})

    @extend_schema(request=None, responses={204: None}, operation_id="people_merges_undo")
    @action(["POST"], detail=False, url_path="merges/<int:merge_id>/undo")
    def undo_merge(self, request: Any, merge_id: int) -> Response:
        """Take a merge back: the losers are people again, with the activities and lists that were theirs."""
        merging.undo(min(merge_id, LARGEST_ID), request.user, self.source)
        return Response(status=204)


def _done(outcome: changing.Outcome) -> int | None:
    _refuse(outcome.problems)
    return outcome.person_id


def _refuse(problems: Iterable[Problem]) -> None:
    problems = placed(problems)
    if not problems:
        return
    if any(problem.code == "unknown_person" for problem in problems):
        raise NotFound(*problems)
    raise (Conflict if all(problem.code in CONFLICTS for problem in problems) else Unprocessable)(*problems)


def _outcome(outcome: changing.Outcome) -> dict[str, Any]:
    if outcome.status is Status.REFUSED:
        return _refused(placed(outcome.problems))
    return {"status": str(outcome.status), "id": outcome.person_id}


def _refused(problems: Iterable[Problem]) -> dict[str, Any]:
    return {"status": str(Status.REFUSED), "errors": [fault(problem) for problem in problems]}


class PersonFields(Listed, Retrieved):
    """What can be known of a person: the standard fields and those that the team added."""

    queryset = PersonField.objects.all()
    serializer_class = PersonFieldShown
    filterset_class = PersonFieldFilters
    lookup_field = "api_name"
    lookup_value_converter = "str"
    orderings = ("id", "-id", "api_name", "-api_name")
    rights = {
        "list": "people.view_personfield",
        "retrieve": "people.view_personfield",
        "create": "people.add_personfield",
        "partial_update": "people.change_personfield",
        "destroy": "people.delete_personfield",
    }

    def revision(self, field: PersonField) -> str:
        return f"{field.pk}-{field.updated_at.timestamp():.6f}"

    def get_object(self) -> PersonField:
        if not defining.API_NAME.fullmatch(self.kwargs["api_name"]):
            raise NotFound(Problem("not_found", _("There is nothing at this address.")))
        return super().get_object()

    @extend_schema(request=PersonFieldGiven, responses={201: PersonFieldShown})
    def create(self, request: Any) -> Response:
        """Add a person field."""
        given = self.given(PersonFieldGiven)
        field = defining.create(given.pop("label"), given.pop("data_type"), request.user, is_api_created=True, **given)
        return self.shown(field, 201, Location=f"{request.build_absolute_uri()}/{field.api_name}")

    @extend_schema(request=PersonFieldChange, responses=PersonFieldShown)
    def partial_update(self, request: Any, api_name: str) -> Response:
        """Change a field's label, description, choices, or whether it is hidden or unique."""
        given = self.given(PersonFieldChange, partial=True)
        with transaction.atomic():
            field = _locked(self.get_object())
            self.require_match(field)
            field = defining.change(field, request.user, **given)
        return self.shown(field)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Any, api_name: str) -> Response:
        """Delete a field that the team added, with its values."""
        with transaction.atomic():
            field = _locked(self.get_object())
            self.require_match(field)
            defining.delete(field, request.user)
        return Response(status=204)


def _locked(thing: Any) -> Any:
    """`thing` as it is now, nobody changing it until the transaction ends."""
    found = type(thing).objects.select_for_update().filter(pk=thing.pk).first()
    if found is None:
        raise NotFound(Problem("not_found", _("There is nothing at this address.")))
    return found


class StaticLists(Listed, Retrieved):
    """People put together by hand or by program."""

    queryset = StaticList.objects.select_related("owner", "created_by")
    serializer_class = ListShown
    filterset_class = StaticListFilters
    orderings = ("id", "-id")
    rights = {
        "list": "people.view_staticlist",
        "retrieve": "people.view_staticlist",
        "create": "people.add_staticlist",
        "partial_update": static_lists.CHANGE,
        "destroy": "people.delete_staticlist",
        "archive": static_lists.CHANGE,
        "unarchive": static_lists.CHANGE,
    }

    def revision(self, static_list: StaticList) -> str:
        return f"{static_list.pk}-{static_list.updated_at.timestamp():.6f}"

    @extend_schema(request=ListGiven, responses={201: ListShown})
    def create(self, request: Any) -> Response:
        """Make an empty list."""
        made = static_lists.create(by=request.user, **_with_place(self.given(ListGiven)))
        return self._now(made.pk, 201, Location=f"{request.build_absolute_uri()}/{made.pk}")

    @extend_schema(request=ListGiven, responses=ListShown)
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change name, description, folder or owner."""
        given = self.given(ListGiven, partial=True)
        return self._edit(lambda found: static_lists.change(found, request.user, **_with_place(given, found.owner_id)))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Any, pk: int) -> Response:
        """Delete the list; its people stay. 409 while something uses it."""
        with transaction.atomic():
            found = self.get_object()
            self.require_match(found)
            static_lists.delete(found, request.user)
        return Response(status=204)

    @extend_schema(request=None, responses=ListShown)
    @action(["POST"], detail=True)
    def archive(self, request: Any, pk: int) -> Response:
        """Put the list away; its members and its uses stay."""
        return self._edit(lambda found: static_lists.archive(found, request.user))

    @extend_schema(request=None, responses=ListShown)
    @action(["POST"], detail=True)
    def unarchive(self, request: Any, pk: int) -> Response:
        """Have the list among the others again."""
        return self._edit(lambda found: static_lists.unarchive(found, request.user))

    def _edit(self, verb: Any) -> Response:
        with transaction.atomic():
            found = _locked(self.get_object())
            self.require_match(found)
            verb(found)
        return self._now(found.pk)

    def _now(self, pk: int, status: int = 200, **headers: str) -> Response:
        return self.shown(self.get_queryset().get(pk=pk), status, **headers)


def _with_place(given: dict[str, Any], owner_id: int | None = None) -> dict[str, Any]:
    """The checked body with the folder and the owner themselves for their ids; `owner_id`: whose the list is now."""
    if "owner" in given:
        given = {**given, "owner": owners.find(given["owner"], owner_id)}
    if given.get("folder") is None:
        return given
    folder = Folder.objects.filter(pk=given["folder"]).first()
    if folder is None:
        raise Unprocessable(bad_value("unknown_folder", _("the id of a folder"), given["folder"], "folder"))
    return {**given, "folder": folder}


class StaticListMembers(Listed):
    """Who is on a static list."""

    queryset = StaticListMember.objects.all()
    serializer_class = MemberShown
    filterset_class = MemberFilters
    orderings = ("person_id",)
    key = "person_id"
    lookup_field, lookup_url_kwarg = "person_id", "person"
    rights = {
        "list": "people.view_staticlist",
        "create": static_lists.CHANGE,
        "remove": static_lists.CHANGE,
        "destroy": static_lists.CHANGE,
    }

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(static_list=self._list())

    @extend_schema(request=MembersGiven, responses=MembersShown)
    def create(self, request: Any, static_list: int) -> Response:
        """Put up to 1,000 people on the list; adding a member again changes nothing."""
        return self._move(static_lists.add)

    @extend_schema(request=MembersGiven, responses=MembersShown)
    @action(["POST"], detail=False)
    def remove(self, request: Any, static_list: int) -> Response:
        """Take up to 1,000 people off the list."""
        return self._move(static_lists.remove)

    @extend_schema(
        request=None,
        responses={204: None},
        parameters=[OpenApiParameter("person", int, OpenApiParameter.PATH, description="The person's id.")],
    )
    def destroy(self, request: Any, static_list: int, person: int) -> Response:
        """Take one person off the list."""
        (outcome,) = static_lists.remove(self._list(), [person], self.source)
        if outcome is not Membership.REMOVED:
            raise NotFound(Problem("not_found", _("This person is not on the list.")))
        return Response(status=204)

    def _move(self, verb: Any) -> Response:
        given = self.given(MembersGiven)["people"]
        return Response({"results": [str(outcome) for outcome in verb(self._list(), given, self.source)]})

    def _list(self) -> StaticList:
        found = StaticList.objects.filter(pk=min(self.kwargs["static_list"], LARGEST_ID)).first()
        if found is None:
            raise NotFound(Problem("not_found", _("There is no such static list.")))
        return found
