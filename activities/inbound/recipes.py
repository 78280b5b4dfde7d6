"""Products whose webhooks are known: how they sign, where their ids are, and which values name the person.

A recipe makes the settings of a new webhook and the first mappings, without an activity type, which a person chooses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _

from activities.models import InboundWebhook

Signature = InboundWebhook.Signature
OTHER = "other"


@dataclass(frozen=True, slots=True)
class ReadyMapping:
    """A mapping of one kind of call. `primary`, `attributes`: places by words that fields of types are called by."""

    name: Any
    words: Sequence[str]
    person: Sequence[Any]
    occurred_at: Sequence[Any] | None
    primary: Sequence[Any]
    attributes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    hundredths: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Recipe:
    """The format of a product's webhooks. `secret`: the product's name for the secret that signs."""

    label: Any
    signature: InboundWebhook.Signature
    secret: Any = ""
    id_path: Sequence[Any] = ()
    word_path: Sequence[Any] = ()  # of the value that names the kind of a call
    mappings: Sequence[ReadyMapping] = ()


_WEBINAR = ("payload", "object")
_PARTICIPANT = (*_WEBINAR, "participant")
_REGISTRANT = (*_WEBINAR, "registrant")
_STRIPE = ("data", "object")

RECIPES: Mapping[str, Recipe] = {
    "zoom": Recipe(
        label=_("Zoom webinars"),
        signature=Signature.ZOOM,
        secret=_("Secret Token of the Zoom app"),
        word_path=("event",),
        mappings=(
            ReadyMapping(
                _("Joined a webinar"),
                ("webinar.participant_joined",),
                (*_PARTICIPANT, "email"),
                (*_PARTICIPANT, "join_time"),
                (*_WEBINAR, "topic"),
                {"webinar id": (*_WEBINAR, "id"), "name": (*_PARTICIPANT, "user_name")},
            ),
            ReadyMapping(
                _("Left a webinar"),
                ("webinar.participant_left",),
                (*_PARTICIPANT, "email"),
                (*_PARTICIPANT, "leave_time"),
                (*_WEBINAR, "topic"),
                {"webinar id": (*_WEBINAR, "id"), "reason": (*_PARTICIPANT, "leave_reason")},
            ),
            ReadyMapping(
                _("Registered for a webinar"),
                ("webinar.registration_created",),
                (*_REGISTRANT, "email"),
                ("event_ts",),
                (*_WEBINAR, "topic"),
                {"webinar id": (*_WEBINAR, "id"), "start time": (*_WEBINAR, "start_time")},
            ),
        ),
    ),
    "stripe": Recipe(
        label=_("Stripe"),
        signature=Signature.STRIPE,
        secret=_("Signing secret of the Stripe endpoint"),
        id_path=("id",),
        word_path=("type",),
        mappings=(
            ReadyMapping(
                _("Paid at a checkout"),
                ("checkout.session.completed",),
                (*_STRIPE, "customer_details", "email"),
                ("created",),
                (*_STRIPE, "id"),
                {"amount": (*_STRIPE, "amount_total"), "currency": (*_STRIPE, "currency")},
                frozenset({"amount"}),
            ),
            ReadyMapping(
                _("Paid an invoice"),
                ("invoice.paid",),
                (*_STRIPE, "customer_email"),
                ("created",),
                (*_STRIPE, "number"),
                {"amount": (*_STRIPE, "amount_paid"), "currency": (*_STRIPE, "currency")},
                frozenset({"amount"}),
            ),
        ),
    ),
    OTHER: Recipe(label=_("Another product"), signature=Signature.NONE),
}


def ready_definition(recipe: Recipe, ready: ReadyMapping) -> dict[str, Any]:
    """The definition of a ready mapping before a type is chosen: without attributes, whose fields the type has."""
    return {
        "when": {"path": list(recipe.word_path), "values": list(ready.words)},
        "person": {"field": "email", "create": False, "path": list(ready.person)},
        "occurred_at": {"path": list(ready.occurred_at)} if ready.occurred_at else None,
        "primary": {"path": list(ready.primary)},
        "attributes": {},
    }
