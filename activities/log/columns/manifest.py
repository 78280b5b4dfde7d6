"""The contents of the column index of this node: one file, replaced whole, that names all others."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from activities.log.columns import fields, files
from activities.log.columns.all_people import PeopleFile
from activities.log.columns.fields import StoredField
from activities.log.columns.files import IndexFile

NAME = "manifest.json"
FORMAT = 2


@dataclass(frozen=True, slots=True)
class TypeColumns:
    """The files of one activity type: rows in `segments`, people by day in `months`, people of any day in `ever`.

    A segment with a `part` has the rows of one range of people, one without has the recent rows of all people.
    `unfit` are the ids of fields with a value that columns cannot hold exactly.
    """

    fields: tuple[StoredField, ...]
    segments: tuple[IndexFile, ...]
    months: tuple[IndexFile, ...]
    ever: IndexFile
    unfit: frozenset[int] = frozenset()

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.segments)

    @property
    def files(self) -> list[IndexFile]:
        return [*self.segments, *self.months, self.ever]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One generation: the log up to the id `mark`, read when `change` was the last change.

    `server` identifies the database and its rules of lower case; no person here has an id above `top`.
    """

    token: UUID
    node: UUID
    server: str
    mark: int
    change: int
    top: int
    built_at: str
    types: Mapping[int, TypeColumns] = field(default_factory=dict)
    left_out: Mapping[int, str] = field(default_factory=dict)  # types that could not be built, and why
    people: PeopleFile | None = None
    retired: Sequence[tuple[str, float]] = ()  # names of files no longer used, and since when (Unix time)

    @property
    def files(self) -> list[IndexFile]:
        of_types = [file for entry in self.types.values() for file in entry.files]
        return [*of_types, self.people.file] if self.people else of_types


_read: dict[Path, tuple[tuple[int, int, int], Manifest]] = {}  # a cache: the manifest, by its mark on disk


def current_manifest() -> Manifest | None:
    """The manifest of this node; None where there is none, or none that this version understands."""
    path = files.index_folder() / NAME
    try:
        status = path.stat()
        mark = (status.st_mtime_ns, status.st_size, status.st_ino)
        cached = _read.get(path)
        if cached is not None and cached[0] == mark:
            return cached[1]
        manifest = load_manifest(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if manifest is not None:
        _read.clear()
        _read[path] = (mark, manifest)
    return manifest


def publish_manifest(manifest: Manifest) -> None:
    """Make this the node's manifest: whole, or not at all."""
    place = files.index_folder()
    part = place / f"{NAME}.part"
    part.touch(mode=0o600)
    part.write_text(json.dumps(dump_manifest(manifest)), encoding="utf-8")
    files.store_file(part)
    part.replace(place / NAME)
    files.sync_folder(place)


def with_retired(manifest: Manifest, retired: Sequence[tuple[str, float]]) -> Manifest:
    return replace(manifest, retired=retired)


def dump_manifest(manifest: Manifest) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "token": str(manifest.token),
        "node": str(manifest.node),
        "server": manifest.server,
        "mark": manifest.mark,
        "change": manifest.change,
        "top": manifest.top,
        "built_at": manifest.built_at,
        "types": {str(type_id): _dump_type(entry) for type_id, entry in manifest.types.items()},
        "left_out": {str(type_id): why for type_id, why in manifest.left_out.items()},
        "people": asdict(manifest.people) if manifest.people else None,
        "retired": [list(row) for row in manifest.retired],
    }


def load_manifest(stored: Mapping[str, Any]) -> Manifest | None:
    """The manifest that `dump_manifest` wrote; None if in another format. Raises KeyError, TypeError, ValueError."""
    if stored["format"] != FORMAT:
        return None
    return Manifest(
        UUID(stored["token"]),
        UUID(stored["node"]),
        stored["server"],
        stored["mark"],
        stored["change"],
        stored["top"],
        stored["built_at"],
        {int(type_id): _load_type(entry) for type_id, entry in stored["types"].items()},
        {int(type_id): why for type_id, why in stored["left_out"].items()},
        _load_people(stored.get("people")),
        [(name, since) for name, since in stored["retired"]],
    )


def _load_people(stored: Mapping[str, Any] | None) -> PeopleFile | None:
    return PeopleFile(IndexFile(**stored["file"]), stored["mark"]) if stored else None


def _dump_type(entry: TypeColumns) -> dict[str, Any]:
    return {
        "fields": fields.dump_fields(entry.fields),
        "segments": [asdict(file) for file in entry.segments],
        "months": [asdict(file) for file in entry.months],
        "ever": asdict(entry.ever),
        "unfit": sorted(entry.unfit),
    }


def _load_type(stored: Mapping[str, Any]) -> TypeColumns:
    return TypeColumns(
        tuple(fields.load_fields(stored["fields"])),
        tuple(IndexFile(**file) for file in stored["segments"]),
        tuple(IndexFile(**file) for file in stored["months"]),
        IndexFile(**stored["ever"]),
        frozenset(stored["unfit"]),
    )
