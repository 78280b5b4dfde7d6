"""Reading of triggers and steps about object records in the JSON form of a campaign."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Path, bad_value
from people.datatypes.parsing import MAX_TEXT_BYTES, is_blank
from people.models import ApprovedObjectField
from people.models.object_types import PERSON
from smartlists.campaigns.definitions.record_parts import (
    CHANGED,
    DATE,
    EVENTS,
    ChangeRecord,
    CreateRecord,
    ObjectTrigger,
)
from smartlists.campaigns.definitions.texts import TextReader
from smartlists.rules.vocabulary import VocabularyField, VocabularyObject

MAX_DAYS = 3_660


class RecordPartsReader(TextReader):
    """Reads the parts of campaigns that are about object records."""

    def _object_trigger(self, form: Mapping[str, Any], path: Path) -> ObjectTrigger | None:
        object_type = self._object_type(form.get("object"), (*path, "object"))
        event = self._one_of(form.get("event", EVENTS[0]), EVENTS, (*path, "event"), _("event"))
        if object_type is None or not event:
            return None
        constraints = self._constraints(form.get("constraints", []), object_type, path)
        changed, date, days = None, "", 0
        if form.get("changed") is not None:
            if event != CHANGED:
                self._add(Code.UNEXPECTED_VALUE, _("goes with the event “changed” only"), (*path, "changed"))
            changed = self._change(form["changed"], object_type, path)
            if changed is not None and changed.operator:
                message = _("a trigger has no period: it looks at each change")
                self._add(Code.UNEXPECTED_VALUE, message, (*path, "changed", "operator"))
        if event == DATE:
            field = self._date_field(form.get("date"), object_type, (*path, "date"))
            date = field.api_name if field else ""
            days = self._days(form.get("days", 0), (*path, "days"))
        elif not is_blank(form.get("date")):
            self._add(Code.UNEXPECTED_VALUE, _("goes with the event “date” only"), (*path, "date"))
        return ObjectTrigger(object_type.api_name, event, constraints, changed, date, days)

    def _date_field(self, name: Any, object_type: VocabularyObject, path: Path) -> VocabularyField | None:
        field = self._field(name, object_type, path)
        if field is not None and (not field.id or not field.data_type.is_moment):
            self._add(Code.WRONG_TYPE, _("expected a date field"), path, got=name)
            return None
        return field

    def _days(self, value: Any, path: Path) -> int:
        """Days after the date; a negative number are days before it."""
        text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) < 6 and int(digits) <= MAX_DAYS:
            return int(text)
        expected = _("a whole number from %(smallest)s to %(largest)s")
        self._append(bad_value(Code.WRONG_TYPE, expected % {"smallest": -MAX_DAYS, "largest": MAX_DAYS}, value, *path))
        return 0

    def _object_type(self, name: Any, path: Path) -> VocabularyObject | None:
        objects = self.names.objects
        if isinstance(name, str) and name in objects:
            return objects[name]
        labels = {row.name: row.api_name for row in objects.values()}
        what = _("approved object type with a link to a person")
        self._unknown(Code.UNKNOWN_TYPE, what, name, objects, path, labels)
        return None

    # --- steps ---

    def _change_object(self, form: Mapping[str, Any], path: Path, _depth: int) -> ChangeRecord | None:
        object_type = self._object_type(form.get("type"), (*path, "type"))
        field = self._writable_field(form.get("field"), object_type, (*path, "field"))
        if object_type is None or field is None:
            return None
        approved = ApprovedObjectField.objects.filter(pk=field.id).first()
        if approved is not None and (approved.is_dedupe or approved.link_to):
            message = _("campaigns can't change dedupe fields or links")
            self._add(Code.UNEXPECTED_VALUE, message, (*path, "field"), got=field.api_name)
        return ChangeRecord(
            object_type.api_name, field.api_name, self._value_text(form.get("to", ""), field, (*path, "to"))
        )

    def _create_object(self, form: Mapping[str, Any], path: Path, _depth: int) -> CreateRecord | None:
        object_type = self._object_type(form.get("type"), (*path, "type"))
        values = form.get("values", {})
        if not isinstance(values, dict):
            self._append(bad_value(Code.WRONG_TYPE, _("an object"), values, *path, "values"))
            return None
        if object_type is None:
            return None
        approved = list(ApprovedObjectField.objects.filter(object_type=object_type.id))
        own = {field.api_name for field in approved if field.link_to == PERSON}
        texts: dict[str, str] = {}
        for name, raw in values.items():
            at = (*path, "values", str(name)[:100])
            field = self._writable_field(name, object_type, at)
            if field is not None and name in own:
                self._add(Code.UNEXPECTED_VALUE, _("the link to the person is filled in automatically"), at)
            elif field is not None and (text := self._value_text(raw, field, at)):
                texts[field.api_name] = text
        for missing in sorted({field.api_name for field in approved if field.is_dedupe} - own - set(texts)):
            self._add(Code.MISSING_VALUE, _("a value is missing"), (*path, "values", missing))
        return CreateRecord(object_type.api_name, tuple(texts.items()))

    def _writable_field(self, name: Any, object_type: VocabularyObject | None, path: Path) -> VocabularyField | None:
        """A field of the live version that has this name."""
        field = self._field(name, object_type, path) if object_type is not None else None
        if field is not None and (not field.id or not field.is_live):
            self._add(Code.READ_ONLY_FIELD, _("can't be written"), path, got=name)
            return None
        return field

    def _value_text(self, raw: Any, field: VocabularyField, path: Path) -> str:
        text = self._text(raw, path, MAX_TEXT_BYTES, is_needed=False)
        if text and not self._has_tokens(text):
            self._fits(text, field.data_type, path)
        return text
