"""Background jobs of the whole installation."""

from procrastinate import JobContext
from procrastinate.builtin_tasks import remove_old_jobs
from procrastinate.contrib.django import app

# retention of finished and of failed jobs
KEPT_HOURS, FAILED_KEPT_HOURS = 7 * 24, 30 * 24


@app.periodic(cron="53 3 * * *")
@app.task(queueing_lock="remove finished jobs", lock="remove finished jobs", pass_context=True)
async def remove_finished_jobs(context: JobContext, timestamp: int) -> None:
    await remove_old_jobs(context, max_hours=KEPT_HOURS, remove_cancelled=True, remove_aborted=True)
    await remove_old_jobs(context, max_hours=FAILED_KEPT_HOURS, remove_failed=True)
