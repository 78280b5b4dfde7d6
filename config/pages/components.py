"""All components of the pages on one page, for developers of the product: with DEBUG only."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from people.core.admin.object_actions import MenuAction, action_menu


class ExampleForm(forms.Form):
    name = forms.CharField(help_text="Shown below the label.", widget=forms.TextInput({"class": "ca-input"}))
    country = forms.ChoiceField(
        choices=[("es", "Spain"), ("tr", "Türkiye")], widget=forms.Select({"class": "ca-input"})
    )
    day = forms.DateField(widget=forms.DateInput({"class": "ca-input", "type": "date"}))
    notes = forms.CharField(required=False, widget=forms.Textarea({"class": "ca-input", "rows": 3}))
    subscribed = forms.BooleanField(initial=True, required=False)


def components_page(request: HttpRequest) -> HttpResponse:
    if not settings.DEBUG:
        raise Http404
    path = request.path
    context: dict[str, Any] = {
        "title": "Components",
        "form": ExampleForm({"country": "es", "notes": "Hello"}),
        "actions": action_menu(
            duplicate=path, place=path, export=(MenuAction("Export (CSV)", path),), archive=path, delete=path
        ),
        "tones": ("good", "wait", "bad", "info"),
        "here": path,
        "now": timezone.now(),
    }
    return render(request, "components/index.html", {**admin.site.each_context(request), **context})
