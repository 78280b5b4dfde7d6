"""The page of a web site's own forms that its script reads: which ones, and which of their fields."""

from collections.abc import Mapping
from typing import Any

from activities.admin.web_forms.settings_form import field_choices
from activities.forms.fields import MAX_FIELDS
from activities.forms.site_forms import MAX_FORMS
from activities.models import EventSource
from people.core.admin.base import parse_number

BLANK_ROWS = 3


def stored_blocks(website: EventSource) -> list[dict[str, Any]]:
    """The forms as the page shows them: name, and rows of (field in the HTML, person field); a blank form last."""
    blocks = [{"name": form.name, "rows": list(form.fields.items())} for form in website.site_forms.all()]
    return with_blanks(blocks)


def with_blanks(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The forms with blank rows at their ends, and a blank form."""
    start = [("email", "email")]
    every = [*blocks, {"name": "", "rows": start}]
    return [{**block, "rows": [*block["rows"], *([("", "")] * BLANK_ROWS)]} for block in every]


def sent_blocks(post: Mapping[str, str]) -> list[dict[str, Any]]:
    """The forms that the page sent, without those that have no name."""
    blocks = []
    for number in range(min(parse_number(post.get("forms")), MAX_FORMS + 1)):
        name = post.get(f"name-{number}", "").strip()
        rows = [
            (post.get(f"html-{number}-{row}", "").strip(), post.get(f"field-{number}-{row}", ""))
            for row in range(min(parse_number(post.get(f"rows-{number}")), MAX_FIELDS + BLANK_ROWS))
        ]
        if name:
            blocks.append({"name": name, "rows": [row for row in rows if row[0] and row[1]]})
    return blocks


def form_specs(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The forms as the verb takes them."""
    return [{"name": block["name"], "fields": dict(block["rows"])} for block in blocks]


def page_context(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """The context of the template."""
    return {"blocks": blocks, "choices": field_choices()}
