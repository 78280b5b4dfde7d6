"""The identity that a row claims for its visitor, and the parts of it that are accepted.

The write key of a web page is public, and a signature proves one value: the fields beside it come from the page, like
those of a form. They are set for a new person, and never change a known one. The key of a program is secret: its
values change people, except those that opt them in, their scores and unique fields other than its user ids.
"""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, NamedTuple

from activities.models import Association, EventSource
from activities.visitors.blocked_identifiers import is_blocked
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.datatypes.parsing import BadValueError, is_blank
from people.fields.catalog import FieldInfo
from people.persons.merge import OPT_OUTS

Evidence = Association.Evidence
LeftOut = dict[str, str]  # names of fields whose values were not accepted, with the codes of the reasons


class Identity(NamedTuple):
    """The identity in a row, without blocked identifiers."""

    evidence: Evidence
    email: str
    user_id: str
    fields: Mapping[str, Any]
    previous: str = ""  # an earlier id that a program calls the same as the user id


def parse_identity(identity: Mapping[str, Any]) -> Identity:
    """Parse the identity of a row. Raises `RejectedError` if it identifies no person."""
    email, user_id = (_identifier(identity.get(name)) for name in ("email", "user_id"))
    evidence = identity.get("evidence")
    fields = identity.get("fields")
    if evidence not in Evidence.values:
        raise RejectedError(Problem(Code.WRONG_TYPE, _("There is no such evidence."), ("evidence",)))
    if not email and not user_id:
        message = _("Neither the email address nor the user ID names one person.")
        raise RejectedError(Problem(Code.BLOCKED_IDENTIFIER, message))
    previous = _identifier(identity.get("previous"))
    return Identity(Evidence(evidence), email, user_id, fields if isinstance(fields, Mapping) else {}, previous)


def _identifier(value: Any) -> str:
    """A usable identifier as text; empty for none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value).strip()
    return "" if is_blocked(text) else text


def accepted_values(
    identity: Identity, event_source: EventSource, fields: Mapping[str, FieldInfo]
) -> tuple[dict[str, Any], LeftOut]:
    """The values of a person, by field, and which were left out because their field does not accept them.

    Any visitor can send values with a page's public key, so they set no score or unique field, and opt no person
    in. The user ID is set if a signature proves it.
    """
    values: dict[str, Any] = {}
    left_out: LeftOut = {}
    for name, value in identity.fields.items():
        info = fields.get(name)
        if info is None or info.is_read_only or info.is_unique or info.is_score or is_blank(value):
            continue
        if name in ("email", event_source.user_id_field):
            continue
        try:
            parsed = info.data_type.parse(value, UTC)
        except BadValueError as error:
            left_out[name] = str(error.code)
            continue
        if not (name in OPT_OUTS and parsed is False):
            values[name] = value
    if identity.email:
        values["email"] = identity.email
    if identity.evidence is Evidence.SERVER and identity.user_id and event_source.user_id_field in fields:
        values[event_source.user_id_field] = identity.user_id
    return values, left_out
