"""Cars, and courses with enrolments, through the product's own verbs."""

from people.core.source import Channel, Source
from people.definitions import lifecycle
from people.models import ObjectRecord, ObjectType
from people.objects import records
from people.objects.definition import OBJECT_TYPES, ObjectFieldSpec, ObjectNames
from people.objects.outcomes import RecordKey, RecordStatus

API = Source(Channel.API)
CAR_FIELDS = (
    ObjectFieldSpec("plate", "Number plate", is_dedupe=True),
    ObjectFieldSpec("owner", "Owner", "email", link_to="person", link_by="email"),
    ObjectFieldSpec("model", "Model"),
    ObjectFieldSpec("colour", "Colour"),
    ObjectFieldSpec("mileage", "Mileage", "integer"),
    ObjectFieldSpec("price", "Price", "currency"),
    ObjectFieldSpec("inspected_on", "Inspected on", "date"),
    ObjectFieldSpec("sold_at", "Sold at", "datetime"),
    ObjectFieldSpec("is_electric", "Electric", "boolean"),
    ObjectFieldSpec("weight", "Weight", "float"),
    ObjectFieldSpec("notes", "Notes", "text"),
    ObjectFieldSpec("page", "Page", "link"),
    ObjectFieldSpec("garage_phone", "Phone of the garage", "phone"),
)
COURSE_FIELDS = (ObjectFieldSpec("code", "Code", is_dedupe=True), ObjectFieldSpec("title", "Title"))
ENROLMENT_FIELDS = (
    ObjectFieldSpec("student", "Student", "email", is_dedupe=True, link_to="person", link_by="email"),
    ObjectFieldSpec("course", "Course", is_dedupe=True, link_to="course", link_by="code"),
    ObjectFieldSpec("grade", "Grade", "integer"),
)


def draft_type(name="Car", api_name="car", fields=CAR_FIELDS, by=None):
    return lifecycle.create_definition(OBJECT_TYPES, ObjectNames(api_name, name, f"{name}s"), fields, by)


def approved_type(*arguments, **more):
    object_type = draft_type(*arguments, **more)
    lifecycle.approve_draft(object_type, None)
    return ObjectType.objects.get(pk=object_type.pk)


def upsert(object_type, *rows, source=API, **options):
    return records.upsert_records(object_type, rows, source, **options)


def saved(object_type, **values):
    (outcome,) = upsert(object_type, values)
    assert outcome.status is not RecordStatus.REFUSED, outcome.problems
    return ObjectRecord.objects.get(pk=outcome.record_id)


def changed(record, **values):
    (outcome,) = upsert(record.object_type_id, {"id": record.pk, **values}, key=RecordKey.ID)
    assert outcome.status is RecordStatus.UPDATED, outcome.problems
    return ObjectRecord.objects.get(pk=record.pk)


def codes(outcomes):
    return [[problem.code for problem in outcome.problems] for outcome in outcomes]
