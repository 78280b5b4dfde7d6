"""The subject of a message: the visitor that it is kept for, and the identity that it claims or proves.

A user id of a program is known like a browser is: by a visitor of its own, whose hash no browser's token can have. So
one path leads from every message to the log, and waiting, merging, erasing and undoing are the same for all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from unicodedata import normalize

from activities.inbox.names import flatten_properties, name_key
from activities.models import Association
from activities.sources.authentication import Sender
from activities.tracking.reading import storable_text
from activities.visitors.blocked_identifiers import is_blocked
from activities.visitors.hits import VisitorKey
from activities.visitors.tokens import PROGRAM, token_hash, user_id_hash
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.datatypes.parsing import MAX_STRING, BadValueError, parse_email, trim_text

MAX_FIELDS, MAX_VALUE, MAX_ID = 100, 2_000, 200
Evidence = Association.Evidence
# Segment's reserved traits that our fields have other names for, as they compare; those of a company have its prefix
RESERVED = {
    "companyname": "company",
    "companyindustry": "industry",
    "companyemployeecount": "number_of_employees",
    "employees": "number_of_employees",
    "addressstreet": "address",
    "street": "address",
    "addresscity": "city",
    "addressstate": "state_or_province",
    "state": "state_or_province",
    "addresspostalcode": "postal_code",
    "zip": "postal_code",
    "addresscountry": "country",
    "birthday": "date_of_birth",
}
# traits that identify a person, or that no field could have
_OWN = frozenset({"email", "id", "userid", "createdat", "updatedat", "anonymousid"})


@dataclass(frozen=True, slots=True)
class Traits:
    """Traits by the API names of person fields, as text; `unknown` ones by path."""

    email: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Who:
    """The ids of one message; empty for none. `proves`: its identity is certain, and no claim."""

    sender: Sender
    user_id: str
    anonymous_id: str
    email: str = ""
    proves: bool = False

    @property
    def visitor(self) -> VisitorKey:
        """The visitor that the message is kept for: that of a program's user id, else the anonymous one."""
        is_known = self.user_id and (self.sender.is_server or not self.anonymous_id)
        return self.user_visitor if is_known else self.anonymous_visitor

    @property
    def visitor_or_none(self) -> VisitorKey | None:
        return self.visitor if self.user_id or self.anonymous_id else None

    @property
    def anonymous_visitor(self) -> VisitorKey:
        return self.sender.source.site_group, token_hash(self.anonymous_id)

    @property
    def user_visitor(self) -> VisitorKey:
        """The visitor of the user id: one each for ids of programs, signed and claimed ones."""
        source = self.sender.source
        kind = PROGRAM if self.sender.is_server else "signed user" if self.proves else "claimed user"
        return source.site_group, user_id_hash(kind, source, self.user_id)

    def with_email(self, email: str) -> "Who":
        """The same with an address that the message names. The signature of a page proves the user id and no address:
        beside it an address is left out, as it would be taken for proven, too."""
        return self if not email or (self.proves and not self.sender.is_server) else replace(self, email=email)

    def claimed(self) -> "Who":
        """The same for what a page's signature does not cover."""
        return replace(self, proves=self.sender.is_server)

    def identity(self, fields: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """The identity of the hit's visitor; None where the message names no person."""
        known = {"user_id": self.user_id, "email": self.email or self._email_as_user_id()}
        named = {name: value for name, value in known.items() if value}
        if not named:
            return None
        evidence = Evidence.SERVER if self.proves else Evidence.CLAIM
        return {"evidence": int(evidence), **named, "fields": dict(fields or {})}

    def _email_as_user_id(self) -> str:
        """The user id where it is an address and no field has the source's user ids."""
        return "" if self.sender.source.user_id_field else email_or_none(self.user_id) or ""


def read_who(message: Mapping[str, Any], context: Mapping[str, Any], sender: Sender) -> Who:
    """Raises `RejectedError`: `wrong_type`, or `missing_value` where the message has neither id."""
    user_id, anonymous_id = read_id(message, "userId"), read_id(message, "anonymousId")
    if not user_id and not anonymous_id:
        text = _("neither userId nor anonymousId is there")
        raise RejectedError(Problem(Code.MISSING_VALUE, text, ("userId",)))
    traits = context.get("traits")
    email = email_or_none(traits.get("email")) if isinstance(traits, dict) else None
    signature = context.get("signature")
    is_signed = isinstance(signature, str) and bool(user_id) and sender.is_signed(f"user_id:{user_id}", signature)
    who = Who(sender, user_id, anonymous_id, proves=sender.is_server or is_signed)
    return who.with_email(email or "")


def read_id(message: Mapping[str, Any], name: str) -> str:
    """An id as text; empty for null, blank and placeholders of programs. Raises `RejectedError` (`wrong_type`)."""
    value = message.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or (isinstance(value, int) and abs(value) >= 2**63):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("text, at most 255 characters"), value, name))
    text = clean_id(str(value))
    if len(text) > MAX_STRING:
        raise RejectedError(bad_value(Code.TOO_LONG, _("text, at most 255 characters"), value, name))
    return "" if is_blocked(text) else text


def read_message_id(message: Mapping[str, Any]) -> str:
    """The id of a message; empty where it has none. Raises `RejectedError` (`wrong_type`)."""
    value = message.get("messageId")
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not 0 < len(text := clean_id(value)) <= MAX_ID:
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("text, at most 200 characters"), value, "messageId"))
    return text


def clean_id(text: str) -> str:
    """An id as the log stores and compares it: ids that differ here differ there, and equal ones are equal."""
    return trim_text(normalize("NFC", storable_text(text)))


def email_or_none(value: Any) -> str | None:
    try:
        text = parse_email(value, None) if isinstance(value, str) and value.strip() else ""  # type: ignore[arg-type]
    except BadValueError:
        return None
    return None if not text or is_blocked(text) else text


def read_traits(traits: Any, fields: Mapping[str, str], prefix: str = "") -> Traits:
    """Traits by person field. `fields`: API names of the person fields by how they compare. `prefix`: of a group's.

    A whole name is split at its first blank where neither of its parts was sent.
    """
    if not isinstance(traits, dict):
        return Traits()
    flat = flatten_properties({name: value for name, value in traits.items() if isinstance(name, str)})
    values: dict[str, str] = {}
    unknown: dict[str, Any] = {}
    for path, value in flat.items():
        key = name_key(f"{prefix}{path}")
        api_name = fields.get(name_key(RESERVED.get(key, key)))
        if api_name is None and key not in _OWN:
            unknown[path] = value
        elif api_name is not None and key not in _OWN and len(values) < MAX_FIELDS:
            values.setdefault(api_name, _text(value))
    if not prefix and isinstance(name := unknown.get("name"), str) and not {"first_name", "last_name"} & values.keys():
        unknown.pop("name")
        values |= _split_name(storable_text(name))
    return Traits(email_or_none(traits.get("email")) or "", {k: v for k, v in values.items() if v.strip()}, unknown)


def _split_name(name: str) -> dict[str, str]:
    first, _blank, last = name.strip().partition(" ")
    return {
        api_name: part.strip()[:MAX_VALUE]
        for api_name, part in (("first_name", first), ("last_name", last))
        if part.strip()
    }


def _text(value: Any) -> str:
    return storable_text(str(value).lower() if isinstance(value, bool) else str(value))[:MAX_VALUE]
