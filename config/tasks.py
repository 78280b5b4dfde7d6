"""Background work of the installation as a whole."""

from procrastinate.contrib.django import app

from config.operations import job_cleanup


@app.periodic(cron="53 3 * * *")
@app.task(queueing_lock="remove finished jobs", lock="remove finished jobs", pass_context=False)
def remove_finished_jobs(timestamp: int) -> None:
    job_cleanup.remove_old()
