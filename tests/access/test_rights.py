"""Permissions are spelled once: in the `rights` module of their app."""

import ast
import importlib
import re
from collections import Counter
from pathlib import Path

from django.apps import apps
from django.contrib.auth.management import _get_all_permissions

ROOT = Path(__file__).resolve().parents[2]
APPS = ("people", "activities", "smartlists", "config")
MODULES = ("people.rights", "activities.rights", "smartlists.rights", "config.access.rights")
BUILT = re.compile(r"f['\"](people|activities|smartlists|access)\.({[^}]*}_|(add|change|delete|view)_{)")
JOBS = {"task", "defer_job", "defer_job_once"}  # calls that name a job, which may be called like a permission


def permissions():
    models = apps.get_models()
    return {f"{model._meta.app_label}.{name}" for model in models for name, _label in _get_all_permissions(model._meta)}


def spelled_in(source, known):
    """Line and text of every string that is a permission, but for names of jobs; and parts of f-strings like one."""
    tree = ast.parse(source)
    jobs = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name in JOBS:
            jobs.update([*call.args, *(keyword.value for keyword in call.keywords)])
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in known and node not in jobs:
            yield node.lineno, node.value
        if isinstance(node, ast.JoinedStr) and BUILT.match(ast.unparse(node)):
            yield node.lineno, ast.unparse(node)


def test_no_permission_is_spelled_outside_of_the_modules_of_rights():
    known = permissions()
    spelled = [
        f"{path.relative_to(ROOT)}:{line} {text}"
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        if "migrations" not in path.parts and path.name != "rights.py"
        for line, text in spelled_in(path.read_text(), known)
    ]
    assert spelled == []


def test_each_right_is_a_permission_called_like_its_constant_and_spelled_once():
    known, times = permissions(), Counter()
    for name in MODULES:
        module = importlib.import_module(name)
        source = Path(module.__file__).read_text()
        times.update(text for _line, text in spelled_in(source, known))
        rights = {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)}
        assert {right: value.split(".")[1].upper() for right, value in rights.items()} == {
            right: right for right in rights
        }
        assert set(rights.values()) <= known
    assert set(times.values()) == {1}


def test_a_spelled_permission_is_noticed_and_a_job_is_not():
    known = {"people.take_back_import"}
    source = (
        'jobs.defer_job("people.take_back_import")\nrequire("people.take_back_import")\nr = f"people.{verb}_person"'
    )
    assert {line for line, _text in spelled_in(source, known)} == {2, 3}
