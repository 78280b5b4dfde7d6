"""Installs the versions of the standard types that the database does not have yet."""

from collections.abc import Callable, Collection
from itertools import chain, count
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from activities.labels import CLASH_SUFFIX
from activities.models import ActivityField, ActivityType, ActivityTypeName, ActivityVersion
from activities.types.definition import ACTIVITY_TYPES
from activities.types.standard_shapes import TYPES, StandardType
from people.datatypes.naming import name_key
from people.definitions import drafts

NAMES = ACTIVITY_TYPES.unique_names


def install_after_migration(**_options: Any) -> None:
    """Install the missing versions; runs after every migration.

    Activities of a type wait while it gets a version, as they do at an approval. Programs of the version before
    record with the new version from then on: fields are only added.
    """
    if not (missing := _missing_versions()):
        return
    with transaction.atomic():
        drafts.lock_naming(ACTIVITY_TYPES, *missing)
        for type_id, installed in _missing_versions().items():  # another host may have installed them meanwhile
            _install(type_id, TYPES[type_id], installed)


def _missing_versions() -> dict[int, int]:
    """The types that lack versions, each with the number of its newest installed version (0: none)."""
    rows = ActivityVersion.objects.filter(activity_type__in=TYPES, number__isnull=False).values("activity_type")
    installed = dict(rows.annotate(newest=Max("number")).values_list("activity_type", "newest"))
    newest = {type_id: installed.get(type_id, 0) for type_id in TYPES}
    return {type_id: number for type_id, number in newest.items() if number < len(TYPES[type_id].versions)}


def _install(type_id: int, shape: StandardType, installed: int) -> None:
    """Add the versions after `installed` to the type, create it where it is missing; the last becomes the live one."""
    activity_type = ActivityType.objects.filter(pk=type_id).select_related("live").first()
    if activity_type is None:
        taken = set(ActivityType.objects.values_list("api_name", flat=True))
        api_name = _free_name(shape.api_name, taken, "_system", str)
        activity_type = ActivityType.objects.create(pk=type_id, api_name=api_name, is_standard=True)
    live = activity_type.live
    names = {column: getattr(live, column) for column in NAMES} if live is not None else _free_names(shape)
    for number in range(installed + 1, len(shape.versions) + 1):
        live = ActivityVersion.objects.create(activity_type=activity_type, **names)
        _write_fields(live, shape, number)
        ActivityVersion.objects.filter(pk=live.pk).update(number=number, approved_at=timezone.now())
    ActivityType.objects.filter(pk=type_id).update(live=live, updated_at=timezone.now())
    activity_type.refresh_from_db()
    drafts.reserve_names(activity_type)


def _write_fields(version: ActivityVersion, shape: StandardType, number: int) -> None:
    ActivityField.objects.bulk_create(
        ActivityField(
            version=version,
            api_name=field.api_name,
            name=field.name,
            data_type=field.data_type,
            is_primary=field.is_primary,
            position=position,
        )
        for position, field in enumerate(shape.fields(number))
    )


def _free_names(shape: StandardType) -> dict[str, str]:
    """The names of the type by column; all with a suffix where the team has a type with one of them."""
    names = {column: getattr(shape, column) for column in NAMES}
    taken: dict[str, set[str]] = {column: set() for column in NAMES}
    for column, key in ActivityTypeName.objects.values_list("kind", "key"):
        taken[column].add(key)
    if not any(name_key(name) in taken[column] for column, name in names.items()):
        return names
    return {column: _free_name(f"{name}{CLASH_SUFFIX}", taken[column], " ", name_key) for column, name in names.items()}


def _free_name(name: str, taken: Collection[str], suffix: str, key: Callable[[str], str]) -> str:
    """`name`, or where it is taken with the suffix, or with the suffix and the first free number from 2 on."""
    ends = chain(("", suffix.rstrip()), (f"{suffix}{number}" for number in count(2)))
    return next(name + end for end in ends if key(name + end) not in taken)
