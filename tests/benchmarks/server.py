"""The embedded server that measurements have for themselves."""

import json
import os
import shutil
from pathlib import Path


def new_server(data_dir: Path, cluster: str = "") -> None:
    """A fresh server, as production would run it: it waits for the disk; or a database of a cluster."""
    if (data_dir / "postgres.json").exists():
        shutil.rmtree(json.loads((data_dir / "postgres.json").read_text())["data"], ignore_errors=True)
    shutil.rmtree(data_dir, ignore_errors=True)
    for name in ("DATABASE_URL", "EMBEDDED_POSTGRES_FOR_TESTS", "EMBEDDED_POSTGRES_ATTACH", "TEST_DATABASE_NAME"):
        os.environ.pop(name, None)
    os.environ |= {"DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "config.settings"}

    if cluster:
        os.environ["DATABASE_URL"] = cluster.rpartition("/")[0] + "/custom_activities_bench"
    import django

    django.setup()
    if cluster:
        _make_cluster_database()
        return
    from django.core.management import call_command
    from django.db import connection

    connection.ensure_connection()  # starts the server
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


def _make_cluster_database() -> None:
    from django.core.management import call_command
    from django.db import connection

    from tests import citus_cluster

    name = connection.settings_dict["NAME"]
    citus_cluster.make_database(name)
    call_command("migrate", verbosity=0)
    citus_cluster.distribute(name, parts=8)
    call_command("collectstatic", interactive=False, verbosity=0)
