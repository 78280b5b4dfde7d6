"""Templates of smart lists: rules to begin with, made of the installation's own activity types and fields."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from smartlists.catalog import Catalogue
from smartlists.lists.template_slots import (
    DAY,
    NUMBER,
    TYPE,
    Json,
    Slot,
    Template,
    activity_filter,
    activity_of,
    occurred_at,
)
from smartlists.rules import model as rules

QUIET, RECENT = "90 days", "30 days"
NO_TYPE = _("There is no approved activity type yet.")
_ATTENDING = ("webinar", "event", "attend", "course", "asist", "curso", "workshop")
_BUYING = ("purchase", "buy", "order", "deposit", "compra", "pedido", "book", "reserva")
_INTEREST = ("visitwebpage", "price", "demo", "clicklink")
_TRYING = ("trial", "prueba", "start", "test drive", "cart", "carrito", "demo", "book", "reserva")


def _rules(*filters: Json) -> Json:
    return {"version": rules.VERSION, "match": rules.ALL, "filters": list(filters)}


def _recent(names: Catalogue, type: str) -> Json:
    return _rules(activity_filter(names, type, occurred_at("in past", RECENT)))


def _quiet(names: Catalogue, type: str) -> Json:
    return _rules(
        activity_filter(names, type, occurred_at("in past before", QUIET)),
        activity_filter(names, type, occurred_at("in past", QUIET), did=False),
    )


def _hot(names: Catalogue, type: str) -> Json:
    return _rules(
        activity_filter(names, type, occurred_at("in past", "7 days"), count={"operator": "at least", "values": ["3"]})
    )


def _not_bought(names: Catalogue, type: str) -> Json:
    subscribed = {"kind": "person_field", "field": "unsubscribed", "operator": "is", "values": ["false"]}
    return _rules({**subscribed, "empty": "include"}, activity_filter(names, type, did=False))


def _first_time(names: Catalogue, type: str) -> Json:
    return _rules(
        activity_filter(names, type, occurred_at("in past", RECENT)),
        activity_filter(names, type, occurred_at("in past before", RECENT), did=False),
    )


def _unfinished(names: Catalogue, type: str, other: str) -> Json:
    steps = [activity_of(names, type), {**activity_of(names, other), "not": True, "within_days": 7}]
    return _rules({"kind": "sequence", "steps": steps})


def _spenders(names: Catalogue, number: str) -> Json:
    type_name, _dot, field = number.partition(".")
    total = {"function": "sum", "field": field, "operator": "at least", "values": ["1000"]}
    return _rules(activity_filter(names, type_name, aggregate=total))


def _coming_up(_names: Catalogue, day: str) -> Json:
    return _rules({"kind": "person_field", "field": day, "operator": "in future", "values": [RECENT]})


def _type(label: object, words: tuple[str, ...], name: str = "type") -> Slot:
    return Slot(name, TYPE, label, NO_TYPE, words, is_any=True)


TEMPLATES: Mapping[str, Template] = {
    template.key: template
    for template in (
        Template(
            "recent",
            _("Recent attendees"),
            _("People who took part in the past 30 days. For thank-yous, recordings and the next invitation."),
            "event_available",
            (_type(_("What they attended"), _ATTENDING),),
            _recent,
        ),
        Template(
            "hot",
            _("Hot this week"),
            _("People who did something three times or more in the past 7 days. For a call while interest is high."),
            "local_fire_department",
            (_type(_("What shows interest"), _INTEREST),),
            _hot,
        ),
        Template(
            "quiet",
            _("Gone quiet"),
            _("People who used to do something and haven't for 90 days. For a message that wins them back."),
            "bedtime",
            (_type(_("What they used to do"), _BUYING + _ATTENDING),),
            _quiet,
        ),
        Template(
            "not_bought",
            _("Subscribed, never bought"),
            _("People who get your emails and have never bought. For a first offer."),
            "mark_email_read",
            (_type(_("What counts as buying"), _BUYING),),
            _not_bought,
        ),
        Template(
            "first_time",
            _("First time this month"),
            _("People who did something for the first time in the past 30 days. For a welcome."),
            "waving_hand",
            (_type(_("What they did"), _BUYING),),
            _first_time,
        ),
        Template(
            "unfinished",
            _("Started, not finished"),
            _("People who started and didn't go on within 7 days. For a reminder or a helping hand."),
            "pending_actions",
            (_type(_("What they started"), _TRYING), _type(_("What should have followed"), _BUYING, "other")),
            _unfinished,
        ),
        Template(
            "spenders",
            _("Big spenders"),
            _("People whose total is 1,000 or more. For previews, thanks and a personal contact."),
            "diamond",
            (
                Slot(
                    "number",
                    NUMBER,
                    _("The amount to add up"),
                    _("No activity type has a field with a number yet."),
                    ("amount", "price", "total", "importe", "precio"),
                    is_any=True,
                ),
            ),
            _spenders,
        ),
        Template(
            "coming_up",
            _("Date coming up"),
            _("People whose date is in the next 30 days. For renewals, contracts and appointments."),
            "event_upcoming",
            (
                Slot(
                    "day",
                    DAY,
                    _("The date"),
                    _("There is no person field with a date yet."),
                    ("renew", "expir", "end", "contract", "next", "renov", "venc", "contrat"),
                    is_any=True,
                ),
            ),
            _coming_up,
        ),
    )
}
