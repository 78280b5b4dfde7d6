"""Parses campaign definitions received from a channel; reports every problem with its path."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Path, Problem, RejectedError, bad_value
from people.datatypes.parsing import MAX_TEXT_BYTES, BadValueError, is_blank
from people.datatypes.registry import BY_NAME, DataType
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions.model import Audience, CampaignDefinition, Qualification, Step
from smartlists.campaigns.definitions.record_parsing import RecordPartsReader
from smartlists.campaigns.definitions.record_parts import ObjectTrigger
from smartlists.catalog import Catalogue
from smartlists.models import Webhook
from smartlists.rules import model as rules
from smartlists.rules.parsing import RulesReader
from smartlists.webhooks import tokens as webhook_tokens

MAX_TRIGGERS = 20
MAX_STEPS = 100
MAX_CHOICES = 20
MAX_DEPTH = 3  # choices inside choices
MAX_RECIPIENTS = 50
MAX_SUBJECT = 255
MAX_HOURS = 24 * 366
# standard types that a campaign may record, besides custom types
RECORDABLE_STANDARD = frozenset({"interestingMoment"})
_PERIOD_UNITS = ("minute", "hour", "day", "week", "month")
_PERIOD = re.compile(rf"([1-9][0-9]{{0,4}}) ({'|'.join(_PERIOD_UNITS)})s?")


def parse_definition(
    value: Any, names: Catalogue | None = None, webhooks: Mapping[int, str] | None = None
) -> CampaignDefinition:
    """Parse a definition received as decoded JSON. Raises `RejectedError` with every problem found.

    `webhooks` are the ids and names of the existing webhooks; `webhooks` and `names` are read when absent.
    """
    return DefinitionReader(names, webhooks).read_definition(value)


def parse_wait_period(text: str) -> tuple[int, str]:
    """The number and the unit of a wait's period, such as (3, "day")."""
    match = _PERIOD.fullmatch(text)
    assert match is not None, text  # checked when saved
    return int(match[1]), match[2]


class DefinitionReader(RecordPartsReader):
    """One reading of one definition."""

    def __init__(self, names: Catalogue | None = None, webhooks: Mapping[int, str] | None = None) -> None:
        super().__init__(names or Catalogue())
        if webhooks is None:
            webhooks = dict(Webhook.objects.filter(is_archived=False).values_list("pk", "name"))
        self.webhooks = webhooks
        self.objects: list[str] = []  # the object types in triggers
        self.steps_read = 0

    def read_definition(self, value: Any) -> CampaignDefinition:
        """Parse a complete definition. Raises `RejectedError` with every problem found."""
        keys = ("version", "triggers", "audience", "qualification", "late_after_hours", "also_past", "steps")
        form = self._object(value, (), keys)
        if form is None:
            raise RejectedError(*self.problems)
        if form.get("version", campaign_definition.VERSION) != campaign_definition.VERSION or isinstance(
            form.get("version"), bool
        ):
            self._add(Code.UNKNOWN_VERSION, _("expected version 1 of campaigns"), ("version",), got=form["version"])
        items = self._list(form.get("triggers", []), ("triggers",), MAX_TRIGGERS, "too_many_triggers")
        triggers = tuple(
            trigger for at, item in enumerate(items) if (trigger := self._trigger(item, ("triggers", at))) is not None
        )
        types = [trigger.type for trigger in triggers if isinstance(trigger, campaign_definition.ActivityTrigger)]
        self.objects = [trigger.object for trigger in triggers if isinstance(trigger, ObjectTrigger)]
        self.tokens = webhook_tokens.available_tokens(types, self.names, self.objects)
        audience = self._audience(form.get("audience"), ("audience",))
        qualification = self._qualification(form.get("qualification"), ("qualification",))
        hours = form.get("late_after_hours", campaign_definition.LATE_AFTER_HOURS)
        if hours is not None:
            hours = self._whole(hours, ("late_after_hours",), 1, MAX_HOURS)
        also_past = self._flag(form, "also_past", (), default=False)
        steps = self._steps(form.get("steps", []), ("steps",), 0)
        if self.problems:
            raise RejectedError(*self.problems)
        return CampaignDefinition(triggers, audience, qualification, steps, hours, also_past)

    # --- entry: triggers, audience, qualification ---

    def _trigger(self, value: Any, path: Path) -> campaign_definition.Trigger | None:
        is_of_object = isinstance(value, dict) and "object" in value
        keys = (
            ("object", "event", "constraints", "changed", "date", "days")
            if is_of_object
            else ("type", "constraints", "bots", "smart_list", "change")
        )
        form = self._object(value, path, keys)
        if form is None:
            return None
        if is_of_object:
            return self._object_trigger(form, path)
        if "smart_list" in form:
            number = self._list_id(form["smart_list"], self.names.smart_lists, _("smart list"), path)
            changes = (campaign_definition.JOINED, campaign_definition.LEFT)
            change = self._one_of(form.get("change", changes[0]), changes, (*path, "change"), _("change"))
            return None if number is None or not change else campaign_definition.ListTrigger(number, change)
        activity_type = self._type(form.get("type"), (*path, "type"))
        if activity_type is None:
            return None
        return campaign_definition.ActivityTrigger(
            activity_type.api_name,
            self._constraints(form.get("constraints", []), activity_type, path),
            self._bots(form, activity_type, path),
        )

    def _audience(self, value: Any, path: Path) -> Audience:
        if value is None:
            return Audience()
        form = self._object(value, path, ("smart_list", "rules"))
        if form is None:
            return Audience()
        if ("smart_list" in form) == ("rules" in form):
            self._add(Code.MISSING_VALUE, _("name a smart list or give rules, not both"), path)
            return Audience()
        if "smart_list" in form:
            number = self._list_id(form["smart_list"], self.names.smart_lists, _("smart list"), path)
            return Audience(smart_list=number)
        return Audience(rules=self._rules(form["rules"], (*path, "rules")))

    def _rules(self, value: Any, path: Path) -> rules.Rules | None:
        try:
            return RulesReader(self.names).read(value)
        except RejectedError as refusal:
            for problem in refusal.problems:
                self._append(problem.under(*path))
            return None

    def _qualification(self, value: Any, path: Path) -> Qualification:
        form = self._object({} if value is None else value, path, ("how", "number", "unit"))
        if form is None:
            return Qualification()
        options = (campaign_definition.ONCE, campaign_definition.EVERY, campaign_definition.WITHIN)
        how = self._one_of(form.get("how", campaign_definition.ONCE), options, (*path, "how"), _("qualification"))
        if how != campaign_definition.WITHIN:
            return Qualification(how or campaign_definition.ONCE)
        number = self._whole(form.get("number"), (*path, "number"), 1, 10_000)
        unit = self._one_of(form.get("unit"), campaign_definition.UNITS, (*path, "unit"), _("unit"))
        return Qualification(how, number or 1, unit)

    # --- steps ---

    def _steps(self, value: Any, path: Path, depth: int) -> tuple[Step, ...]:
        items = self._list(value, path, MAX_STEPS, Code.TOO_MANY_STEPS)
        self.steps_read += len(items)
        if self.steps_read > MAX_STEPS:
            self._add(Code.TOO_MANY_STEPS, _("a campaign has at most 100 steps"), path)
            return ()
        steps = (self._any_step(item, (*path, at), depth) for at, item in enumerate(items))
        return tuple(step for step in steps if step is not None)

    def _any_step(self, value: Any, path: Path, depth: int) -> Step | None:
        parsed = self._of_a_kind(value, path, "do", STEP_READERS, Code.UNKNOWN_STEP, _("kind of step"))
        return None if parsed is None else parsed[1](self, parsed[0], path, depth)

    def _add_to_list(self, form: Mapping[str, Any], path: Path, _depth: int) -> Step | None:
        number = self._list_id(form.get("list"), self.names.static_lists, _("static list"), path)
        return None if number is None else campaign_definition.AddToList(number)

    def _remove_from_list(self, form: Mapping[str, Any], path: Path, _depth: int) -> Step | None:
        number = self._list_id(form.get("list"), self.names.static_lists, _("static list"), path)
        return None if number is None else campaign_definition.RemoveFromList(number)

    def _change_field(self, form: Mapping[str, Any], path: Path, _depth: int) -> Step | None:
        fields = self.names.person_fields
        name = form.get("field")
        if not isinstance(name, str) or name not in fields:
            labels = {info.label: info.api_name for info in fields.values()}
            self._unknown(Code.UNKNOWN_FIELD, _("person field"), name, fields, (*path, "field"), labels)
            return None
        info = fields[name]
        if info.is_read_only:
            self._add(Code.READ_ONLY_FIELD, _("is maintained by the product"), (*path, "field"))
            return None
        if "by" in form and not is_blank(form["by"]):
            return self._increment(name, info.data_type, form, path)
        text = self._text(form.get("to", ""), (*path, "to"), MAX_TEXT_BYTES, is_needed=False)
        if text and not self._has_tokens(text):
            self._fits(text, info.data_type, (*path, "to"))
        return campaign_definition.ChangeField(name, to=text)

    def _increment(self, name: str, data_type: DataType, form: Mapping[str, Any], path: Path) -> Step | None:
        if not data_type.is_number:
            parameters = {"field": name, "type": data_type.label}
            self._add(Code.WRONG_TYPE, _("%(field)s is %(type)s: only numbers can grow") % parameters, (*path, "by"))
            return None
        if not is_blank(form.get("to")):
            self._add(Code.UNEXPECTED_VALUE, _("give a new value or a number to add, not both"), (*path, "to"))
        text = self._text(form["by"], (*path, "by"), 255)
        if text and not self._has_tokens(text):
            self._fits(text, data_type, (*path, "by"))
        return campaign_definition.ChangeField(name, by=text)

    def _record(self, form: Mapping[str, Any], path: Path, _depth: int) -> Step | None:
        activity_type = self._type(form.get("type"), (*path, "type"))
        if activity_type is None:
            return None
        if activity_type.is_standard and activity_type.api_name not in RECORDABLE_STANDARD:
            message = _("standard activities are recorded by the product itself")
            self._add(Code.STANDARD_TYPE, message, (*path, "type"), got=activity_type.api_name)
        fields = {name: field for name, field in activity_type.fields.items() if field.is_live and field.id}
        primary = next((field for field in fields.values() if field.is_primary), None)
        text = self._text(form.get("primary", ""), (*path, "primary"), 1_000, is_needed=primary is not None)
        if text and primary is not None and not self._has_tokens(text):
            self._fits(text, primary.data_type, (*path, "primary"))
        values = form.get("attributes", {})
        if not isinstance(values, dict):
            self._append(bad_value(Code.WRONG_TYPE, _("an object"), values, *path, "attributes"))
            values = {}
        attributes = []
        for name, raw in values.items():
            at = (*path, "attributes", str(name)[:100])
            if name not in fields or fields[name] is primary:
                self._unknown(
                    Code.UNKNOWN_FIELD, _("field of %(type)s") % {"type": activity_type.api_name}, name, fields, at
                )
                continue
            value = self._text(raw, at, MAX_TEXT_BYTES, is_needed=False)
            if value and not self._has_tokens(value):
                self._fits(value, fields[name].data_type, at)
            if value:
                attributes.append((name, value))
        return campaign_definition.RecordActivity(activity_type.api_name, text, tuple(attributes))

    def _wait(self, form: Mapping[str, Any], path: Path, _depth: int) -> Step | None:
        period, until = form.get("period"), form.get("until")
        if is_blank(period) == is_blank(until):
            self._add(Code.MISSING_VALUE, _("wait for a period or until a date, not both"), path)
            return None
        if not is_blank(period):
            text = " ".join(str(period).lower().split())
            if not isinstance(period, str) or not _PERIOD.fullmatch(text):
                expected = _("a period like “3 days”: minutes, hours, days, weeks or months")
                self._append(bad_value(Code.WRONG_TYPE, expected, period, *path, "period"))
                return None
            return campaign_definition.Wait(period=text)
        text = self._text(until, (*path, "until"), 255)
        if self._has_tokens(text):
            self._check_date_token(text, (*path, "until"))
        elif text:
            self._fits(text, BY_NAME["datetime"], (*path, "until"))
        return campaign_definition.Wait(until=text)

    def _check_date_token(self, text: str, path: Path) -> None:
        """Check that the text is a single token of a date field or of the trigger."""
        parts = webhook_tokens.parse_template(text)
        token = parts[0]
        if len(parts) != 1 or not isinstance(token, webhook_tokens.Token):
            self._add(Code.BAD_TOKEN, _("one token of a date, and nothing else"), path, got=text)
            return
        if token.key not in self.tokens:
            return  # `_text` has added this problem
        if token.source == "object":
            fields = [self.names.objects[name].fields.get(token.name) for name in self.objects]
            if not any(field is not None and field.data_type.is_moment for field in fields):
                self._add(Code.WRONG_TYPE, _("%(token)s is not a date") % {"token": text}, path, got=text)
            return
        info = self.names.person_fields.get(token.name) if token.source == "person" else None
        if token.source == "person" and (info is None or not info.data_type.is_moment):
            self._add(Code.WRONG_TYPE, _("%(token)s is not a date") % {"token": text}, path, got=text)

    def _alert(self, form: Mapping[str, Any], path: Path, _depth: int) -> Step | None:
        items = self._list(form.get("to", []), (*path, "to"), MAX_RECIPIENTS, "too_many_recipients")
        if not items:
            self._add(Code.MISSING_VALUE, _("add at least one recipient"), (*path, "to"))
        to = tuple(self._recipient(item, (*path, "to", at)) for at, item in enumerate(items))
        subject = self._text(form.get("subject", ""), (*path, "subject"), MAX_SUBJECT)
        if subject and not subject.isprintable():
            self._append(bad_value(Code.WRONG_TYPE, _("text on one line"), subject, *path, "subject"))
        body = self._text(form.get("body", ""), (*path, "body"), MAX_TEXT_BYTES, is_needed=False)
        return campaign_definition.SendAlert(to, subject, body)

    def _recipient(self, value: Any, path: Path) -> str:
        try:
            address = BY_NAME["email"].parse("" if is_blank(value) else value, UTC)
        except BadValueError as error:
            self._append(bad_value(error.code, error.expected, value, *path, data_type="email"))
            return ""
        domain = address.rpartition("@")[2].lower()
        users = get_user_model().objects.filter(email__iexact=address, is_active=True)
        if domain not in settings.ALERT_DOMAINS and not users.exists():
            message = _("“%(address)s” can't get alerts: choose a user's address, or ask who runs the installation")
            self._append(Problem(Code.NOT_ALLOWED, message % {"address": address}, path, "", address))
        return address

    def _webhook(self, form: Mapping[str, Any], path: Path, _depth: int) -> Step | None:
        number = form.get("webhook")
        if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 19:
            number = int(number)
        if isinstance(number, bool) or not isinstance(number, int) or number not in self.webhooks:
            names = {name: name for name in self.webhooks.values()}
            self._unknown(Code.UNKNOWN_WEBHOOK, _("webhook"), number, (), (*path, "webhook"), names)
            return None
        return campaign_definition.CallWebhook(number)

    def _choose(self, form: Mapping[str, Any], path: Path, depth: int) -> Step | None:
        if depth >= MAX_DEPTH:
            self._add(Code.TOO_DEEP, _("if/else steps can be nested at most 3 deep"), path)
            return None
        items = self._list(form.get("choices", []), (*path, "choices"), MAX_CHOICES, "too_many_choices")
        if not items:
            self._add(Code.MISSING_VALUE, _("an if/else step needs at least one branch"), (*path, "choices"))
        choices = []
        for at, item in enumerate(items):
            way_path = (*path, "choices", at)
            way = self._object(item, way_path, ("when", "steps"))
            if way is None:
                continue
            when = self._audience(way.get("when"), (*way_path, "when"))
            if way.get("when") is None:
                self._add(Code.MISSING_VALUE, _("choose for whom: a smart list or rules"), (*way_path, "when"))
            choices.append(
                campaign_definition.ChoiceBranch(
                    when, self._steps(way.get("steps", []), (*way_path, "steps"), depth + 1)
                )
            )
        otherwise = self._steps(form.get("otherwise", []), (*path, "otherwise"), depth + 1)
        return campaign_definition.Choose(tuple(choices), otherwise)


_Read = Callable[[DefinitionReader, Mapping[str, Any], Path, int], Step | None]
STEP_READERS = campaign_definition.STEPS.facet(
    "keys and reader of its JSON form",
    {
        "add_to_list": (("list",), DefinitionReader._add_to_list),
        "remove_from_list": (("list",), DefinitionReader._remove_from_list),
        "change_field": (("field", "to", "by"), DefinitionReader._change_field),
        "record": (("type", "primary", "attributes"), DefinitionReader._record),
        "change_object": (("type", "field", "to"), DefinitionReader._change_object),
        "create_object": (("type", "values"), DefinitionReader._create_object),
        "wait": (("period", "until"), DefinitionReader._wait),
        "alert": (("to", "subject", "body"), DefinitionReader._alert),
        "webhook": (("webhook",), DefinitionReader._webhook),
        "choose": (("choices", "otherwise"), DefinitionReader._choose),
    },
)
