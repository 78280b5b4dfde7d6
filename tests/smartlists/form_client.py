"""The builder's form as a browser without scripts sends it."""

from html.parser import HTMLParser

from django.urls import reverse

NAME = "admin:smartlists_smartlist"
BIG = {
    "version": 1,
    "match": "advanced",
    "logic": "1 and (2 or not 3) and 4",
    "filters": [
        {
            "kind": "activity",
            "did": True,
            "type": "depositCheck",
            "constraints": [
                {"field": "amount", "operator": "greater than", "values": ["500"]},
                {"field": "@occurred_at", "operator": "in past", "values": ["90 days"]},
                {"field": "branch", "operator": "is not", "values": ["Madrid", "Málaga <b>"], "empty": "exclude"},
                {"field": "deposited_on", "operator": "in time frame", "values": ["last quarter"]},
                {"field": "is_foreign", "operator": "is", "values": ["false"]},
            ],
            "count": {"operator": "between", "values": ["2", "5"]},
            "aggregate": {"function": "sum", "field": "amount", "operator": "at least", "values": ["1000.5"]},
        },
        {"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"], "empty": "include"},
        {"kind": "person_field", "field": "unsubscribed", "operator": "is empty"},
        {
            "kind": "sequence",
            "steps": [
                {
                    "type": "depositCheck",
                    "constraints": [{"field": "pages", "operator": "between", "values": ["1", "3"]}],
                },
                {"type": "newPerson", "within_days": 7, "not": True},
            ],
        },
    ],
}


def builder_url(tab, *args):
    return reverse(f"{NAME}_{tab}", args=args)


class Inputs(HTMLParser):
    """The inputs of the builder's form as a browser would send them."""

    def __init__(self, html):
        super().__init__()
        self.sent, self.select, self.options, self.area, self.inside = [], None, [], None, False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.inside = attrs.get("id") == "list-form"
        elif not self.inside or "disabled" in attrs:
            return
        elif tag == "input" and (attrs.get("type") != "checkbox" or "checked" in attrs):
            self.sent.append((attrs["name"], attrs.get("value") or ""))
        elif tag == "select":
            self.select, self.options = attrs["name"], []
        elif tag == "option":
            self.options.append((attrs.get("value"), "selected" in attrs))
        elif tag == "textarea":
            self.area = [attrs["name"], ""]

    def handle_data(self, data):
        if self.area:
            self.area[1] += data

    def handle_endtag(self, tag):
        if tag == "select" and self.select:
            chosen = [value for value, is_selected in self.options if is_selected] or [self.options[0][0]]
            self.sent.append((self.select, chosen[-1]))
            self.select = None
        elif tag == "textarea" and self.area:
            self.sent.append(tuple(self.area))
            self.area = None
        elif tag == "form":
            self.inside = False


def press_button(client, page, action, **changes):
    """Press a button of the form that `page` shows, having changed some inputs."""
    data = {}
    for name, value in Inputs(page.text).sent:
        data.setdefault(name, []).append(value)
    return client.post(page.request["PATH_INFO"], data | changes | {"do": action}, follow=True)
