"""The first visit of the first administrator."""

from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _
from playwright.sync_api import expect

from people.core.models import Installation


def test_the_first_visit_sets_the_installation_up(new_page, language):
    admin = get_user_model().objects.create_superuser("admin", password="x")
    page = new_page(language, admin, timezone_id="Europe/Madrid")
    page.goto("/admin/")
    expect(page.get_by_role("button", name=_("Set up"), exact=True)).to_be_visible()
    expect(page.get_by_label(_("time zone"))).to_have_value("Europe/Madrid")
    page.get_by_label(_("currency")).select_option("EUR")
    page.get_by_role("button", name=_("Set up"), exact=True).click()
    expect(page.get_by_text(_("This installation is set up."))).to_be_visible()
    kept = Installation.objects.get()
    assert (kept.time_zone, kept.currency, kept.language) == ("Europe/Madrid", "EUR", language)
