"""Random messages of a program: mostly plain ones, with everything that SDKs and mistakes bring among them.

Each has an id: without one it is another message at each reading.
"""

from datetime import datetime, timedelta
from random import Random

LIBRARIES = ({"name": "analytics-python", "version": "2.4.0"}, {"name": "node"}, {"version": 5}, "node", {}, None)
NAMES = ("Order Completed", "order_completed", "orderCompleted", " Order  Completed", "Mapped Event")
ODD_NAMES = ("Ignored Event", "Blocked Event", "Nobody Knows", "Größe", "a\0b", "\ud800", "", "x" * 300, 5, None, ...)
USERS = ("u-1", "u-2", "u-3", 7, "ann@example.com", "bob@example.com")
ODD_USERS = (" u-1 ", "Ä", "null", "0", 0, -1, 2**70, True, 1.5, "", "x" * 300, "a b", "a\0", [], {}, None, ...)
ANONYMOUS, ODD_ANONYMOUS = (..., None, "", "a-1"), ("é", "x" * 300, 5, [], "null")
FIELDS = (
    "product",
    "orderId",
    "Order ID",
    "order_id",
    "revenue",
    "isGift",
    "Is Gift",
    "cartSize",
    "bought",
    "boughtOn",
)
TEXTS = ("Car", "Bus", "", " ", " Car ", "Größe", "a\nb", "e\u0301", "\0", "\ud800", "x" * 300, "x" * 3_000, "yes")
NUMBERS = (0, 1, 17, -3, 12.5, 1e300, 2**63, 10**30, 0.00001, 1e15, True, False)
VALUES = (*TEXTS, *NUMBERS, "12.5", "0017", "2026-11-20", "2026-11-20T10:00:00Z", "2026-11-20 10:00", None)
NESTED = ({"size": 3}, {"a": {"b": "c"}}, ["a", 1.5], [], {})
ODD_CONTEXTS = (
    *({}, [], 5, None, {"ip": "203.0.113.7"}, {"userAgent": "curl/8"}, {"traits": {"email": "eve@example.com"}}),
    *(
        {"consent": {"categoryPreferences": {"ads": False}}},
        {"signature": "00"},
        {"page": {"url": "https://x.example/"}},
    ),
)
INTEGRATIONS = ({}, {}, [], None, {"All": True}, {"All": False}, {"Custom Activities": False})
BACKFILL = {"Custom Activities": {"backfill": True}}
KINDS = ("identify", "page", "screen", "group", "alias", "TRACK", "", None, 5, ...)


def random_batch(random: Random, received: datetime, ids: list[str]) -> dict:
    """The body of a call that comes at `received`. `ids`: of messages of the batches before, to which its own are added."""
    batch: dict = {"batch": [random_message(random, received, ids) for _number in range(random.randint(1, 30))]}
    if random.random() < 0.8:
        sent = received - timedelta(seconds=random.choice((0, 0, 1, 59, 61, 600, 90_000, -600)))
        batch["sentAt"] = random.choice((sent.isoformat(), sent.isoformat(), "soon", None))
    if random.random() < 0.1:
        batch["context"] = random.choice((*ODD_CONTEXTS, {"library": random.choice(LIBRARIES)}))
    if random.random() < 0.1:
        batch["integrations"] = random.choice((*INTEGRATIONS, BACKFILL))
    return batch


def random_message(random: Random, received: datetime, ids: list[str]) -> object:
    if random.random() < 0.02:
        return random.choice((None, 5, "text", [], [{}]))
    message = {
        "type": "track" if random.random() < 0.85 else random.choice(KINDS),
        "messageId": _message_id(random, ids),
        "event": _mostly(random, NAMES, ODD_NAMES),
        "userId": _mostly(random, USERS, ODD_USERS),
        "anonymousId": _mostly(random, ANONYMOUS, ODD_ANONYMOUS),
        "timestamp": _timestamp(random, received),
        "properties": _properties(random),
        "context": _mostly(random, [{"library": library} for library in LIBRARIES], ODD_CONTEXTS),
    }
    message |= {name: value for name, value in _more(random, received).items() if random.random() < 0.05}
    return {name: value for name, value in message.items() if value is not ...}


def _more(random: Random, received: datetime) -> dict:
    deep: object = "end"
    for _level in range(random.choice((5, 29, 30, 31, 40))):
        deep = [deep]
    return {
        "integrations": random.choice((*INTEGRATIONS, BACKFILL)),
        "sentAt": random.choice((received.isoformat(), "", None, 5)),
        "originalTimestamp": _timestamp(random, received),
        "traits": {"email": random.choice(("eve@example.com", "nobody")), "plan": "gold"},
        "previousId": random.choice(USERS),
        "groupId": random.choice((*USERS, None)),
        "name": "Home",
        "_metadata": {"nodeVersion": "22", "deep": deep},
        "long": "x" * random.choice((10, 33_000)),
    }


def _mostly(random: Random, usual, odd):
    return random.choice(usual if random.random() < 0.95 else odd)


def _message_id(random: Random, ids: list[str]):
    if random.random() < 0.05:
        return random.choice((5, " m ", "é", "x" * 250))
    if ids and random.random() < 0.15:
        return random.choice(ids)
    ids.append(f"m-{len(ids)}")
    return ids[-1]


def _timestamp(random: Random, received: datetime):
    days = random.choice((0, 0, 0, 0, 0, 1, 30, 89, 90, 91, 92, 93, 94, 400, -1, -4, -5, -6, -7, -8))
    at = received - timedelta(days=days, seconds=random.choice((0, 1, 59, 600, 3_599, 3_601, 80_000)))
    text = at.isoformat()
    usual = (text, text.replace("+00:00", "Z"), at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    odd = (text.replace("T", " "), f"{text[:19]}+02:00", text[:10], at.timestamp(), int(at.timestamp()) * 1000, "", "x")
    return _mostly(random, usual, (*odd, None, [], ..., "1800-01-01T00:00:00Z"))


def _properties(random: Random):
    if random.random() < 0.05:
        return random.choice((None, [], 5, {}, ...))
    values: dict = {"product": random.choice(("Car", "Bus"))} if random.random() < 0.9 else {}
    for name in random.sample(FIELDS, random.randint(0, 4)):
        values.setdefault(name, random.choice(_FITTING.get(name, VALUES) if random.random() < 0.9 else VALUES))
    if random.random() < 0.1:
        values[random.choice(("coupon", "mapped", "x" * 300, "", "@primary", "@event"))] = random.choice(VALUES)
    if random.random() < 0.05:
        values["cart"] = random.choice(NESTED)
    return values


_FITTING = {
    **dict.fromkeys(("orderId", "Order ID", "order_id"), ("A-1", "17", 17, "", None)),
    "revenue": (12.5, 3, "12.50", 0, None),
    **dict.fromkeys(("isGift", "Is Gift"), (True, False, "yes", "no")),
    "cartSize": (0, 3, "4", None),
    "bought": ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00.250Z", "2026-11-20"),
    "boughtOn": ("2026-11-20", "2026-11-20T00:00:00Z"),
}
