"""Modules, folders and functions stay small enough to be read in one sitting."""

import ast
from collections import Counter

from django.conf import settings

APPS = ("people", "activities", "smartlists", "config")
MOST_LINES = 400
MOST_MODULES = 20  # of a folder, besides its __init__
MOST_LINES_OF_A_FUNCTION = 40
EXCEPT = {"migrations", "commands"}  # folders that Django reads: a module a migration, a module a command


def modules():
    for app in APPS:
        for module in (settings.BASE_DIR / app).rglob("*.py"):
            if not EXCEPT & set(module.parts):
                yield module.relative_to(settings.BASE_DIR)


def test_no_module_is_too_long():
    lines = {str(module): len((settings.BASE_DIR / module).read_text().splitlines()) for module in modules()}
    assert len(lines) > 300
    assert {name: length for name, length in lines.items() if length > MOST_LINES} == {}


def test_no_function_is_too_long():
    functions = {}
    for app in APPS:
        for module in (settings.BASE_DIR / app).rglob("*.py"):
            if "migrations" not in module.parts:
                for node in ast.walk(ast.parse(module.read_text())):
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                        name = f"{module.relative_to(settings.BASE_DIR)}:{node.lineno} {node.name}"
                        functions[name] = (node.end_lineno or node.lineno) - node.lineno + 1
    assert len(functions) > 3_000
    assert {name: length for name, length in functions.items() if length > MOST_LINES_OF_A_FUNCTION} == {}


def test_no_folder_has_too_many_modules():
    folders = Counter(str(module.parent) for module in modules() if module.name != "__init__.py")
    assert len(folders) > 30
    assert {name: count for name, count in folders.items() if count > MOST_MODULES} == {}


def test_no_import_inside_a_function_hides_a_circle():
    """Except where Django or gunicorn defines when to import, and for libraries that few processes need."""
    inside = []
    for module in modules():
        if module.name in ("apps.py", "gunicorn.py"):
            continue
        for function in ast.walk(ast.parse((settings.BASE_DIR / module).read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        names = (
                            [node.module or ""] if isinstance(node, ast.ImportFrom) else [n.name for n in node.names]
                        )
                        inside += [f"{module}:{node.lineno}" for name in names if name.partition(".")[0] in APPS]
    assert inside == []
