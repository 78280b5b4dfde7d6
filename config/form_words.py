"""Messages of forms about typed values, in the product's words (docs/writing.md) instead of Django's.

`config.apps` imports this before any form is declared: a field takes up the messages of its class when it is made.
Serializers of the APIs and model fields keep their own.
"""

from typing import Any

from django import forms
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core import validators
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

WORDS: dict[type[forms.Field], dict[str, Any]] = {
    forms.Field: {"required": _("Fill this in.")},
    forms.BooleanField: {"required": _("Tick this box to go on.")},
    forms.ChoiceField: {"required": _("Choose one."), "invalid_choice": _("Choose one from the list.")},
    forms.MultipleChoiceField: {
        "required": _("Choose at least one."),
        "invalid_choice": _("Choose only from the list."),
        "invalid_list": _("Choose only from the list."),
    },
    forms.ModelChoiceField: {"required": _("Choose one."), "invalid_choice": _("Choose one from the list.")},
    forms.ModelMultipleChoiceField: {
        "required": _("Choose at least one."),
        "invalid_list": _("Choose only from the list."),
        "invalid_choice": _("Choose only from the list."),
        "invalid_pk_value": _("Choose only from the list."),
    },
    forms.FileField: {
        "required": _("Choose a file."),
        "missing": _("Choose a file."),
        "empty": _("The file is empty."),
    },
    forms.IntegerField: {"invalid": _("Enter a whole number.")},
    forms.DateField: {"invalid": _("Enter a date like 2026-11-20.")},
    forms.DateTimeField: {"invalid": _("Enter a date and a time like 2026-11-20 14:05.")},
    forms.URLField: {"invalid": _("Enter a web address like https://www.example.com.")},
}
VALIDATORS: dict[Any, Any] = {
    validators.EmailValidator: _("Enter an email address like ann@example.com."),
    validators.URLValidator: _("Enter a web address like https://www.example.com."),
    UnicodeUsernameValidator: _("Use only letters, digits and @ . + - _"),
    validators.MinValueValidator: _("Enter %(limit_value)s or more."),
    validators.MaxValueValidator: _("Enter %(limit_value)s or less."),
    validators.MaxLengthValidator: ngettext_lazy(
        "At most %(limit_value)d character; this has %(show_value)d.",
        "At most %(limit_value)d characters; this has %(show_value)d.",
        "limit_value",
    ),
    validators.MinLengthValidator: ngettext_lazy(
        "At least %(limit_value)d character; this has %(show_value)d.",
        "At least %(limit_value)d characters; this has %(show_value)d.",
        "limit_value",
    ),
}


def replace_words() -> None:
    for field, words in WORDS.items():
        field.default_error_messages = {**field.default_error_messages, **words}
    for validator, message in VALIDATORS.items():
        validator.message = message
