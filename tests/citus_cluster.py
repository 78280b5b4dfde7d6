"""The tests' database on a cluster: CITUS_DATABASE_URL names a superuser and a database of its coordinator.

That database has the workers (`citus_add_node`); ours is made on each of them anew, migrated, and distributed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from environ import Env
from psycopg import sql

PARTS = 4
is_wanted = bool(os.environ.get("CITUS_DATABASE_URL"))


def make_database(name: str) -> None:
    """An empty database on every server; Django migrates the coordinator's."""
    for node in nodes():
        with connect(node, _known()["NAME"]) as server:
            server.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
            server.execute(sql.SQL("create database {}").format(sql.Identifier(name)))


def distribute(name: str, parts: int = PARTS) -> None:
    """Do the operator's work: the extension, the workers, `manage.py distribute`."""
    from config.cluster import distribute as cluster_distribute

    coordinator, *workers = nodes()
    connection.close()
    for node in (coordinator, *workers):
        with connect(node, name) as server:
            server.execute("create extension citus")
    with connection.cursor() as cursor:
        cursor.execute("select citus_set_coordinator_host(%s, %s)", coordinator)
        for worker in workers:
            cursor.execute("select citus_add_node(%s, %s)", worker)
    assert cluster_distribute.distribution_obstacles() == []
    cluster_distribute.run_steps(cluster_distribute.distribution_steps(parts), lambda said: None)
    connection.close()  # the next one has the database's settings


def nodes() -> list[tuple[str, int]]:
    """Host and port of the coordinator, then of each worker."""
    known = _known()
    coordinator = (known["HOST"], int(known["PORT"] or 5432))
    with connect(coordinator, known["NAME"]) as server:
        rows = server.execute("select nodename, nodeport from pg_dist_node where groupid > 0 order by nodeid")
        return [coordinator, *rows.fetchall()]


@contextmanager
def connect(node: tuple[str, int], name: str) -> Iterator["psycopg.Connection[Any]"]:
    """A connection to one server's database, past the application."""
    known = _known()
    with psycopg.connect(
        host=node[0], port=node[1], user=known["USER"], password=known["PASSWORD"], dbname=name, autocommit=True
    ) as server:
        yield server


def _known() -> dict[str, Any]:
    return Env.db_url_config(os.environ["CITUS_DATABASE_URL"])
