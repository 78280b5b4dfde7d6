"""Ways to put a form in front of people: its address, and HTML to paste into a page."""

from html import escape

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from activities.forms.fields import FormInput, form_inputs
from activities.forms.reading import CONSENT, HONEYPOT
from activities.models import Form


def page_address(form: Form, site: str) -> str:
    """The address of the form's page. `site`: scheme and host of this installation, where SITE_URL is not set."""
    return f"{settings.SITE_URL or site}{reverse('form-page', args=[form.key])}"


def html_form(form: Form, site: str) -> str:
    """The HTML of the form for any page: it needs no script, and sends to this installation."""
    with translation.override(form.language or translation.get_language()):
        lines = [f'<form method="post" action="{escape(page_address(form, site))}" accept-charset="utf-8">']
        for entry in form_inputs(form):
            lines.append(f"  <p><label>{escape(entry.label)}{' *' if entry.is_required else ''}<br>")
            lines.append(f"    {_control(entry)}</label></p>")
        lines.append('  <p style="position:absolute;left:-9999px" aria-hidden="true"><label>')
        lines.append(f'    <input name="{HONEYPOT}" tabindex="-1" autocomplete="off"></label></p>')
        if form.consent is not None:
            required = " required" if form.is_consent_required else ""
            box = f'<input type="checkbox" name="{CONSENT}" value="{escape(form.consent.version)}"{required}>'
            lines.append(f"  <p><label>{box} {escape(form.consent.text)}</label></p>")
        lines += [f"  <p><button>{escape(form.button or _('Send'))}</button></p>", "</form>"]
    return "\n".join(lines)


def _control(entry: FormInput) -> str:
    required = " required" if entry.is_required else ""
    autocomplete = f' autocomplete="{entry.autocomplete}"' if entry.autocomplete else ""
    name = f'name="{escape(entry.name)}"{required}'
    if entry.kind == "textarea":
        return f'<textarea {name} rows="4" maxlength="{entry.max_length}"></textarea>'
    if entry.kind in ("select", "yes-no"):
        pairs = [("true", _("Yes")), ("false", _("No"))] if entry.kind == "yes-no" else [(c, c) for c in entry.choices]
        options = "".join(f'<option value="{escape(value)}">{escape(label)}</option>' for value, label in pairs)
        return f'<select {name}><option value=""></option>{options}</select>'
    step = f' step="{entry.step}"' if entry.step else ""
    length = f' maxlength="{entry.max_length}"' if entry.kind in ("text", "email", "tel", "url") else ""
    return f'<input type="{entry.kind}" {name}{autocomplete}{step}{length}>'
