"""The changes that a page makes by itself are announced in its one polite region; the changed part is no region.

A region that is replaced together with its text is announced by some screen readers only; a list that is one is read
out as a whole. The announcement is the value or the text of `data-announced` (static/js/parts/announcements.js).
"""

import re
from pathlib import Path

import pytest
from django.urls import reverse

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES, SCRIPTS = ROOT / "templates", ROOT / "config" / "static" / "js"
POLLS = re.compile(r'hx-trigger="(?:every|load delay)[^"]*"')
INCLUDED = re.compile(r'{% include "([^"]+)"')
SAID = "data-announced"
# scripts that send requests by themselves, with the part of the page that announces the answer: a region, or the listbox of
# the box with the focus
ASKING = {
    "parts/builder-form.js": 'id="said"',
    "parts/builder-panel.js": 'id="said"',
    "parts/kept-forms.js": 'role="status" data-thanks',
    "parts/people-picker.js": "listbox",
    "parts/value-tokens.js": "listbox",
    "parts/proposed-names.js": "placeholder",  # the content for an empty box; nothing else changes
}


def polling_templates():
    for path in sorted(TEMPLATES.rglob("*.html")):
        text = path.read_text()
        for tag in re.findall(r"<\w+\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>", text):
            if POLLS.search(tag):
                yield path.relative_to(TEMPLATES), tag, text


def included(text):
    """The templates that `text` includes, as one text."""
    return "".join((TEMPLATES / name).read_text() for name in INCLUDED.findall(text) if (TEMPLATES / name).exists())


def test_what_polls_says_what_changed():
    found, wrong = [], []
    for path, tag, text in polling_templates():
        found.append(str(path))
        if 'hx-swap="none"' in tag:
            continue  # the page is loaded again once there is something
        if SAID not in text + included(text):
            wrong.append(f"{path}: nothing has {SAID}")
        if re.search(r'role="status"|aria-live', tag):
            wrong.append(f"{path}: what is replaced is a region itself")
    assert len(found) > 8, "else the pattern finds them no more"
    assert not wrong, "\n".join(wrong)


def test_each_script_that_asks_the_server_has_its_place_to_say_so():
    asking = {
        str(path.relative_to(SCRIPTS))
        for path in SCRIPTS.rglob("*.js")
        if re.search(r"\bfetch\(|setInterval\(|new EventSource\(|fetchFragment\(", path.read_text())
    } - {"pages/builder.js"}  # by builder-panel.js
    assert asking == set(ASKING)
    texts = "".join(path.read_text() for path in [*TEMPLATES.rglob("*.html"), *SCRIPTS.rglob("*.js")])
    assert [place for place in ASKING.values() if place not in texts] == []


@pytest.mark.django_db
def test_every_page_has_the_region_once(admin_client):
    page = admin_client.get(reverse("admin:people_person_changelist")).text
    assert page.count('role="status" aria-live="polite" id="announced"') == 1
