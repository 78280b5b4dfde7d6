"""Backups: a folder with a dump of the database, the files, and a manifest of their contents.

    database.dump   pg_dump's custom format
    files.tar       FILES_DIR, and the secret key unless the environment gives it
    manifest.json   counts and digests of the same snapshot that was dumped, checksums of the other two

A restored log continues after a gap in its ids: clients and readers may have the ids assigned after the backup.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from typing import IO, Any

import psycopg
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from activities.log.digest import COLUMNS, COLUMNS_BEFORE_FLAGS, digest_sql
from config.postgres.binaries import DatabaseUnavailableError, wheel_binaries
from people.core.db import citus

FORMAT = 1
DUMP, FILES, MANIFEST = "database.dump", "files.tar", "manifest.json"
SECRET = "secret_key"
# lines of a script that not every server accepts and none needs: a setting of 17, and the versions of columns that
# later minor releases (17.12) store as options, which the pg_dump of an earlier release dumps as such
FOREIGN = re.compile(rb"SET transaction_timeout = 0;\n|ALTER TABLE ONLY \S+ ALTER COLUMN \S+ SET \(pg_attver=\d+\);\n")
CLEAR = b"drop schema public cascade; create schema public;\n"
# sequence: size of the gap after a restore
GAPS = {"activity_id_seq": 10_000_000, "person_id_seq": 1_000_000, "activity_type_id_seq": 1_000}

Parameters = Mapping[str, Any]


class BackupError(Exception):
    """A backup or a restore was not done; the message has the reason and the remedy."""


def database_parameters() -> dict[str, Any]:
    """Return the connection parameters of the product's database for PostgreSQL's own programs."""
    connection.ensure_connection()  # starts an embedded server
    django_parameters = connection.get_connection_params()
    return {
        name: django_parameters[name]
        for name in ("host", "port", "user", "password", "dbname")
        if django_parameters.get(name)
    }


def take_backup(folder: Path, source: Parameters | None = None) -> dict[str, Any]:
    """Write a backup to `folder`, which must not exist and appears only when complete. Returns the manifest.

    Backs up the product's database, or `source`, an installation's database that no other process uses meanwhile.
    """
    if folder.exists():
        raise BackupError(f"{folder} exists already.")
    if source is None and citus.is_distributed():
        raise BackupError("Activities lie on several servers: back up each of them, see docs/scaling.md.")
    source = source or database_parameters()
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    with psycopg.connect(**source) as server:
        server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        (snapshot,) = server.execute("select pg_export_snapshot()").fetchone() or ("",)
        _dump(source, "--format=custom", f"--snapshot={snapshot}", f"--file={part / DUMP}")
        content = measure_contents(server)
        head = server.execute(
            "select day::text || ' ' || chain from activity_day where chain is not null order by day desc limit 1"
        ).fetchone()
    _write_files(part / FILES)
    manifest = {
        "format": FORMAT,
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": {name: _sha256(part / name) for name in (DUMP, FILES)},
        "head_of_days": head[0] if head else "",  # for verify_activities --head
        **content,
    }
    (part / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    for file in part.iterdir():
        file.chmod(0o600)
    part.rename(folder)
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a backup with unchanged parts. Raises BackupError for any other folder."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise BackupError(f"{folder} is of format {manifest['format']}, this version reads format {FORMAT}.")
        altered = [name for name, checksum in manifest["sha256"].items() if _sha256(folder / name) != checksum]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{folder} is no backup: {error}") from None
    if altered:
        raise BackupError(f"{folder / altered[0]} is not as it was written: damaged or cut off.")
    unknown = set(manifest["migrations"]) - {".".join(key) for key in MigrationLoader(None).disk_migrations}
    if unknown:
        raise BackupError(f"{folder} was made by a newer version: this one does not know {min(unknown)}.")
    return manifest


def load_backup(folder: Path, target: Parameters, replace: bool = False) -> None:
    """Load the dump into the database `target`, all or nothing, open the gaps, and compare with the manifest.

    With `replace` the database's contents are deleted in the same transaction.
    """
    manifest = read_manifest(folder)
    reading = [_program("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(folder / DUMP)]
    writing = [_program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    with tempfile.TemporaryFile() as messages:
        source = subprocess.Popen(reading, stdout=subprocess.PIPE, stderr=messages)
        sink = subprocess.Popen(
            writing, env=_environment(target), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=messages
        )
        assert source.stdout and sink.stdin  # both are pipes
        with contextlib.suppress(BrokenPipeError), source.stdout, sink.stdin:
            sink.stdin.write(b"begin;\n" + (CLEAR if replace else b""))
            _copy_for_other_servers(source.stdout, sink.stdin)
            if source.wait() == 0:  # else psql ends without a commit
                sink.stdin.write(
                    "".join(f"{_gap(name, size)};\n" for name, size in GAPS.items()).encode() + b"commit;\n"
                )
        if sink.wait() | source.wait():
            messages.seek(0)
            raise BackupError(f"Nothing was restored: {messages.read().decode(errors='replace').strip()[-2000:]}")
    with psycopg.connect(**target) as server:
        content = measure_contents(server)
    for name in ("tables", "activities"):
        if content[name] != manifest[name]:
            raise BackupError(f"What was loaded is not what was dumped: {_difference(content[name], manifest[name])}.")


def open_id_gaps(target: Parameters) -> dict[str, int]:
    """Continue ids after a gap, as `load_backup` does: for a recovery to an earlier time by PostgreSQL itself."""
    with psycopg.connect(**target) as server, server.cursor() as cursor:
        return {name: cursor.execute(_gap(name, size).encode()).fetchone()[0] for name, size in GAPS.items()}  # type: ignore[index]


def is_database_empty(target: Parameters) -> bool:
    with psycopg.connect(**target) as server:
        return server.execute("select 1 from pg_tables where schemaname = 'public' limit 1").fetchone() is None


class StagedFiles:
    """The complete unpacked files and the key of a backup, in a separate folder until `place` moves them."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        """Unpack into `scratch`, an empty folder. Raises BackupError for foreign contents, and without any key."""
        self.scratch = scratch
        self.names: list[str] = []
        self.key: bytes | None = None
        try:
            with tarfile.open(folder / FILES) as archive:
                for member in archive:
                    self._unpack(archive, member)
        except (tarfile.TarError, OSError) as error:
            raise BackupError(f"Nothing was restored: {folder / FILES} cannot be unpacked: {error}") from None
        if self.key is None and not os.environ.get("SECRET_KEY"):
            raise BackupError(
                f"Nothing was restored: {folder} holds no secret key, because the environment gave it where the "
                "backup was made. Set SECRET_KEY to it; without it sealed secrets cannot be opened."
            )

    def place(self) -> None:
        """Move the files to FILES_DIR; write the key unless the environment has one."""
        for name in self.names:
            target = Path(settings.FILES_DIR) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self.scratch / name, target)
        if self.key is not None and not os.environ.get("SECRET_KEY"):
            part = settings.DATA_DIR / f"{SECRET}.part"
            part.touch(mode=0o600)
            part.write_bytes(self.key)
            part.replace(settings.DATA_DIR / SECRET)

    def _unpack(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Extract one member: a file or the key, no path to another place.

        Not by tarfile's equally strict `filter="data"`, which needs Python 3.11.4.
        """
        parts = PurePosixPath(member.name).parts
        if member.isdir() and parts[:1] == ("files",) and ".." not in parts:
            return
        is_kept = member.name == SECRET or (parts[:1] == ("files",) and parts[1:])
        if not member.isreg() or ".." in parts or not is_kept:
            raise BackupError(f"Nothing was restored: {member.name} in {FILES} is nothing that a backup holds.")
        content = archive.extractfile(member)
        assert content  # of a regular file
        if member.name == SECRET:
            self.key = content.read()
            return
        target = self.scratch.joinpath(*parts[1:])
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as sink:
            shutil.copyfileobj(content, sink)
        target.chmod(member.mode & 0o755 | 0o600)
        os.utime(target, (member.mtime, member.mtime))
        self.names.append(str(PurePosixPath(*parts[1:])))


@contextlib.contextmanager
def staged_files(folder: Path, within: Path | None = None) -> Iterator[StagedFiles]:
    """Unpack the files of a backup into a temporary folder beside their place; it is deleted in any case."""
    within = Path(within or settings.DATA_DIR)
    within.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restoring-", dir=within) as scratch:
        yield StagedFiles(folder, Path(scratch))


def measure_contents(server: "psycopg.Connection[Any]") -> dict[str, Any]:
    """Return the database's contents: rows by table, digest of the log, applied migrations, server version."""
    with server.cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = 'public' order by 1")
        names = [name for (name,) in cursor.fetchall()]
        counts = sql.SQL(" union all ").join(
            sql.SQL("select {}, count(*) from {}").format(name, sql.Identifier("public", name)) for name in names
        )
        tables = dict(cursor.execute(counts).fetchall()) if names else {}
        # a dump of the version before has not been migrated yet
        cursor.execute(
            """select exists (select from pg_attribute where attrelid = 'public.activity'::regclass
            and attname = 'flags' and not attisdropped)"""
        )
        (has_flags,) = cursor.fetchone() or (True,)
        digest = digest_sql(columns=COLUMNS if has_flags else COLUMNS_BEFORE_FLAGS)
        cursor.execute(f"select count(*), coalesce(sum({digest}), 0) from activity a")
        count, total = cursor.fetchone() or (0, 0)
        cursor.execute("select app || '.' || name from django_migrations order by 1")
        migrations = [name for (name,) in cursor.fetchall()]
    return {
        "server_version": server.info.server_version,
        "tables": tables,
        "activities": {"count": count, "digest": str(total)},
        "migrations": migrations,
    }


def _difference(actual: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    different = sorted(name for name in {*actual, *expected} if actual.get(name) != expected.get(name))
    return ", ".join(f"{name} has {actual.get(name)} instead of {expected.get(name)}" for name in different[:5])


def _write_files(target: Path) -> None:
    with tarfile.open(target, "w") as archive:
        if not os.environ.get("SECRET_KEY"):
            archive.add(settings.DATA_DIR / SECRET, SECRET)
        if Path(settings.FILES_DIR).exists():
            archive.add(settings.FILES_DIR, "files")


def _gap(sequence: str, size: int) -> str:
    return f"select setval('public.{sequence}', last_value + {size}) from public.{sequence}"


def _copy_for_other_servers(source: IO[bytes], sink: IO[bytes]) -> None:
    """Copy the script without the lines that other servers reject; these come before the first rows."""
    for line in source:
        if not FOREIGN.fullmatch(line):
            sink.write(line)
        if line.startswith(b"COPY "):
            break
    shutil.copyfileobj(source, sink)


def _dump(target: Parameters, *arguments: str) -> None:
    command = [_program("pg_dump"), *arguments]
    result = subprocess.run(command, env=_environment(target), capture_output=True, text=True, check=False)
    if result.returncode:
        raise BackupError(f"pg_dump failed: {result.stderr.strip()[-2000:]}")


def _program(name: str) -> str:
    """Return one of PostgreSQL's programs: those of the embedded server also work with all older servers."""
    try:
        return str(wheel_binaries() / name)
    except DatabaseUnavailableError:
        return name


def _environment(target: Parameters) -> dict[str, str]:
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return os.environ | {names[name]: str(value) for name, value in target.items()}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()
