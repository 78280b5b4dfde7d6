"""Background work of smart lists: jobs take ids and can run twice without harm."""

import logging

from procrastinate.contrib.django import app

from people.problems import Refused
from smartlists import copying, evaluating, reporting

logger = logging.getLogger(__name__)


@app.task(name="smartlists.run_evaluation", queue="lists", pass_context=False)
def run_evaluation(evaluation_id: int) -> None:
    try:
        evaluating.run(evaluation_id)
    except Refused as refused:  # kept with the evaluation, where whoever asked finds it
        logger.warning("evaluation %s: %s", evaluation_id, refused)


@app.periodic(cron="* * * * *")
@app.task(name="smartlists.go_on", queue="lists", queueing_lock="smartlists.go_on", pass_context=False)
def go_on(timestamp: int) -> None:
    """Evaluate the lists whose time has come; give up what a killed process left."""
    evaluating.give_up_dead()
    for smart_list in evaluating.due():
        evaluating.request(smart_list, None)


@app.task(name="smartlists.copy_members", queue="lists", pass_context=False)
def copy_members(copy_id: int) -> None:
    try:
        copying.run(copy_id)
    except Refused as refused:  # kept with the copy, and shown on the list's page
        logger.warning("copy %s: %s", copy_id, refused)


@app.periodic(cron="* * * * *")
@app.task(name="smartlists.copy_due", queue="lists", queueing_lock="smartlists.copy_due", pass_context=False)
def copy_due(timestamp: int) -> None:
    copying.ask_due()


@app.task(name="smartlists.work_out_report", queue="lists", pass_context=False)
def work_out_report(report_id: int) -> None:
    reporting.run(report_id)


@app.periodic(cron="23 * * * *")
@app.task(
    name="smartlists.forget_reports", queue="lists", queueing_lock="smartlists.forget_reports", pass_context=False
)
def forget_reports(timestamp: int) -> None:
    reporting.forget_old()


# at the end: the worker finds tasks in modules of this name
from smartlists import campaign_tasks  # noqa: E402, F401
