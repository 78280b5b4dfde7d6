"""Templates of campaigns: a trigger and steps to begin with, made of the installation's own types and lists.

Objects that only a user can choose (a webhook, a static list) stay empty in their cards, and prevent an activation.
"""

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.catalog import Catalogue
from smartlists.lists.template_slots import LIST, TYPE, Json, Slot, Template, activity_filter, activity_of, occurred_at
from smartlists.lists.templates import NO_TYPE
from smartlists.rules import model as rules

_WEBHOOK: Json = {"do": "webhook"}
_STATIC_LIST: Json = {"do": "add_to_list"}


def _definition(trigger: Json, qualification: Json, *steps: Json) -> Json:
    return {
        "version": campaign_definition.VERSION,
        "triggers": [trigger],
        "audience": None,
        "qualification": qualification,
        "late_after_hours": campaign_definition.LATE_AFTER_HOURS,
        "steps": list(steps),
    }


_ONCE: Json = {"how": campaign_definition.ONCE}
_EVERY_TIME: Json = {"how": campaign_definition.EVERY}


def _once_in(number: int, unit: str) -> Json:
    return {"how": campaign_definition.WITHIN, "number": number, "unit": unit}


def _alert(to: str, subject: str, body: str = "") -> Json:
    return {"do": "alert", "to": [to] if to else [], "subject": subject, "body": body}


def _wait(period: str) -> Json:
    return {"do": "wait", "period": period}


def _unless(names: Catalogue, type_name: str, period: str, *steps: Json) -> Json:
    """A fork: nothing for who did it in the past `period`, `steps` for the others."""
    done = activity_filter(names, type_name, occurred_at("in past", period))
    when = {"rules": {"version": rules.VERSION, "match": rules.ALL, "filters": [done]}}
    return {"do": "choose", "choices": [{"when": when, "steps": []}], "otherwise": list(steps)}


def _joins(smart_list: str) -> Json:
    return {"smart_list": int(smart_list), "change": campaign_definition.JOINED}


def _welcome(names: Catalogue, to: str, type: str) -> Json:
    subject = _("See how {{person.first_name:default=our new contact}} is getting on")
    return _definition(activity_of(names, type), _ONCE, _WEBHOOK, _wait("3 days"), _alert(to, subject))


def _follow_up(names: Catalogue, to: str, type: str, other: str) -> Json:
    alert = _alert(to, _("Follow up with {{person.first_name}} {{person.last_name}}"))
    return _definition(
        activity_of(names, type), _once_in(7, "days"), _wait("2 days"), _unless(names, other, "2 days", alert)
    )


def _hot_lead(_names: Catalogue, to: str, list: str) -> Json:
    alert = _alert(
        to,
        _("{{person.first_name}} {{person.last_name}} is showing interest"),
        _("Email: {{person.email}}\nPhone: {{person.phone:default=none}}"),
    )
    return _definition(_joins(list), _once_in(7, "days"), alert)


def _re_engage(names: Catalogue, to: str, list: str, type: str) -> Json:
    return _definition(
        _joins(list), _once_in(3, "months"), _WEBHOOK, _wait("2 weeks"), _unless(names, type, "14 days", _STATIC_LIST)
    )


def _renewal(_names: Catalogue, to: str, list: str) -> Json:
    alert = _alert(to, _("A date of {{person.first_name}} {{person.last_name}} is coming up"))
    return _definition(_joins(list), _once_in(11, "months"), alert, _WEBHOOK)


def _score(names: Catalogue, to: str, type: str) -> Json:
    return _definition(
        activity_of(names, type), _EVERY_TIME, {"do": "change_field", "field": "person_score", "by": "5"}
    )


_NO_LIST = gettext_lazy("There is no smart list yet. Make one from a template first.")


def _type(label: object, *words: str, name: str = "type") -> Slot:
    return Slot(name, TYPE, label, NO_TYPE, words, is_any=True)


def _list(label: object, *words: str) -> Slot:
    return Slot("list", LIST, label, _NO_LIST, words)


_JOINED = gettext_lazy("When someone joins")
TEMPLATES: Mapping[str, Template] = {
    template.key: template
    for template in (
        Template(
            "welcome",
            gettext_lazy("Welcome newcomers"),
            gettext_lazy(
                "At someone's first activity your email program writes to them. Three days later you get a reminder."
            ),
            "waving_hand",
            (
                _type(
                    gettext_lazy("The first activity"), "signup", "register", "trial", "fillout", "purchase", "compra"
                ),
            ),
            _welcome,
        ),
        Template(
            "follow_up",
            gettext_lazy("Follow up after a webinar"),
            gettext_lazy("Waits two days, then alerts you about everyone who hasn't taken the next step by then."),
            "forward_to_inbox",
            (
                _type(gettext_lazy("After"), "webinar", "event", "attend", "asist", "course", "curso"),
                _type(
                    gettext_lazy("The next step"), "purchase", "buy", "book", "call", "compra", "reserva", name="other"
                ),
            ),
            _follow_up,
        ),
        Template(
            "hot_lead",
            gettext_lazy("Alert for a hot lead"),
            gettext_lazy("Emails you as soon as someone joins a list of interested people, at most once a week each."),
            "local_fire_department",
            (_list(_JOINED, "hot", "caliente", "interes"),),
            _hot_lead,
        ),
        Template(
            "re_engage",
            gettext_lazy("Win people back"),
            gettext_lazy(
                "Your email program writes to those who have gone quiet. "
                "Anyone who isn't back after two weeks goes on a list."
            ),
            "bedtime",
            (
                _list(_JOINED, "quiet", "inactiv", "lost", "silenc"),
                _type(gettext_lazy("They are back when they"), "webinar", "purchase", "buy", "book", "compra"),
            ),
            _re_engage,
        ),
        Template(
            "renewal",
            gettext_lazy("Renewal reminder"),
            gettext_lazy("Tells you and another program when someone's date is coming up, once a year each."),
            "event_upcoming",
            (_list(_JOINED, "date", "renew", "coming", "expir", "fecha", "renov", "venc"),),
            _renewal,
        ),
        Template(
            "score",
            gettext_lazy("Score what counts"),
            gettext_lazy("Adds 5 to a person's score each time. For lists and alerts that go by score."),
            "stars",
            (_type(gettext_lazy("Each time they"), "webinar", "demo", "price", "visit"),),
            _score,
        ),
    )
}
