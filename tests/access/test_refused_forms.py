"""Every form of the admin sent empty and with nonsense: nothing breaks, nothing typed is lost, each fault has its place.

A new form is tried by itself where a page of `routes.txt` shows it; `forms.txt` names those that are tried, so that one
that no page shows any more is noticed.
"""

import logging
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client
from django.urls import resolve

from tests.access.form_walker import forms_of, read_page
from tests.access.route_walker import address, build_world
from tests.access.test_routes import table

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NONSENSE = "¿qué? <b>ñ</b> 🎉"
OURS = ("admin/", "account/", "setup/", "join/")
# the framework's own pages, for operators; the session's end
LEFT_OUT = re.compile(r"^admin/(procrastinate|auth/group)/|logout")
# Django's messages that the product replaces (config/form_words.py), in both languages
FRAMEWORK = re.compile(
    r"field is required|valid choice|Enter a valid|Ensure this|Please|"
    r"campo es obligatorio|opción válida|Introduzca|Introduce un[ao]? .* válid|Asegúr"
)
ENGLISH = re.compile(
    r"\b(the|and|with|your|this|that|from|was|were|has|have|not|of|for|is|are|expected)\b", re.IGNORECASE
)
# forms of one line beside the subject of a page: a message shows the problem and the value
BY_MESSAGE = {"activities_visitor_do", "smartlists_smartlist_snapshot"}
# queries that change nothing; a place among rows, which are numbered anew
ASIDE = re.compile(r"tested|order-\d+")


class Walk:
    """A superuser's browser that looks for forms on every page; whatever it changes is undone."""

    def __init__(self):
        user = get_user_model().objects.create_superuser("olga", "olga@example.com", "x")
        self.client = Client(raise_request_exception=False)
        self.client.force_login(user)
        self.session = self.client.cookies["sessionid"].value
        self.world = build_world(user)
        self.tried = set()  # names of the addresses that forms send to

    def ask(self, path, data=None, language="en"):
        """Return the reply, and the texts of bad messages on the page it leads to."""
        self.client.cookies["sessionid"] = self.session
        headers = {"Accept-Language": language}
        with transaction.atomic():
            reply = self.client.get(path) if data is None else self.client.post(path, data, headers=headers)
            if reply.streaming:
                list(reply.streaming_content)
            said = []
            if data is not None and reply.status_code in {302, 303}:
                after = self.client.get(urljoin(path, reply["Location"]), headers=headers)
                said = [] if after.streaming else _texts(read_page(after.text), "ca-message--bad")
            transaction.set_rollback(True)
        return reply, said

    def forms(self):
        """Yield the address of each page and its forms with inputs, each form once."""
        seen = set()
        for route, methods in table().items():
            if not route.startswith(OURS) or LEFT_OUT.search(route) or "GET" not in methods:
                continue
            path = address(route, self.world)
            reply, _said = self.ask(path)
            if reply.status_code != 200 or reply.streaming:
                continue
            for form in forms_of(read_page(reply.text), path):
                target = urljoin(path, form.action)
                known = (_name(target), tuple(control.name for control in form.controls if control.kind != "hidden"))
                if form.asks and known not in seen:
                    seen.add(known)
                    self.tried.add(_name(target))
                    yield path, target, form


def _name(target):
    return resolve(urlsplit(target).path).url_name


def _texts(page, style):
    return [" ".join(found.text.split()) for found in page.of_class(style) if "hidden" not in found.attributes]


def _faults(page, form, reply, typed, language):
    """The faults of a page that answers a form."""
    if reply.status_code >= 400 and reply.status_code != 422:
        return [f"{reply.status_code}"]
    found = []
    for error in page.of_class("ca-error"):
        around = [*error.above()]
        in_form = next(
            (part for part in around if part.name == "form" and part.attributes.get("method") == "post"), None
        )
        if in_form is None or "hidden" in error.attributes or error.parent is in_form:
            continue
        parts = around[: around.index(in_form)]
        if not any(part.all("input", "select", "textarea") for part in parts):
            found.append(f"stands beside no field: {error.text.strip()}")
    said = [*_texts(page, "ca-error"), *_texts(page, "ca-callout--bad")]
    found += [f"the framework's words: {text}" for text in said if FRAMEWORK.search(text)]
    if language == "es":
        found += [f"English: {text}" for text in said if len(ENGLISH.findall(text.replace(typed, ""))) >= 2]
    if typed and _texts(page, "ca-error"):
        kept = {(control.name, control.value.strip()) for again in forms_of(page, "") for control in again.controls}
        names = [control.name for control in form.controls if control.is_kept and not ASIDE.fullmatch(control.name)]
        found += [f"lost what was typed in {name}" for name in names if not _is_kept(name, typed, kept)]
    return found


def _is_kept(name, typed, kept):
    return any(known == name and typed in value for known, value in kept) or not any(
        known == name for known, _v in kept
    )


def test_every_refused_form_keeps_what_was_typed_and_says_what_is_wrong_where(settings, tmp_path):
    settings.FILES_DIR = tmp_path
    walk, wrong = Walk(), []
    logging.disable(logging.CRITICAL)
    for path, target, form in walk.forms():
        for language, typed, chosen in (("en", "", ""), ("es", NONSENSE, "nonsense")):
            reply, said = walk.ask(target, form.sent(typed, chosen), language)
            faults = [] if reply.streaming else _faults(read_page(reply.text), form, reply, typed, language)
            typing = any(control.is_kept for control in form.controls)
            if said and typed and typing and _name(target) not in BY_MESSAGE:
                faults.append(f"what was typed is lost, a message says: {said}")
            wrong += [f"{path} → {target} ({_name(target)}): {fault}" for fault in faults]
    logging.disable(logging.NOTSET)
    assert not wrong, "\n".join(wrong)
    listed = Path(__file__).with_name("forms.txt").read_text().splitlines()
    assert sorted(walk.tried ^ {line for line in listed if line and not line.startswith("#")}) == []
