"""Background work of activities: jobs that can run twice without harm."""

from procrastinate.contrib.django import app

from activities import rollup


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="rollup", lock="rollup", pass_context=False)
def keep_rollup(timestamp: int) -> None:
    rollup.catch_up()
