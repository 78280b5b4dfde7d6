"""Background work of campaigns: calls and e-mails. Jobs may run twice, and go on where a killed worker stopped."""

from typing import Any

from django.db import transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from smartlists import alerts, delivering, results


@app.task(name="smartlists.deliver", queue="campaigns", pass_context=False)
def deliver(webhook_id: int, lane: int) -> None:
    """Make the calls of one lane of a webhook that are due; have somebody look again when the next ones are."""
    seconds = delivering.drain(webhook_id, lane)
    if seconds is not None:
        again = deliver.configure(
            queueing_lock=f"webhook {webhook_id} {lane} again", schedule_in={"seconds": min(seconds, 3_600.0)}
        )
        _defer(again, webhook_id=webhook_id, lane=lane)


@app.task(name="smartlists.send_alerts", queue="campaigns", pass_context=False)
def send_alerts() -> None:
    alerts.send()


@app.periodic(cron="* * * * *")
@app.task(
    name="smartlists.go_on_sending", queue="campaigns", queueing_lock="smartlists.go_on_sending", pass_context=False
)
def go_on_sending(timestamp: int) -> None:
    """Take up what a killed process left, or what nobody was told of."""
    for webhook_id, lane in delivering.due_lanes():
        later(deliver, f"webhook {webhook_id} {lane}", webhook_id=webhook_id, lane=lane)
    alerts.send()


@app.periodic(cron="52 3 * * *")
@app.task(name="smartlists.forget_results", queue="campaigns", pass_context=False)
def forget_results(timestamp: int) -> None:
    results.forget_old()


def later(task: Any, queueing_lock: str, **arguments: Any) -> None:
    """Have `task` run once this transaction is committed; a job that waits already is as good."""
    transaction.on_commit(lambda: _defer(task.configure(queueing_lock=queueing_lock), **arguments))


def _defer(deferrer: Any, **arguments: Any) -> None:
    try:
        with transaction.atomic():
            deferrer.defer(**arguments)
    except AlreadyEnqueued:
        pass
