"""Limits of keeping data: consent, the browser's signals, opting out, browsers that keep nothing, strict pages."""

import pytest

from activities.tracking.script import files
from tests.activities.tracking.script.recording_collector import KEY, fixed_page_tag

pytestmark = [pytest.mark.e2e, pytest.mark.flaky(reruns=1)]

QUIET = 500  # milliseconds in which a hit would have come


def kept(page):
    """Everything that the browser keeps of the site."""
    stored = page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]")
    return sorted(stored + [cookie["name"] for cookie in page.context.cookies()])


def test_nothing_is_kept_or_sent_before_consent_where_a_site_asks(collector, page):
    collector.configure(consent="denied")
    collector.add_page("/a", "<a href='#x' id=go data-track=Go>Go</a>")
    page.goto("/a")
    page.locator("#go").click()
    page.evaluate("customActivities.track('Before', 'x')")
    page.wait_for_timeout(QUIET)
    assert collector.batches == [] and kept(page) == []
    page.goto("/a?_ca_check=nonce-1")  # the team's check of the script: this view is sent, and nothing kept
    (hit,) = collector.wait_hits(1)
    assert hit["data"] == {"check": "nonce-1"} and collector.batches[0]["body"]["visitor"] is None and kept(page) == []

    page.evaluate("customActivities.consent({analytics: true, marketing: false})")
    hits = collector.wait_hits(3)[1:]
    assert [hit["type"] for hit in hits] == ["consent", "page"]
    assert hits[0]["data"] == {"state": "granted", "purposes": {"analytics": True, "marketing": False}}
    bodies = [batch["body"] for batch in collector.batches[1:]]
    assert {body["consent"] for body in bodies} == {"granted"} and len({body["visitor"] for body in bodies}) == 1
    visitor = bodies[0]["visitor"]
    # given again on the next page, before the script is there: a repeat, and no hit of its own
    again = "<script>customActivities.consent({analytics: true, marketing: false})</script><script async"
    collector.add_page("/b", head=again.join(collector.snippet.split("<script async")))
    page.goto("/b")
    assert [hit["type"] for hit in collector.wait_hits(4)[3:]] == ["page"]
    assert collector.batches[-1]["body"]["visitor"] == visitor

    page.evaluate("customActivities.consent('denied')")
    (hit,) = collector.wait_hits(5)[4:]
    assert hit["data"] == {"state": "denied", "purposes": {}}
    assert (collector.batches[-1]["body"]["visitor"], collector.batches[-1]["body"]["consent"]) == (visitor, "denied")
    page.goto("/a")
    page.locator("#go").click()
    page.wait_for_timeout(QUIET)
    assert len(collector.accepted()) == 5
    assert [name for name in kept(page) if name != "_ca_consent"] == ["_ca_engaged"] or kept(page) == ["_ca_consent"]


def test_without_cookies_by_setting_or_by_signal_hits_have_no_visitor_and_nothing_is_stored(collector, new_context):
    signal = "Object.defineProperty(Navigator.prototype, '{}', {{get: () => {}}})"
    for setting, script in (
        ({"consent": "cookieless"}, ""),
        ({}, signal.format("globalPrivacyControl", "true")),
        ({}, signal.format("doNotTrack", "'1'")),
    ):
        collector.reset()
        collector.configure(**setting)
        collector.add_page("/a")
        collector.answers = [(503, {"Retry-After": "1"}, 0)]
        context = new_context(extra_http_headers={"Sec-GPC": "1"} if script else {})
        context.add_init_script(script)
        page = context.new_page()
        page.goto("/a")
        collector.wait_hits(1)  # also after a failure
        page.evaluate("customActivities.track('Signed', 'x')")
        collector.wait_hits(2)
        assert {batch["body"]["visitor"] for batch in collector.batches} == {None} and kept(page) == [], setting
        assert page.evaluate("customActivities.visitor()") is None
    collector.configure(gpc="ignore")
    page.goto("/a")
    collector.wait_hits(3)
    assert collector.batches[-1]["body"]["visitor"] and "_ca" in kept(page)


def test_who_opts_out_is_forgotten_until_they_opt_in(collector, page):
    collector.add_page("/a")
    for parameter in ("_ca_opt_out", "marketo_opt_out"):
        page.goto("/a")
        count = len(collector.wait_hits(1))
        page.goto(f"/a?{parameter}=true")
        page.goto("/a?_ca_check=nonce-2")
        page.evaluate("customActivities.track('Never', 'x'); customActivities.consent('granted')")
        page.wait_for_timeout(QUIET)
        assert len(collector.accepted()) == count
        assert {"_ca"}.isdisjoint(kept(page)) and "_ca_opt_out" in kept(page)
        page.goto(f"/a?{parameter}=false")
        collector.wait_hits(count + 1)
        page.context.clear_cookies()
        collector.reset()
        collector.add_page("/a")
    page.goto("/a")
    collector.wait_hits(1)
    first = page.evaluate("customActivities.visitor()")
    page.evaluate("customActivities.reset(); customActivities.track('By', 'somebody else')")
    collector.wait_hits(2)
    assert collector.batches[-1]["body"]["visitor"] not in (None, first)
    page.evaluate("customActivities.optOut()")
    assert kept(page) == ["_ca_opt_out"]


def test_on_the_site_s_own_host_the_server_is_asked_to_keep_the_cookie(collector, page):
    own = files.script_tag(f"/_a/s/{KEY}.js")
    collector.add_page("/a", head=own)
    page.goto(f"{collector.host('www.shop.test')}/a")
    collector.wait_hits(1)
    headers = collector.wait(lambda server: [item[1] for item in server.requests if item[0] == "/_a/id"])[0]
    visitor = collector.batches[0]["body"]["visitor"]
    assert f"_ca={visitor}" in headers["Cookie"]
    assert [query for path, query in collector.paths if path == "/_a/id"] == [f"k={KEY}&d=shop.test"]
    # the server's cookie, which browsers keep longer, is not written over
    page.context.add_cookies([{"name": "_ca", "value": visitor, "domain": ".shop.test", "path": "/", "expires": 4e9}])
    before = [cookie["expires"] for cookie in page.context.cookies()]
    page.reload()
    collector.wait_hits(2)
    assert [cookie["expires"] for cookie in page.context.cookies()] == before


def test_where_the_browser_keeps_nothing_the_script_works_without(collector, new_context):
    collector.add_page("/a", "<a id=go href='#x' data-track=Go>Go</a>")
    context = new_context()
    context.add_init_script("""
        Object.defineProperty(Document.prototype, "cookie", {get: () => "", set: () => {}});
        for (const name of ["localStorage", "sessionStorage"])
            Object.defineProperty(window, name, {get() { throw new DOMException("blocked", "SecurityError"); }});
    """)
    page = context.new_page()
    collector.answers = [(503, {"Retry-After": "1"}, 0)]
    page.goto("/a")
    collector.wait_hits(1)
    page.locator("#go").click()
    collector.wait_hits(1, "track")
    page.evaluate("history.pushState(null, '', '/b')")
    collector.wait_hits(2, "page")
    assert {batch["body"]["visitor"] for batch in collector.batches} == {None}
    # a sandboxed frame has neither origin nor storage
    collector.add_page("/frame", "<iframe sandbox='allow-scripts' src=/a></iframe>", head="")
    page.goto("/frame")
    collector.wait_hits(3, "page")


def test_a_strict_policy_and_a_digest_of_the_file_are_enough_for_the_script_and_its_overlay(collector, page):
    track = collector.host("track.test")
    configuration = {"key": KEY, "base": f"{track}/_a", "consent": "granted"}
    head = fixed_page_tag(f"{track}/_a", configuration)
    policy = f"default-src 'none'; script-src {track}; connect-src {track}; require-trusted-types-for 'script'"
    collector.add_page("/a", "<a id=go href='#x' data-track=Go>Go</a>", head=head, Content_Security_Policy=policy)
    refusals = []
    page.on("console", lambda line: refusals.append(line.text) if "ontent" in line.text else None)
    page.goto("/a")
    page.locator("#go").click()
    assert [hit["type"] for hit in collector.wait_hits(2)] == ["page", "track"]
    assert refusals == [] and collector.batches[0]["query"] == f"k={KEY}"

    # the overlay is a second file, whose address is made by the script
    collector.pages["/a"][1]["Content_Security_Policy"] = policy.partition("; require")[0]
    refused = b'{"accepted":1,"refused":[{"id":"%s","code":"unknown_type","message":"no such type"}]}'
    page.goto("/a?_ca_debug=1")
    overlay = page.get_by_role("region", name="Tracking")
    overlay.get_by_text("accepted (204)").wait_for()
    collector.answer = (200, {}, 0)
    collector.answer_text = refused
    page.locator("#go").click()
    overlay.get_by_text("rejected: no such type").wait_for()
    assert "&v=1" in collector.batches[-1]["query"] and refusals == []
    overlay.get_by_role("button", name="Close").click()
    assert overlay.count() == 0


def test_a_page_that_demands_trusted_types_says_in_the_console_once_that_it_refuses_the_overlay(collector, page):
    track = collector.host("track.test")
    head = fixed_page_tag(f"{track}/_a", {"key": KEY, "base": f"{track}/_a", "consent": "granted"})
    policy = f"script-src {track}; require-trusted-types-for 'script'"
    collector.add_page("/a", "<a id=go href='#x' data-track=Go>Go</a>", head=head, Content_Security_Policy=policy)
    warnings = []
    page.on("console", lambda line: warnings.append(line.text) if "customActivities:" in line.text else None)
    page.goto("/a?_ca_debug=1")
    page.locator("#go").click()
    assert [hit["type"] for hit in collector.wait_hits(2)] == ["page", "track"]
    (warning,) = warnings
    assert "TrustedScriptURL" in warning
