"""Forms, and people who fill them in."""

from typing import Any

from activities.forms import editing
from activities.forms.fields import form_inputs
from activities.forms.reading import CONSENT, read_form
from activities.forms.submitting import Outcome, Sender, Way, submit_form
from activities.models import Activity, Form
from activities.tracking.agents import parse_agent

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
FIELDS = [{"field": "email"}, {"field": "first_name", "label": "Given name", "is_required": True}, {"field": "company"}]
TERMS = {"purpose": "email", "text": "Write to me about cars.", "version": "1"}


def make_form(name: str = "Brochure", **values: Any) -> Form:
    return editing.create_form(name, None, **{"fields": FIELDS, "consent": TERMS, **values})


def fill_in(form: Form, email: str = "ada@example.com", *, version: str = "", **more: Any) -> Outcome:
    """Submit a form in a browser; `sender` and `message_id` as `submit_form` takes them."""
    sender = more.pop("sender", None) or Sender(Way.PAGE, parse_agent(AGENT))
    message_id, at = more.pop("message_id", ""), more.pop("at", None)
    raw = {"email": email, "first_name": "Ada", CONSENT: version, **more}
    return submit_form(form, read_form(form, form_inputs(form), raw), sender, message_id, at)


def log_of(person_id: int | None) -> list[tuple[int, str | None]]:
    """The types and primary values of what a person did on forms, in order."""
    rows = Activity.objects.filter(person_id=person_id, activity_type_id__in=[2, 90_001, 90_003, 90_004])
    return list(rows.order_by("pk").values_list("activity_type_id", "primary_value"))
