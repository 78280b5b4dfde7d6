"""Arrival of hits: pages that are left, slow, failing, refusing and dead collectors, several tabs, big bodies."""

import json

import pytest

from tests.activities.tracking.script.recording_collector import KEY

pytestmark = [pytest.mark.e2e, pytest.mark.flaky(reruns=1)]

PREFIX = f"_ca.{KEY}."


def waiting(page):
    """The ids of hits that wait in the browser's storage."""
    names = page.evaluate("Object.keys(localStorage)")
    return {name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)}


def wait_until_empty(page):
    """The collector has a batch before the page has its answer and takes the hits out of the storage."""
    page.wait_for_function("Object.keys(localStorage).length === 0")


@pytest.mark.usefixtures("page_cache")
def test_a_click_that_leaves_the_page_arrives_although_the_collector_is_slow_and_nobody_waits_for_it(collector, page):
    collector.add_page("/a", "<a id=go href=/b>Go</a> <form id=f action=/sent method=post><button>Send</button></form>")
    collector.add_page("/b", head="")
    collector.configure(forms=[{"name": "f", "fields": {}}])
    collector.answer = (204, {}, 1.5)
    page.goto("/a")
    before = page.evaluate("performance.timeOrigin")
    page.locator("#go").click()
    page.wait_for_url("**/b")
    assert page.evaluate("performance.timeOrigin") - before < 1500, "the navigation did not wait"
    page.goto("/a")
    page.evaluate("customActivities.track('Last', 'word')")  # gathered, and then the page goes
    page.get_by_role("button").click()
    page.wait_for_url("**/sent")
    hits = collector.wait_hits(5)
    assert sorted(hit["type"] for hit in hits) == ["form", "link", "page", "page", "track"]
    tab = page.context.new_page()
    tab.goto("/a")
    tab.evaluate("addEventListener('click', (event) => event.preventDefault())")
    tab.locator("#go").click()
    tab.evaluate("customActivities.track('Closing', 'time')")
    tab.close()
    collector.wait_hits(2, "track")
    collector.wait_hits(2, "link")
    sent = [hit["id"] for batch in collector.batches for hit in batch["body"]["hits"]]
    assert len(sent) == len(set(sent)), "what is under way is not sent by the next page, too"


def test_what_failed_is_sent_again_with_the_same_id_and_content_and_as_late_as_it_is_told(collector, page):
    collector.add_page("/a")
    collector.answers = [(503, {"Retry-After": "2"}, 0), (500, {}, 0)]
    page.goto("/a")
    collector.wait(lambda server: len(server.batches) == 1)
    page.evaluate("for (let n = 0; n < 25; n++) customActivities.track('Count', String(n))")
    page.wait_for_timeout(700)
    assert len(collector.batches) == 1 and len(waiting(page)) == 26, "nobody sends in the pause"
    collector.wait_hits(26)
    first, *later = [batch["body"] for batch in collector.batches]
    assert later[0]["sent"] - first["sent"] >= 2000 and later[1]["sent"] - later[0]["sent"] >= 1000
    assert later[1]["hits"][0] == first["hits"][0], "a retry says what was said, under the same id"
    assert [len(batch["hits"]) for batch in later] == [20, 20, 6] and later[1]["hits"] == later[0]["hits"]
    accepted = [hit["id"] for batch in collector.batches if batch["status"] == 204 for hit in batch["body"]["hits"]]
    assert len(accepted) == len(set(accepted)) == 26
    numbers = [hit["data"]["primary"] for hit in collector.accepted("track")]
    assert numbers == [str(n) for n in range(25)], "in order"
    wait_until_empty(page)


def test_a_dead_collector_costs_nothing_and_the_next_page_sends_what_waited(collector, page):
    collector.add_page("/a")
    page.route("**/_a/e?**", lambda route: route.abort())
    page.goto("/a")
    page.evaluate("for (let n = 0; n < 130; n++) customActivities.track('Count', String(n))")
    page.wait_for_timeout(400)
    assert len(waiting(page)) == 100, "the oldest make room"
    # another script's text, a hit of the day before yesterday
    old = {"h": {"id": "x", "type": "page", "at": 1}, "v": None, "c": "unknown", "u": 0}
    page.evaluate(
        "([prefix, old]) => { localStorage[prefix + 'junk'] = '{'; localStorage[prefix + 'null'] = 'null'; localStorage[prefix + 'x'] = old; }",
        [PREFIX, json.dumps(old)],
    )
    page.unroute("**/_a/e?**")
    page.evaluate("dispatchEvent(new Event('online'))")
    hits = collector.wait_hits(100)
    assert [hit["data"]["primary"] for hit in hits] == [str(n) for n in range(30, 130)]
    page.goto("/a")
    collector.wait_hits(101)
    wait_until_empty(page)


def test_of_several_tabs_one_sends_again_where_there_are_locks_and_all_hits_arrive(collector, new_context):
    for site in ("localhost", "shop.test"):  # with locks, and without as on http pages
        collector.reset()
        collector.add_page("/a")
        collector.answer = (503, {"Retry-After": "2"}, 0)
        context = new_context(site)
        tabs = [context.new_page() for _ in range(3)]
        for tab in tabs:
            tab.goto("/a")
            tab.evaluate("customActivities.track('Tab', 'x')")
        collector.wait(lambda server: len(server.batches) >= 1)
        assert tabs[0].evaluate("!!navigator.locks") is (site == "localhost")
        tabs[0].wait_for_load_state("networkidle")  # closed earlier it could not read that a batch was accepted
        tabs.pop(0).close()  # others send what it leaves
        collector.answer = (204, {}, 0.2)
        hits = collector.wait_hits(6)
        accepted = [hit["id"] for batch in collector.batches if batch["status"] == 204 for hit in batch["body"]["hits"]]
        # without locks two tabs may send at one moment: the collector keeps each id once
        assert len(accepted) == 6 or site == "shop.test", site
        assert len(hits) == len(set(accepted)) == 6, site
        assert len({batch["body"]["visitor"] for batch in collector.batches}) == 1, site


def test_a_refused_key_and_a_bad_batch_are_dropped_and_not_sent_again(collector, page):
    collector.add_page("/a")
    collector.answers = [(400, {}, 0), (413, {}, 0), (401, {}, 0)]
    page.goto("/a")
    collector.wait(lambda server: len(server.batches) == 1)
    for number in (2, 3):
        page.evaluate("customActivities.track('Bad', 'x')")
        collector.wait(lambda server, number=number: len(server.batches) == number)
    page.wait_for_timeout(100)
    page.evaluate("customActivities.track('Bad', 'x')")
    page.wait_for_timeout(1300)
    wait_until_empty(page)
    assert len(collector.batches) == 3


def test_bodies_stay_small_enough_for_requests_that_outlive_the_page(collector, page):
    collector.add_page("/a", "<a id=go href=/b>Go</a>")
    collector.add_page("/b", head="")
    collector.answer = (204, {}, 0.5)
    page.goto("/a")
    collector.wait_hits(1)
    page.evaluate("for (let n = 0; n < 9; n++) customActivities.track('Big', String(n), {text: 'é'.repeat(5000)})")
    hits = collector.wait_hits(10)
    late = [batch["body"]["sent"] - batch["body"]["hits"][0]["at"] for batch in collector.batches]
    assert max(late) < 1000, "none was refused by the browser and had to be sent again"
    assert sorted(hit["data"].get("primary", "") for hit in hits) == ["", *map(str, range(9))]
    assert all(batch["size"] <= 32_000 for batch in collector.batches)
    # the page itself uses up what the browser allows for requests that outlive it
    page.evaluate("""() => {
        fetch("/own", {method: "POST", body: "x".repeat(50000), keepalive: true}).catch(() => {});
        for (let n = 0; n < 4; n++) customActivities.track("Big", "x", {text: "é".repeat(5000)});
    }""")
    collector.wait_hits(14)
    page.evaluate("for (let n = 0; n < 9; n++) customActivities.track('Big', 'y', {text: 'é'.repeat(5000)})")
    page.goto("/b")  # beacons take what fits, the rest is kept for the next page
    page.goto("/a")
    collector.wait_hits(15)


def test_errors_of_the_page_stop_nothing_and_the_script_throws_none_into_it(collector, new_context):
    collector.add_page(
        "/a", "<script>throw new Error('of the page')</script><a id=go href='#'>Go</a><script>notThere()</script>"
    )
    context = new_context()
    # a page's changes to globals that scripts rely on
    context.add_init_script("""
        window.caught = [];
        addEventListener("unhandledrejection", (event) => caught.push(String(event.reason)));
        Storage.prototype.setItem = () => { throw new Error("full"); };
        window.fetch = ((fetch) => (...values) => { if (window.isBroken) throw new Error("fetch"); return fetch(...values); })(fetch);
    """)
    page = context.new_page()
    page.goto("/a")
    collector.wait_hits(1)
    page.evaluate("""() => {
        window.isBroken = true;
        customActivities.track("Lost", "for a moment");
        for (const name of ["track", "identify", "form", "consent", "page", "reset", "ready"]) customActivities[name](null, Symbol("x"));
        for (const value of [1n, () => 1, NaN, {toJSON() { throw new Error("mine"); }}]) customActivities.track("Odd", "x", {value});
        history.pushState(null, "", "/b");
    }""")
    page.wait_for_timeout(300)
    page.evaluate("window.isBroken = false")
    collector.wait(lambda server: any(hit["data"].get("type") == "Lost" for hit in server.accepted()))
    assert page.evaluate("caught") == []
    assert context.errors == ["of the page", "notThere is not defined"]
    context.errors.clear()
    # the second copy of the script on a page does nothing
    odd = "<script>customActivities.q.push(null, 1, ['version', []], ['nothing', []], ['track', ['Queued', 'x']])</script>"
    collector.add_page(
        "/twice", head=collector.snippet.replace("<script async", f"{odd}<script async") + collector.snippet
    )
    page.goto("/twice")
    collector.wait(lambda server: any(hit["data"].get("type") == "Queued" for hit in server.accepted()))
    assert len([hit for hit in collector.accepted("page") if hit["url"].endswith("/twice")]) == 1
