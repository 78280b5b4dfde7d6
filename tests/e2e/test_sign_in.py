"""Getting in, in a browser: codes, passkeys, locks, and signing out elsewhere."""

import os
import re
import time
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core.cache import cache
from django.utils.translation import gettext as _
from playwright.sync_api import expect

from tests.e2e.test_accessibility import AXE, FRAME

PASSWORD = "a long password"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
# as in `test_accessibility`, in the theme that the page has
JUDGED_AS_IT_IS = """async (frame) => {
    const light = axe._audit.rules.filter(({impact}) => impact === "minor" || impact === "moderate");
    const rules = Object.fromEntries(light.map(({id}) => [id, {enabled: false}]));
    const {violations} = await axe.run({exclude: frame}, {resultTypes: ["violations"], rules});
    return violations.map(({id, impact, nodes}) => [id, impact, nodes[0].html.slice(0, 160)]);
}"""
SHOTS = os.environ.get("SCREENSHOTS", "")


@pytest.fixture(autouse=True)
def _no_codes_of_other_tests(transactional_db):
    cache.clear()


def code(step=0):
    return format_hotp_value(hotp_value(SECRET, int(time.time()) // 30 + step))


def log_in(page, password=PASSWORD):
    page.goto("/admin/login/")
    page.locator("#id_username").fill("vera")
    page.locator("#id_password").fill(password)
    page.locator("#login-form").get_by_role("button").click()


def arrive(page, path):
    """Wait until the page is at `path`, not only on its way to it."""
    expect(page).to_have_url(re.compile(rf"^[^?]*:\d+{path}$"))
    page.wait_for_load_state()


def judge(page, name):
    """No grave fault of accessibility; a picture if one is wanted."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
    if AXE.exists():
        page.evaluate(AXE.read_text())
        found = page.evaluate(JUDGED_AS_IT_IS, [[selector] for selector in FRAME])
        assert not [f"{name}: {rule} {html}" for rule, _impact, html in found]


def test_an_app_is_set_up_and_then_asked_for(new_page, superuser, language):
    page = new_page(language)
    log_in(page)
    arrive(page, "/admin/")
    page.goto("/account/")
    judge(page, f"account-{language}")
    page.get_by_role("link", name=_("Set up an app")).click()
    judge(page, f"confirm-{language}")
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_role("button", name=_("Confirm")).click()
    expect(page.locator("#totp_secret")).to_be_visible()
    judge(page, f"app-{language}")
    secret = page.locator("#totp_secret").inner_text()
    page.locator("#id_code").fill(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))
    page.get_by_role("button", name=_("Set up"), exact=True).click()
    expect(page.locator(".ca-codes li")).to_have_count(10)
    judge(page, f"codes-{language}")
    Authenticator.objects.filter(type="totp").delete()
    TOTP.activate(superuser, SECRET)
    other = new_page(language)
    log_in(other)
    expect(other.locator("#id_code")).to_be_visible()
    judge(other, f"second-{language}")
    other.locator("#id_code").fill("000000")
    other.get_by_role("button", name=_("Sign in"), exact=True).click()
    expect(other.get_by_role("alert").first).to_be_visible()
    other.locator("#id_code").fill(code())
    other.get_by_role("button", name=_("Sign in"), exact=True).click()
    arrive(other, "/admin/")


def authenticator(page):
    """A key in the browser that needs no hand: Chromium's virtual one."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def test_a_passkey_is_added_and_opens_alone_and_as_the_second_step(new_page, superuser, language):
    page = new_page(language)
    authenticator(page)
    log_in(page)
    arrive(page, "/admin/")
    page.goto("/account/passkeys/add/")
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_role("button", name=_("Confirm")).click()
    page.get_by_label(_("Name"), exact=True).fill("Laptop")
    judge(page, f"passkey-{language}")
    page.get_by_role("button", name=_("Add"), exact=True).click()
    expect(page.locator(".ca-codes li")).to_have_count(10)
    page.goto("/account/")
    expect(page.get_by_text("Laptop", exact=True)).to_be_visible()
    page.context.clear_cookies()
    page.goto("/admin/login/?next=/admin/notices/")
    judge(page, f"login-{language}")
    page.get_by_role("button", name=_("Sign in with a passkey")).click()
    arrive(page, "/admin/notices/")
    page.context.clear_cookies()
    log_in(page)
    page.get_by_role("button", name=_("Use a passkey")).click()
    arrive(page, "/admin/")


def test_a_lock_is_said(browser, live_server, superuser, settings, language):
    settings.AXES_ENABLED, settings.AXES_FAILURE_LIMIT = True, 2
    locale = {"en": "en-GB", "es": "es-ES"}[language]
    page = browser.new_page(base_url=live_server.url, locale=locale)  # the answer is a 429, of which browsers complain
    for _attempt in range(2):
        log_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("15")
    judge(page, f"locked-{language}")
    page.close()


def test_signing_out_elsewhere(new_page, superuser, language):
    here, there = new_page(language, superuser), new_page(language)
    log_in(there)
    arrive(there, "/admin/")
    here.goto("/account/")
    here.get_by_role("button", name=_("Sign out everywhere else")).click()
    expect(here.get_by_text(_("Signed out."))).to_be_visible()
    there.goto("/admin/notices/")
    expect(there.locator("#login-form")).to_be_visible()
    here.goto("/admin/audit/")
    judge(here, f"audit-{language}")
