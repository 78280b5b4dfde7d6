"""The alert rules and the dashboard in deploy/ use metrics and labels that there are."""

import json
import re

import yaml
from django.conf import settings

from activities.inbound import keeping as inbound_keeping
from activities.inbound import processing as inbound_processing
from activities.intake import processing as intake_processing
from activities.links import clicks as link_clicks
from activities.recording import recorder
from activities.recording.quarantine import room
from activities.sources import authentication, usage
from activities.tracking import committing
from config.collector import http as collector_http
from config.collector import writer as collector_writer
from config.observability import metrics as metrics_page
from config.observability import probes
from smartlists.evaluation import evaluator

PREFIX = f"{metrics_page.PREFIX}_"
RULES = settings.BASE_DIR / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = settings.BASE_DIR / "deploy" / "grafana" / "custom-activities.json"
COUNTED = (
    metrics_page.REQUESTS,
    metrics_page.REQUEST_SECONDS,
    recorder.ROWS,
    room.LEFT_OUT,
    evaluator.SECONDS,
    usage.EVENTS,
    usage.BYTES,
    authentication.REFUSED_REQUESTS,
    committing.HITS,
    inbound_keeping.CALLS,
    inbound_processing.ACTIVITIES,
    intake_processing.REQUESTS,
    link_clicks.CLICKS,
    collector_http.ANSWERS,
    collector_writer.COMMIT_SECONDS,
)


def exposed():
    """Labels by the name of each sample that /metrics can have."""
    samples = {f"{PREFIX}database_up": set()}
    for name, (_says, label, _look) in probes.GAUGES.items():
        samples[PREFIX + name] = {label} - {""}
    for measure in COUNTED:
        labels = set(measure.labels)
        if measure.bounds:
            samples |= {f"{PREFIX}{measure.name}_bucket": labels | {"le"}}
            samples |= {f"{PREFIX}{measure.name}_{end}": labels for end in ("sum", "count")}
        else:
            samples[f"{PREFIX}{measure.name}_total"] = labels
    return samples


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels():
    return json.loads(DASHBOARD.read_text())["panels"]


def expressions():
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + asked


def test_every_metric_and_label_that_is_asked_for_exists():
    samples, asked = exposed(), set()
    for expression in expressions():
        names = set(re.findall(rf"{PREFIX}\w+", expression))
        assert names <= set(samples), expression
        labels = {label for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(", ")}
        if names:
            labels |= set(re.findall(r"[{,]\s*(\w+)\s*(?:=|!)", expression))
            assert labels <= {label for name in names for label in samples[name]}, expression
        asked |= names
    unused = {name for name in samples if not name.endswith(("_sum", "_count"))} - asked
    assert not unused, f"neither alert nor panel: {sorted(unused)}"


def test_what_legends_show_is_what_the_expression_groups_by():
    for panel in panels():
        for target in panel["targets"]:
            (name,) = re.findall(rf"{PREFIX}\w+", target["expr"])
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= exposed()[name], target


def test_every_alert_says_how_bad_it_is_and_what_to_do():
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) > 8
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"} and rule["for"]
        assert all(rule["annotations"][part].strip() for part in ("summary", "description"))


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    assert len({panel["id"] for panel in panels()}) == len(panels())
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels())
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells)) and all(x < 24 for x, _y in cells)
