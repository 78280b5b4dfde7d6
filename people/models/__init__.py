"""The tables of people, of the installation and of its files."""

from people.core.maintenance import MaintenanceRun
from people.core.metrics import Measurement
from people.core.models import Folder, Installation
from people.core.notifications import Notice, NoticeSwitch
from people.files.models import Export, Import, ImportFailure
from people.models.history import PersonDeletion, PersonMerge, PersonNote, Suppression
from people.models.jobs import BulkAction, BulkPart, DifferentPeople, DuplicateGroup, DuplicateSearch, SuggestedPair
from people.models.lists import StaticList, StaticListCount, StaticListMember
from people.models.object_records import ObjectChange, ObjectRecord
from people.models.object_types import (
    ApprovedObjectField,
    ObjectField,
    ObjectLink,
    ObjectType,
    ObjectTypeName,
    ObjectVersion,
)
from people.models.person import Person, PersonCount, PersonField, PersonKey
from people.models.views import PeopleListSettings, PeopleView

__all__ = [
    "ApprovedObjectField",
    "BulkAction",
    "BulkPart",
    "DifferentPeople",
    "DuplicateGroup",
    "DuplicateSearch",
    "Export",
    "Folder",
    "Import",
    "ImportFailure",
    "Installation",
    "MaintenanceRun",
    "Measurement",
    "Notice",
    "NoticeSwitch",
    "ObjectChange",
    "ObjectField",
    "ObjectLink",
    "ObjectRecord",
    "ObjectType",
    "ObjectTypeName",
    "ObjectVersion",
    "PeopleListSettings",
    "PeopleView",
    "Person",
    "PersonCount",
    "PersonDeletion",
    "PersonField",
    "PersonKey",
    "PersonMerge",
    "PersonNote",
    "StaticList",
    "StaticListCount",
    "StaticListMember",
    "SuggestedPair",
    "Suppression",
]
