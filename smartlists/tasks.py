"""Background work of smart lists: jobs take ids and can run twice without harm."""

import logging

from procrastinate.contrib.django import app

from people.core import jobs
from people.core.errors import RejectedError
from smartlists.campaigns import emails as campaign_emails
from smartlists.campaigns import results as campaign_results
from smartlists.campaigns.running import record_dates
from smartlists.campaigns.running import scheduling as campaign_scheduling
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import copies as list_copies
from smartlists.lists import reports as list_reports
from smartlists.webhooks import delivery as webhook_delivery
from smartlists.webhooks import headers as webhook_headers

logger = logging.getLogger(__name__)


@app.task(name="smartlists.run_evaluation", queue="lists", pass_context=False)
def run_evaluation(evaluation_id: int) -> None:
    try:
        stored_evaluations.run_evaluation(evaluation_id)
    except RejectedError as refusal:  # stored with the evaluation and shown to the requesting user
        logger.warning("evaluation %s: %s", evaluation_id, refusal)


@app.periodic(cron="* * * * *")
@app.task(name="smartlists.go_on", queue="lists", queueing_lock="smartlists.go_on", pass_context=False)
def evaluate_due_lists(timestamp: int) -> None:
    """Queue evaluations of the lists whose schedule is due."""
    for smart_list in stored_evaluations.due_lists():
        stored_evaluations.request_evaluation(smart_list, None)


@app.task(name="smartlists.copy_members", queue="lists", pass_context=False)
def copy_members(copy_id: int) -> None:
    try:
        list_copies.run_copy(copy_id)
    except RejectedError as refusal:  # stored with the copy and shown on the list's page
        logger.warning("copy %s: %s", copy_id, refusal)


@app.periodic(cron="* * * * *")
@app.task(name="smartlists.copy_due", queue="lists", queueing_lock="smartlists.copy_due", pass_context=False)
def queue_due_copies(timestamp: int) -> None:
    list_copies.queue_due_copies()


@app.task(name="smartlists.work_out_report", queue="lists", pass_context=False)
def compute_report(report_id: int) -> None:
    list_reports.run_report(report_id)


@app.periodic(cron="23 * * * *")
@app.task(
    name="smartlists.forget_reports", queue="lists", queueing_lock="smartlists.forget_reports", pass_context=False
)
def forget_reports(timestamp: int) -> None:
    list_reports.delete_old_reports()


@app.task(name="smartlists.deliver", queue="campaigns", pass_context=False)
def deliver_webhook_calls(webhook_id: int, lane: int) -> None:
    """Make the due calls of one lane of a webhook; queue the next job for when further calls are due."""
    seconds = webhook_delivery.deliver_lane(webhook_id, lane)
    if seconds is not None:
        lock = f"webhook {webhook_id} {lane} again"
        jobs.defer_job_once("smartlists.deliver", lock, min(seconds, 3_600.0), webhook_id=webhook_id, lane=lane)


@app.task(name="smartlists.send_alerts", queue="campaigns", pass_context=False)
def send_alerts() -> None:
    campaign_emails.send_alerts()


@app.periodic(cron="* * * * *")
@app.task(
    name="smartlists.go_on_sending", queue="campaigns", queueing_lock="smartlists.go_on_sending", pass_context=False
)
def resume_sending(timestamp: int) -> None:
    """Resume calls and e-mails that a killed process left, or for which no job was queued."""
    for webhook_id, lane in webhook_delivery.lanes_with_due_calls():
        jobs.defer_job_once("smartlists.deliver", f"webhook {webhook_id} {lane}", webhook_id=webhook_id, lane=lane)
    campaign_emails.send_alerts()


@app.task(name="smartlists.begin_run", queue="campaigns", pass_context=False)
def begin_run(run_id: int) -> None:
    """Run a campaign for its audience at the scheduled moment; notify the scheduling user if that is refused."""
    campaign_scheduling.begin_run(run_id)


@app.periodic(cron="7 4 * * *")
@app.task(
    name="smartlists.seal_headers", queue="campaigns", queueing_lock="smartlists.seal_headers", pass_context=False
)
def seal_headers(timestamp: int) -> None:
    """Seal headers that the previous release stored."""
    webhook_headers.seal_all_headers()


@app.periodic(cron="52 3 * * *")
@app.task(name="smartlists.forget_results", queue="campaigns", pass_context=False)
def forget_results(timestamp: int) -> None:
    campaign_results.delete_old_results()
    record_dates.forget_old_dates()
