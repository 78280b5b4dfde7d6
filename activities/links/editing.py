"""Creates, changes, turns off and deletes tracked links.

Every verb takes the acting user (None: an operator's command), checks the right itself, runs in one transaction and
writes one audit entry. A changed destination is written down with who changed it and when.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.links.addresses import UTM, new_code, parse_code, parse_destination, repeated_tags
from activities.models import EventSource, LinkCode, LinkDestination, TrackedLink
from activities.rights import ADD_TRACKEDLINK, CHANGE_TRACKEDLINK, DELETE_TRACKEDLINK, VIEW_TRACKEDLINK
from activities.sources.origins import is_allowed_origin, origin_of_address
from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value, refuse_if, refuse_if_changed
from people.core.permissions import MAKER, owner_of, require_permission
from people.datatypes import naming
from people.definitions.switches import Switch

audit.register_actions(
    {
        "link_turned_off": (2, gettext_lazy("Turned off")),
        "link_turned_on": (2, gettext_lazy("Turned on")),
        "link_destination_changed": (2, gettext_lazy("Leads to %(destination)s, before to %(before)s")),
    }
)

VIEW = VIEW_TRACKEDLINK
ADD, CHANGE, DELETE = ADD_TRACKEDLINK, CHANGE_TRACKEDLINK, DELETE_TRACKEDLINK
LINES = {**dict.fromkeys(UTM, 100), "email_name": 255}
FIELDS = ("destination", "fallback", "expires_at", "channel", "activity", "website", "is_identifying", *LINES)
SHOWN = 500  # characters of a destination in an entry
_TRIES = 20


@transaction.atomic
def create_link(
    name: Any, destination: Any, by: Any, *, code: Any = "", owner: Any = MAKER, **values: Any
) -> TrackedLink:
    """Create a link that leads to `destination`. `code`: the last part of its address, a random one unless given.

    Without a `website` clicks are those of visitors of the web site that it leads to, if that is one of ours.
    Raises `RejectedError` with every problem, `NotAllowedError` without the right.
    """
    require_permission(by, ADD)
    link = TrackedLink(created_by=by, owner=owner_of(by, owner))
    problems: list[Problem] = []
    _try(problems, lambda: setattr(link, "name", naming.parse_name(name)))
    chosen = _try(problems, lambda: parse_code(code)) if code not in ("", None) else ""
    problems += _set(link, {"destination": destination, **values})
    if "website" not in values:
        link.website = website_of(link.destination)
    refuse_if(problems)
    link.code = _take_code(chosen)
    _save(link)
    LinkDestination.objects.create(link=link, destination=link.destination, changed_by=by)
    audit.write_audit_entry(by, link, "created")
    return link


@transaction.atomic
def change_link(
    link: TrackedLink,
    by: Any,
    *,
    expected_revision: int | None = None,
    name: Any = None,
    owner: Any = None,
    **values: Any,
) -> TrackedLink:
    """Change a link; what is not given stays, and so does its code. `owner`: another one, unless None.

    Raises as `create_link`, and `ConflictError`.
    """
    require_permission(by, CHANGE)
    changed = _lock(link)
    message = _("Someone else changed the link in the meantime. Look at it again before you save.")
    refuse_if_changed(expected_revision, changed.revision, message)
    before = _described(changed)
    problems: list[Problem] = []
    if name is not None:
        _try(problems, lambda: setattr(changed, "name", naming.parse_name(name)))
    problems += _set(changed, values)
    refuse_if(problems)
    changed.owner = owner or changed.owner
    after = _described(changed)
    names = sorted(part for part, value in after.items() if before[part] != value)
    if names:
        changed.revision += 1
        _save(changed)
    if "destination" in names:
        LinkDestination.objects.create(link=changed, destination=changed.destination, changed_by=by)
        shown = {"destination": changed.destination[:SHOWN], "before": before["destination"][:SHOWN]}
        audit.write_audit_entry(by, changed, "link_destination_changed", **shown)
        names.remove("destination")
    if names:
        audit.write_audit_entry(by, changed, "changed", what=", ".join(names))
    return changed


def turn_off(link: TrackedLink, by: Any) -> TrackedLink:
    """Answer requests of the link with a page instead of a redirect. Its address is never given to another link."""
    return _SWITCH.set_to(link, by, False)


def turn_on(link: TrackedLink, by: Any) -> TrackedLink:
    """Redirect requests of the link to its destination again."""
    return _SWITCH.set_to(link, by, True)


@transaction.atomic
def delete_link(link: TrackedLink, by: Any) -> None:
    """Delete a link without clicks; its code stays taken. Raises `RejectedError` (`in_use`)."""
    require_permission(by, DELETE)
    locked = _lock(link)
    if locked.clicks.exists() or locked.days.exists():
        message = _("Somebody clicked “%(name)s”, so it stays. Turn it off instead.") % {"name": locked.name}
        raise RejectedError(Problem(Code.IN_USE, message))
    audit.write_audit_entry(by, locked, "deleted")
    locked.delete()


def website_of(destination: str) -> EventSource | None:
    """The web site that an address is on, if it is one of the event sources: the oldest one."""
    origin = origin_of_address(destination)
    if origin is None:
        return None
    sites = EventSource.objects.filter(kind=EventSource.Kind.BROWSER, is_on=True).order_by("pk")
    return next((site for site in sites if is_allowed_origin(origin, site.origins)), None)


def _lock(link: TrackedLink) -> TrackedLink:
    locked = TrackedLink.objects.select_for_update().filter(pk=link.pk).first()
    if locked is None:
        raise RejectedError(Problem(Code.NOT_FOUND, _("The link no longer exists.")))
    return locked


_SWITCH = Switch(CHANGE, _lock, ("link_turned_on", "link_turned_off"))


def _take_code(chosen: str | None) -> str:
    """Take the chosen code for ever, or a free random one. Raises `RejectedError` (`name_taken`)."""
    for code in [chosen] if chosen else (new_code() for _try in range(_TRIES)):
        try:
            with transaction.atomic():
                LinkCode.objects.create(code=code)
        except IntegrityError:
            continue
        return code
    message = _("Another link has or had the address “%(code)s”. Choose another one.") % {"code": chosen}
    raise RejectedError(Problem(Code.NAME_TAKEN, message, ("code",)))


def _save(link: TrackedLink) -> None:
    message = _("There is already a link “%(name)s”.") % {"name": link.name}
    with naming.refuse_taken_name("tracked_link_name_is_unique", message):
        link.save()


# --- Checks ---------------------------------------------------------------------------------------------------


def _try(problems: list[Problem], work: Callable[[], Any]) -> Any:
    """The result of `work`; None once its problems are added to the list."""
    try:
        return work()
    except RejectedError as refusal:
        problems += refusal.problems
        return None


def _set(link: TrackedLink, values: Mapping[str, Any]) -> list[Problem]:
    """Set values; return the problems of those that were given."""
    if unknown := values.keys() - set(FIELDS):
        raise TypeError(f"a link has no {', '.join(sorted(unknown))} to change")
    for name, value in values.items():
        setattr(link, name, value)
    problems: list[Problem] = []
    if "destination" in values:
        link.destination = _try(problems, lambda: parse_destination(values["destination"], "destination")) or ""
    if "fallback" in values and values["fallback"] not in ("", None):
        link.fallback = _try(problems, lambda: parse_destination(values["fallback"], "fallback")) or ""
    link.fallback = link.fallback or ""
    return [*problems, *_value_problems(link)]


def _value_problems(link: TrackedLink) -> Iterator[Problem]:
    for name, limit in LINES.items():
        yield from _line_problems(link, name, limit)
    choices = {"channel": TrackedLink.LinkChannel.values, "activity": TrackedLink.LinkActivity.values}
    for name, allowed in choices.items():
        if getattr(link, name) not in allowed:
            yield bad_value(Code.UNKNOWN_WORD, ", ".join(allowed), getattr(link, name), name)
    if link.expires_at is not None and not (isinstance(link.expires_at, datetime) and link.expires_at.tzinfo):
        yield bad_value(Code.WRONG_TYPE, _("a moment with its time zone"), link.expires_at, "expires_at")
    if type(link.is_identifying) is not bool:
        yield bad_value(Code.WRONG_TYPE, _("true or false"), link.is_identifying, "is_identifying")
    if link.website is not None and not link.website.is_browser:
        yield Problem(Code.WRONG_KIND, _("Only a web site has visitors who click links."), ("website",))
    if link.activity == TrackedLink.LinkActivity.CLICK_EMAIL and not link.email_name:
        yield Problem(Code.MISSING_VALUE, _("Name the email: “Click Email” is recorded with it."), ("email_name",))
    tags = [name for name in UTM if isinstance(getattr(link, name), str) and getattr(link, name)]
    for name in repeated_tags(link.destination, tags):
        message = _("The destination has %(name)s already: leave one of them out.") % {"name": name}
        yield Problem(Code.GIVEN_TWICE, message, (name,))


def _line_problems(link: TrackedLink, name: str, limit: int) -> Iterator[Problem]:
    value = getattr(link, name)
    if not isinstance(value, str) or not value.strip().isprintable():
        yield bad_value(Code.WRONG_TYPE, _("text on one line"), value, name)
        return
    setattr(link, name, value.strip())
    if len(value.strip()) > limit:
        yield bad_value(Code.TOO_LONG, _("at most %(count)s characters") % {"count": limit}, value, name)


def _described(link: TrackedLink) -> dict[str, Any]:
    """Everything about a link that can change, to be compared."""
    return {"name": link.name, "owner": link.owner_id, **{name: getattr(link, name) for name in FIELDS}}
