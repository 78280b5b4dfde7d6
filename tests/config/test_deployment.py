"""Settings that production needs are required; docs and deploy files agree with them."""

import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from activities.inbound.reading import MAX_BODY
from config import collector
from config.collector.http import Limits

ROOT = Path(settings.BASE_DIR)
COMPLETE = {
    "PRODUCTION": "1",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "SECRET_KEY": "s" * 60,
    "HTTPS": "1",
    "ALLOWED_HOSTS": "ca.example.com",
    "SITE_URL": "https://ca.example.com",
}


def started(**environment):
    """The result of a command that needs no database, under these settings alone."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_RUNTIME_DIR") if name in os.environ}
    kept["DATA_DIR"] = str(settings.DATA_DIR)
    return subprocess.run(
        [sys.executable, "manage.py", "diffsettings"],
        cwd=ROOT,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_production_starts_with_all_it_needs_and_says_everything_that_is_missing():
    assert started(**COMPLETE).returncode == 0
    refused = started(PRODUCTION="1", SECRET_KEY="short")
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    for name in ("DATABASE_URL", "ALLOWED_HOSTS", "SITE_URL", "HTTPS=1", "SECRET_KEY is shorter", "docs/install.md"):
        assert name in refused.stderr


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"BIND": "0.0.0.0"}, "ALLOWED_HOSTS is not set"),
        ({"BIND": "0.0.0.0", "ALLOWED_HOSTS": "ca.example.com", "DEBUG": "1"}, "DEBUG shows secrets"),
        ({"DATABASE_URL": "sqlite:///x"}, "postgresql://"),
        ({"CSP_REPORT_URI": "https://example.com/; script-src *"}, "CSP_REPORT_URI is no address"),
    ],
)
def test_what_would_be_unsafe_or_useless_is_refused(environment, said):
    refused = started(**environment)
    assert refused.returncode == 1 and said in refused.stderr


@pytest.mark.slow
def test_cookies_are_of_this_host_alone_once_there_is_tls():
    said = started(**COMPLETE).stdout
    assert "SESSION_COOKIE_NAME = '__Host-sessionid'" in said and "CSRF_COOKIE_NAME = '__Host-csrftoken'" in said
    assert "SESSION_COOKIE_SECURE = True" in said and "SESSION_COOKIE_DOMAIN" not in said
    assert "SESSION_COOKIE_NAME" not in started().stdout


def settings_that_are_read():
    apps = ("people", "activities", "smartlists", "config")
    code = "".join(file.read_text() for app in apps for file in sorted((ROOT / app).rglob("*.py")))
    return set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', code)) | set(re.findall(r'environ\.get\("([A-Z_]+)"', code))


def test_every_setting_is_documented():
    table = (ROOT / "docs/settings.md").read_text()
    assert {name for name in settings_that_are_read() - {"PATH"} if f"`{name}`" not in table} == set()


def test_deploy_files_set_what_the_product_reads():
    given = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / "deploy/custom-activities.env").read_text(), re.MULTILINE))
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    given |= set(compose["services"]["web"]["environment"])
    assert given <= settings_that_are_read() | {"WEB_WORKERS", "DATABASE_URL", "EMAIL_URL"}
    assert {"PRODUCTION", "SECRET_KEY", "SITE_URL", "HTTPS"} <= given | {"PRODUCTION"}


def test_a_setting_that_compose_leaves_empty_is_off_by_default():
    environment = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["web"]["environment"]
    code = (ROOT / "config/settings.py").read_text()
    empty = {name for name, value in environment.items() if value == f"${{{name}:-}}"}
    on = set(re.findall(r'env\.bool\("([A-Z_]+)", True\)', code))
    assert empty and on and not empty & on, "an empty value stands for False"


def test_commands_that_docs_and_deploy_files_name_are_there():
    files = [
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("deploy/systemd/*"),
        ROOT / "compose.yaml",
        ROOT / "Dockerfile",
        ROOT / "Procfile",
        ROOT / "README.md",
    ]
    named = {name for file in files for name in re.findall(r'manage\.py"?,? "?([a-z_]+)', file.read_text())}
    named |= set(re.findall(r"^manage ([a-z_]+)", (ROOT / "docs/install.md").read_text(), re.MULTILINE))
    assert named and named <= set(get_commands()), named - set(get_commands())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_units():
    said = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted((ROOT / "deploy/systemd").iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    faults = [line for line in said.splitlines() if "custom-activities" in line and "is not executable" not in line]
    assert faults == [], "the programs are not where the units expect them, nothing else"


def nginx_locations():
    """The expression, the text and the bound in bytes (None: unlimited) of each location, in the file's order."""
    text = re.sub(r"#.*", "", (ROOT / "deploy/nginx.conf").read_text())
    inherited = text[: text.index("location ")]
    for name, body in re.findall(r"location (?:~ )?(\S+) \{([^}]*)\}", text):
        number, unit = re.findall(r"client_max_body_size\s+(\d+)([km]?);", inherited + body)[-1]
        yield name, body, int(number) * {"": 1, "k": 2**10, "m": 2**20}[unit] or None


def location_of(path):
    """nginx takes the first expression that fits, else the prefix."""
    locations = list(nginx_locations())
    fitting = [entry for entry in locations if entry[0].startswith("^") and re.search(entry[0], path)]
    return (fitting or [entry for entry in locations if entry[0] == "/"])[0]


def collector_limits():
    """Every bound of a body that a module of the collector names, and the one of all others."""
    modules = [import_module(f"config.collector.{found.name}") for found in iter_modules(collector.__path__)]
    named = [value for module in modules for value in vars(module).values() if isinstance(value, Limits)]
    return {limits.size for limits in [*named, Limits()]}


# SDKs are given a host alone
OF_PROGRAMS = ("/v1/batch", "/v1/cloudevents", "/beacon/v1/batch", "/v1/projects/cak_1/settings", "/sourceConfig")


@pytest.mark.parametrize(
    "path", ["/_a/e", "/_a/w/caw_1", "/_a/v1/batch", "/_a/cloudevents", "/webevents/visitWebPage", *OF_PROGRAMS]
)
def test_the_proxy_lets_through_what_the_collector_takes_and_no_more(path):
    _name, body, bound = location_of(path)
    assert ":8001" in body and bound == max(collector_limits()) > MAX_BODY - 1


def test_the_proxy_leaves_the_bounds_of_all_other_bodies_to_the_product():
    for path in ("/api/v1/people", "/api/v1/imports", "/bulk/v1/leads.json", "/f/welcome", "/admin/"):
        _name, body, bound = location_of(path)
        assert ":8000" in body and bound is None


def test_every_location_hands_on_whose_request_it_is():
    """nginx inherits `proxy_set_header` only where a location has none of its own."""
    text = re.sub(r"#.*", "", (ROOT / "deploy/nginx.conf").read_text())
    for server in re.split(r"^server \{", text, flags=re.M)[1:]:
        inherited = set(re.findall(r"proxy_set_header (\S+)", server[: server.index("location ")]))
        for name, body in re.findall(r"location (?:~ )?(\S+) \{([^}]*)\}", server):
            headers = set(re.findall(r"proxy_set_header (\S+)", body)) or inherited
            assert headers >= {"Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-ID", "Connection"}, name
