"""Background work of smart lists: jobs take ids and can run twice without harm."""

import logging

from procrastinate.contrib.django import app

from people.core import jobs
from people.core.errors import RejectedError
from smartlists.campaigns import emails as campaign_emails
from smartlists.campaigns import results as campaign_results
from smartlists.campaigns import scheduling as campaign_scheduling
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import copies as list_copies
from smartlists.lists import reports as list_reports
from smartlists.webhooks import delivery as webhook_delivery
from smartlists.webhooks import headers as webhook_headers

logger = logging.getLogger(__name__)


@app.task(name="smartlists.run_evaluation", queue="lists", pass_context=False)
def run_evaluation(evaluation_id: int) -> None:
    try:
        stored_evaluations.run(evaluation_id)
    except RejectedError as refused:  # kept with the evaluation, where whoever asked finds it
        logger.warning("evaluation %s: %s", evaluation_id, refused)


@app.periodic(cron="* * * * *")
@app.task(name="smartlists.go_on", queue="lists", queueing_lock="smartlists.go_on", pass_context=False)
def go_on(timestamp: int) -> None:
    """Evaluate the lists whose time has come."""
    for smart_list in stored_evaluations.due():
        stored_evaluations.request(smart_list, None)


@app.task(name="smartlists.copy_members", queue="lists", pass_context=False)
def copy_members(copy_id: int) -> None:
    try:
        list_copies.run(copy_id)
    except RejectedError as refused:  # kept with the copy, and shown on the list's page
        logger.warning("copy %s: %s", copy_id, refused)


@app.periodic(cron="* * * * *")
@app.task(name="smartlists.copy_due", queue="lists", queueing_lock="smartlists.copy_due", pass_context=False)
def copy_due(timestamp: int) -> None:
    list_copies.ask_due()


@app.task(name="smartlists.work_out_report", queue="lists", pass_context=False)
def work_out_report(report_id: int) -> None:
    list_reports.run(report_id)


@app.periodic(cron="23 * * * *")
@app.task(
    name="smartlists.forget_reports", queue="lists", queueing_lock="smartlists.forget_reports", pass_context=False
)
def forget_reports(timestamp: int) -> None:
    list_reports.forget_old()


@app.task(name="smartlists.deliver", queue="campaigns", pass_context=False)
def deliver(webhook_id: int, lane: int) -> None:
    """Make the calls of one lane of a webhook that are due; have somebody look again when the next ones are."""
    seconds = webhook_delivery.drain(webhook_id, lane)
    if seconds is not None:
        again = f"webhook {webhook_id} {lane} again"
        jobs.defer_once("smartlists.deliver", again, min(seconds, 3_600.0), webhook_id=webhook_id, lane=lane)


@app.task(name="smartlists.send_alerts", queue="campaigns", pass_context=False)
def send_alerts() -> None:
    campaign_emails.send()


@app.periodic(cron="* * * * *")
@app.task(
    name="smartlists.go_on_sending", queue="campaigns", queueing_lock="smartlists.go_on_sending", pass_context=False
)
def go_on_sending(timestamp: int) -> None:
    """Take up what a killed process left, or what nobody was told of."""
    for webhook_id, lane in webhook_delivery.due_lanes():
        jobs.defer_once("smartlists.deliver", f"webhook {webhook_id} {lane}", webhook_id=webhook_id, lane=lane)
    campaign_emails.send()


@app.task(name="smartlists.begin_run", queue="campaigns", pass_context=False)
def begin_run(run_id: int) -> None:
    """Run a campaign for its audience at the moment that somebody scheduled; who asked is told if it cannot be."""
    campaign_scheduling.begin(run_id)


@app.periodic(cron="7 4 * * *")
@app.task(
    name="smartlists.seal_headers", queue="campaigns", queueing_lock="smartlists.seal_headers", pass_context=False
)
def seal_headers(timestamp: int) -> None:
    """Seal headers that a version from before wrote."""
    webhook_headers.seal_all()


@app.periodic(cron="52 3 * * *")
@app.task(name="smartlists.forget_results", queue="campaigns", pass_context=False)
def forget_results(timestamp: int) -> None:
    campaign_results.forget_old()
