"""Background jobs. They take ids, may run twice, and continue where a killed worker stopped."""

from procrastinate.contrib.django import app

from people.core import job_model, jobs, notifications
from people.fields import editing as field_editing
from people.files import cleanup as file_cleanup
from people.files.exports import jobs as export_jobs
from people.files.imports import runner as import_runner
from people.lists import static_lists
from people.persons import bulk, deletion, duplicates, import_undo
from people.persons import merge as person_merge
from people.persons import size as person_size


@app.task(name="people.run_import", queue="files", pass_context=False)
def run_import(import_id: int) -> None:
    import_runner.run_import(import_id)


@app.task(name="people.take_back_import", queue="files", pass_context=False)
def take_back_import(import_id: int) -> None:
    import_undo.run_import_undo(import_id)


@app.task(name="people.run_export", queue="files", pass_context=False)
def run_export(export_id: int) -> None:
    export_jobs.run_export(export_id)


@app.periodic(cron="* * * * *")
@app.task(
    name="people.go_on",
    aliases=["people.go_on_in_bulk"],  # queued by 0.2.0
    queue="files",
    queueing_lock="people.go_on",
    pass_context=False,
)
def resume_abandoned_jobs(timestamp: int) -> None:
    """Resume the jobs of every kind that a killed worker left unfinished."""
    for pk in import_undo.interrupted_undo_ids():  # the reclaim reads states, and an undo is a wish instead
        jobs.defer_job_once("people.take_back_import", f"people.take_back_import {pk}", import_id=pk)
    job_model.reclaim_jobs()


@app.periodic(cron="17 3 * * *")
@app.task(name="people.remove_old_files", queue="files", pass_context=False)
def remove_old_files(timestamp: int) -> None:
    file_cleanup.remove_old_files()


@app.periodic(cron="*/5 * * * *")
@app.task(name="people.add_up_lists", queue="people", queueing_lock="people.add_up_lists", pass_context=False)
def add_up_lists(timestamp: int) -> None:
    static_lists.sum_up_list_counts()
    person_size.sum_up_people_counts()


@app.task(name="people.clear_field", queue="people", pass_context=False)
def clear_field(api_name: str) -> None:
    """Clear the values of a deleted person field."""
    field_editing.clear_field_values(api_name)


@app.task(name="people.run_bulk_action", queue="people", pass_context=False)
def run_bulk_action(action_id: int) -> None:
    bulk.run_bulk_action(action_id)


@app.periodic(cron="43 2 * * *")
@app.task(name="people.search_duplicates_nightly", queue="people", pass_context=False)
def search_duplicates_nightly(timestamp: int) -> None:
    duplicates.search_duplicates()


@app.task(name="people.search_duplicates", queue="people", pass_context=False)
def search_duplicates() -> None:
    duplicates.search_duplicates()


@app.periodic(cron="* * * * *")
@app.task(
    name="people.mail_notices", queueing_lock="people.mail_notices", lock="people.mail_notices", pass_context=False
)
def mail_notices(timestamp: int) -> None:
    notifications.send_notice_mails()


@app.periodic(cron="37 3 * * *")
@app.task(name="people.delete_old_notices", queueing_lock="people.delete_old_notices", pass_context=False)
def delete_old_notices(timestamp: int) -> None:
    notifications.delete_old_notices()


@app.periodic(cron="29 3 * * *")
@app.task(name="people.forget_expired", queue="people", pass_context=False)
def forget_expired(timestamp: int) -> None:
    """Drop the data of deletions and merges that can no longer be undone."""
    person_merge.drop_expired_merges()
    deletion.drop_expired_deletions()
