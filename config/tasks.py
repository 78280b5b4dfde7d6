"""Background work of the installation as a whole."""

from procrastinate.contrib.django import app

from config import finished_jobs


@app.periodic(cron="53 3 * * *")
@app.task(queueing_lock="remove finished jobs", lock="remove finished jobs", pass_context=False)
def remove_finished_jobs(timestamp: int) -> None:
    finished_jobs.remove_old()
