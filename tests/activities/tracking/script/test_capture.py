"""Captures of the script: page views, links, forms, activities without and with code."""

import re
import time

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.flaky(reruns=1)]

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TOKEN = re.compile(r"[0-9a-f]{32}")


def checksum(text):
    """FNV-1a, 32 bits."""
    value = 0x811C9DC5
    for character in text:
        value = (value ^ ord(character)) * 0x01000193 % 2**32
    return f"{value:08x}"


def paths(hits):
    return [re.sub(r"^https?://[^/]+", "", hit["url"]) for hit in hits]


def test_the_first_view_carries_page_visitor_and_times(collector, page):
    collector.add_page("/a")
    page.goto("/a?utm_source=x&_ca_check=nonce-1234&q=1#top", referer=f"{collector.host('news.test')}/story")
    (hit,) = collector.wait_hits(1)
    (batch,) = collector.batches
    assert UUID7.fullmatch(hit["id"])
    assert (hit["type"], hit["title"], hit["data"]) == ("page", "/a", {"check": "nonce-1234"})
    assert hit["url"] == f"{collector.host('shop.test')}/a?utm_source=x&q=1#top"
    assert hit["referrer"] == f"{collector.host('news.test')}/story"
    body = batch["body"]
    assert (body["v"], body["consent"]) == (1, "unknown") and body["script"].startswith("1.")
    assert TOKEN.fullmatch(body["visitor"])
    assert hit["at"] <= body["sent"] and abs(body["sent"] / 1000 - time.time()) < 10
    assert batch["headers"]["Content-Type"] == "text/plain" and "Cookie" not in batch["headers"]
    assert batch["query"].startswith("k=cab_") and not [
        kind for kind, *_rest in collector.requests if kind == "preflight"
    ]
    (cookie,) = [cookie for cookie in page.context.cookies() if cookie["name"] == "_ca"]
    assert cookie["value"] == body["visitor"] and cookie["domain"] == ".shop.test" and cookie["sameSite"] == "Lax"


def test_pages_of_an_application_are_views_with_their_own_title(collector, page):
    collector.configure(hash=True)
    collector.add_page("/app")
    page.goto("/app")
    collector.wait_hits(1)
    page.evaluate("""async () => {
        const turn = () => new Promise((resolve) => setTimeout(resolve, 130));
        history.pushState({}, "", "/app/one"); document.title = "One";
        history.replaceState({}, "", "/app/one");  // the same address again is no view
        await turn();
        history.pushState({}, "", "/app/two"); history.replaceState({}, "", "/app/three"); document.title = "Three";
        await turn();
        history.back(); await turn();
        location.hash = "#part"; await turn();
        customActivities.page({url: "/virtual", title: "Virtual"});
    }""")
    hits = collector.wait_hits(7)
    assert paths(hits) == ["/app", "/app/one", "/app/two", "/app/three", "/app/one", "/app/one#part", "/virtual"]
    assert [hit["title"] for hit in hits][1:4] == ["One", "One", "Three"], "two was gone before it had one"
    assert hits[1]["referrer"].endswith("/app") and hits[3]["referrer"].endswith("/app/two")
    assert hits[1]["data"]["engaged"] > 0
    assert len({hit["id"] for hit in hits}) == 7 and sorted(hit["id"] for hit in hits[:2]) == [
        hit["id"] for hit in hits[:2]
    ]


@pytest.mark.usefixtures("page_cache")
def test_a_page_out_of_the_browser_s_cache_is_a_view_and_a_prerendered_one_only_when_it_is_shown(collector, page):
    for path in ("/a", "/b"):
        collector.add_page(path)
    page.goto("/a")
    collector.wait_hits(1)
    page.evaluate("window.stillThere = true")
    page.goto("/b")
    collector.wait_hits(2)
    page.evaluate("history.back()")
    hits = collector.wait_hits(3)
    assert page.evaluate("window.stillThere") is True, "the page came out of the cache"
    assert paths(hits) == ["/a", "/b", "/a"]
    assert hits[1]["data"]["engaged"] > 0
    page.add_init_script("Object.defineProperty(document, 'prerendering', {get: () => window.isHidden !== false})")
    page.goto("/b?2")
    page.wait_for_timeout(300)
    assert len(collector.accepted()) == 3
    page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('prerenderingchange'))")
    assert paths(collector.wait_hits(4))[3] == "/b?2"


LINKS = """
<a id=inner href="/b?x=1" target=_self>  Go
 on <b>now</b></a> <a id=out href="http://elsewhere.test/x">Out</a> <a id=file href="/price-list.PDF">Prices</a>
<a id=named href="/x" download>File</a> <a id=mail href="mailto:info@shop.test">Mail</a> <a id=tel href="tel:+34600">Call</a>
<a id=script href="javascript:void 0">No</a> <a id=here href="#part">Here</a> <a id=empty href="#">Top</a>
<div data-no-track><a id=not href="/not">Not</a></div>
<svg width=40 height=20><a id=drawn href="/drawn"><rect width=40 height=20 /></a></svg> <p id=shadow></p>
<script>
  document.querySelector("#shadow").attachShadow({mode: "open"}).innerHTML = '<a href="/shadow"><i>In the shadow</i></a>';
  window.seen = [];
  addEventListener("click", (event) => { window.seen.push(event.defaultPrevented); event.preventDefault(); });
  addEventListener("auxclick", (event) => event.preventDefault());
</script>
"""


def test_links_are_recorded_as_they_are_used_and_nothing_is_prevented(collector, page):
    collector.configure(downloads=["pdf", "zip"], links=True)
    collector.add_page("/links", LINKS)
    page.goto("/links")
    collector.wait_hits(1)
    for name in ("inner", "out", "file", "named", "mail", "tel", "script", "here", "empty", "not"):
        page.locator(f"#{name}").click()
    page.locator("rect").click()
    page.locator("#shadow i").click()
    page.locator("#inner").click(button="middle")
    page.locator("#inner").click(button="right")
    hits = collector.wait_hits(9, "link")
    data = [hit["data"] for hit in hits]
    here = collector.host("shop.test")
    assert data[0] == {
        "href": f"{here}/b?x=1", "text": "Go on now", "id": "inner", "target": "_self", "outbound": False, "download": False,
    }  # fmt: skip
    assert [(link["href"].removeprefix(here), link["outbound"], link["download"]) for link in data[1:]] == [
        ("http://elsewhere.test/x", True, False),
        ("/price-list.PDF", False, True),
        ("/x", False, True),
        ("mailto:info@shop.test", False, False),
        ("tel:+34600", False, False),
        ("/drawn", False, False),
        ("/shadow", False, False),
        ("/b?x=1", False, False),
    ]
    assert data[7]["text"] == "In the shadow"
    assert page.evaluate("window.seen.some(Boolean)") is False


FORMS = """
<iframe name=aside hidden></iframe>
<form id=signup action=/send method=post target=aside>
  <input name=id value=clobbered><input name=action value=x><input name=email value="ana@example.com">
  <input name=pw type=password value=geheim><input name=token type=hidden value=t><input name=file type=file>
  <input name=number autocomplete="billing cc-number" value=4111111111111111><input name=cardholder value=Ana>
  <input name=cvv value=123><input name=my_iban value=ES1><input name=shown_password value=open>
  <input name=code autocomplete=one-time-code value=999><input name=off disabled value=no>
  <label><input type=checkbox name=topic value=cars checked></label><input type=checkbox name=topic value=cds checked>
  <input type=checkbox name=topic value=none><input type=radio name=size value=s><input type=radio name=size value=l checked>
  <select name=list multiple><option selected>a<option>b<option selected>c</select>
  <textarea name=note>{long}</textarea><input name=private data-no-track value=p><input name=unlisted value=u>
  <button>Send</button>
</form>
<input form=signup name=company value="ACME">
<form name=search target=aside method=post><input name=q value=secret-search><button>Search</button></form>
<form id=hidden data-no-track target=aside><input name=email value=x@example.com><button>Quiet</button></form>
"""
ALLOWED = (
    "id email pw token file number cardholder cvv my_iban shown_password code off topic size list note private missing"
)


def test_of_a_form_only_named_fields_leave_and_never_secrets(collector, page):
    fields = {name: name for name in ALLOWED.split()} | {"email": "email", "company": "company", "size": None}
    collector.configure(forms=[{"name": "signup", "fields": fields}, {"selector": "#hidden", "fields": {"email": ""}}])
    collector.add_page("/forms", FORMS.replace("{long}", "n" * 1500))
    page.goto("/forms")
    collector.wait_hits(1)
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name="Quiet").click()
    (hit,) = collector.wait_hits(1, "form")
    assert hit["data"] == {
        "form": "signup",
        "fields": {
            "id": "clobbered", "email": "ana@example.com", "topic": "cars, cds", "size": "l", "list": "a, c",
            "note": "n" * 1000, "company": "ACME",
        },
    }  # fmt: skip
    page.wait_for_timeout(1100)  # within a second it would be the same submit
    page.evaluate("document.querySelector('#signup').submit()")
    page.evaluate(
        "customActivities.form('newsletter', {email: 'bo@example.com', cardNumber: '4111', n: 5, nothing: null})"
    )
    hits = collector.wait_hits(3, "form")
    assert hits[1]["data"] == hit["data"] and len(hits) == 3
    assert hits[2]["data"] == {"form": "newsletter", "fields": {"email": "bo@example.com", "n": "5"}}
    assert not re.search("geheim|4111|secret-search|x@example", str([batch["body"] for batch in collector.batches]))


DECLARED = """
<button id=buy data-track="Deposit Check" data-track-primary="Savings" data-track-amount=12 data-track-check-number=7><i>Buy</i></button>
<label id=agree data-track=Agree>Agree <input type=checkbox></label>
<form data-track="Join Event" data-track-primary=Fair onsubmit="return false"><button id=join>Join</button></form>
<a id=both href="#x" data-track="See Part">Part</a>
"""


def test_activities_are_declared_in_attributes_or_recorded_by_code_also_before_the_script_is_there(collector, page):
    collector.add_page(
        "/track",
        DECLARED,
        head=collector.snippet.split("<script async")[0]
        + "<script>customActivities.track('Early', 'bird', {n: 1}); customActivities.ready((ca) => { window.token = ca.visitor(); });</script>"
        + "<script async"
        + collector.snippet.split("<script async")[1],
    )
    page.goto("/track")
    assert [hit["type"] for hit in collector.wait_hits(2)] == ["page", "track"]
    page.locator("#buy i").click()
    page.locator("#agree").click()
    page.locator("#join").click()
    page.locator("#both").click()
    warnings = []
    page.on("console", lambda line: warnings.append(line.text))
    page.evaluate("""() => {
        const round = {}; round.round = round;
        customActivities.track("Buy Car", {model: "A", price: 12.5, when: new Date(0), gone: undefined});
        customActivities.track("Round", "x", round);
        customActivities.track();
        customActivities.track("Huge", "x", {text: "é".repeat(20000)});
        customActivities.identify({});
        customActivities.identify({email: "ana@example.com", user_id: 7, firstName: "Ana"}, {signature: "ab12"});
        customActivities.consent("perhaps");
    }""")
    (identify,) = collector.wait_hits(1, "identify")
    assert identify["data"] == {
        "email": "ana@example.com", "user_id": "7", "fields": {"firstName": "Ana"}, "signature": "ab12",
    }  # fmt: skip
    hits = collector.wait_hits(6, "track")
    assert [(hit["data"]["type"], hit["data"]["primary"], hit["data"]["attributes"]) for hit in hits] == [
        ("Early", "bird", {"n": 1}),
        ("Deposit Check", "Savings", {"amount": "12", "checkNumber": "7"}),
        ("Agree", None, {}),
        ("Join Event", "Fair", {}),
        ("See Part", None, {}),
        ("Buy Car", None, {"model": "A", "price": 12.5, "when": "1970-01-01T00:00:00.000Z"}),
    ]
    assert page.evaluate("window.token") == collector.batches[0]["body"]["visitor"]
    assert len(warnings) == 5 and all(line.startswith("customActivities: ") for line in warnings), warnings


def test_a_link_to_a_listed_site_carries_the_visitor_for_a_moment(collector, page):
    collector.configure(domains=["shop.test", "partner.test"])
    collector.add_page("/a", f"<a id=go href='{collector.host('www.partner.test')}/b?x=1#y'>Go</a>")
    collector.add_page("/b")
    page.goto("/a")
    collector.wait_hits(1)
    page.locator("#go").click()
    page.wait_for_url("**/b**")
    hits = collector.wait_hits(3)
    assert (hits[1]["type"], hits[1]["data"]["outbound"]) == ("link", False) and "_ca" not in str(hits)
    assert len({batch["body"]["visitor"] for batch in collector.batches}) == 1
    assert page.url == f"{collector.host('www.partner.test')}/b?x=1#y"
    # one that is old, for another host or made up passes on no visitor
    token, agent, now = "0123456789abcdef" * 2, page.evaluate("navigator.userAgent"), int(time.time() * 1000)
    here, shop, good = "www.partner.test", "shop.test", checksum(f"{token}.{now}.www.partner.test.{agent}")
    for number, (is_taken, sent, check, from_site) in enumerate(
        (
            (True, now, good, shop),
            (False, now - 130_000, checksum(f"{token}.{now - 130_000}.{here}.{agent}"), shop),
            (False, now, checksum(f"{token}.{now}.other.test.{agent}"), shop),
            (False, now, checksum(f"{token}.{now}.{here}.another browser"), shop),
            (False, now, "00000000", shop),
            (False, now, good, "evil.test"),  # the maker of the link can make the checksum, too
            (False, now, good, None),
            (False, now, good, shop),  # no sites are listed
        )
    ):
        page.context.clear_cookies()
        if number == 7:
            collector.configure()
        referrer = {"referer": collector.host(from_site) + "/"} if from_site else {}
        page.goto(f"{collector.host(here)}/b?_ca={token}.{sent}.{check}&x={number}", **referrer)
        collector.wait_hits(4 + number)
        assert (collector.batches[-1]["body"]["visitor"] == token) is is_taken, number
        assert page.url.endswith(f"/b?x={number}")
