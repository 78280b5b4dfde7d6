"""The lines to paste, put into a page in the ways of tag managers, and of applications that call functions early."""

import json

import pytest

from activities.tracking.script import files
from tests.activities.tracking.script.recording_collector import KEY

pytestmark = [pytest.mark.e2e, pytest.mark.flaky(reruns=1)]

# The container's own part: the HTML of a tag is parsed into a box at the end of the body, where scripts do not run;
# each script is then made anew with its text, or its address alone (other attributes are lost), before the next one.
CUSTOM_HTML = """
function insert(node, parent, done) {
  const [first, ...rest] = node.childNodes;
  const next = (at) => at < node.childNodes.length ? one(node.childNodes[at].cloneNode(true), () => next(at + 1)) : done();
  function one(child, after) {
    if (child.nodeName !== "SCRIPT") { parent.append(child); return after(); }
    const script = document.createElement("script");
    script.async = false;
    script.type = "text/javascript";
    script.id = "";
    if (child.src) { script.onload = after; script.onerror = after; script.src = child.src; parent.append(script); }
    else { script.text = child.text; parent.append(script); after(); }
  }
  next(0);
}
function fire(html, done = () => {}) {
  const box = document.createElement("div");
  box.style.cssText = "display: none; visibility: hidden";
  document.body.append(box);
  const parsed = document.createElement("div");
  parsed.innerHTML = html;
  insert(parsed, box, done);
}
"""
# "Support document.write": the same, while what scripts write goes through the same hands
WITH_DOCUMENT_WRITE = CUSTOM_HTML.replace(
    "function fire(html, done = () => {}) {",
    "document.write = (text) => fire(text);\nfunction fire(html, done = () => {}) {",
)
BODY = """<a id=go href='#x' data-track=Go>Go</a> <a id=file href=/price.pdf>Prices</a>
    <form name=contact action=/thanks><input name=email value=ada@example.com><button>Send</button></form>"""


def lines(collector):
    return files.queue_tag() + "\n" + files.script_tag(f"{collector.host('track.test')}/_a/s/{KEY}.js")


def in_script(text):
    """A text as JavaScript that an inline script may hold."""
    return json.dumps(text).replace("<", "\\u003c")


@pytest.mark.parametrize("container", [CUSTOM_HTML, WITH_DOCUMENT_WRITE], ids=["as it is", "document.write"])
def test_a_custom_html_tag_of_a_tag_manager_records_visit_click_call_and_form(collector, page, container):
    collector.configure(forms=[{"name": "contact", "selector": "form", "fields": {"email": "email"}}])
    tag, other = lines(collector), "<script>customActivities.track('Saw', 'tag')</script>"  # before the file arrived
    calls = "".join(f"fire({in_script(html)});" for html in (tag, other))
    head = f"<script>{container} addEventListener('DOMContentLoaded', () => {{ {calls} }});</script>"
    collector.add_page("/a", BODY, head=head)
    page.goto("/a")
    collector.wait_hits(2)
    page.locator("#go").click()
    collector.wait_hits(2, "track")
    page.get_by_role("button", name="Send").click()
    collector.wait_hits(1, "form")
    assert [hit["data"]["type"] for hit in collector.accepted("track")] == ["Saw", "Go"]
    assert collector.accepted("page")[0]["url"].endswith("/a")


def test_an_application_says_who_it_is_before_the_file_has_arrived(collector, page):
    head = lines(collector) + '<script type="module">customActivities.identify({email: "ada@example.com"})</script>'
    collector.add_page("/a", head=head)
    page.goto("/a")
    collector.wait_hits(2)
    assert {hit["type"] for hit in collector.accepted()} == {"page", "identify"}
