"""Background work of activities: jobs that can run twice without harm."""

from procrastinate.contrib.django import app

from activities.forms import moderation
from activities.inbound import personal_data as inbound_data
from activities.inbound import replaying as inbound_replaying
from activities.inbox import days as inbox_days
from activities.inbox import personal_data as inbox_data
from activities.inbox import replay as inbox_replay
from activities.intake import personal_data as intake_data
from activities.links import personal_data as link_data
from activities.log import retention, rollup, verify
from activities.log.columns import source as column_source
from activities.quality import counting as quality_counting
from activities.quality import notices as quality_notices
from activities.recording.quarantine import storing
from activities.visitors import retention as visitor_retention


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="rollup", lock="rollup", pass_context=False)
def keep_rollup(timestamp: int) -> None:
    rollup.catch_up_rollup()


@app.periodic(cron="23 2 * * *")
@app.task(queueing_lock="retention", lock="retention", pass_context=False)
def run_retention(timestamp: int) -> None:
    retention.run_retention()


@app.periodic(cron="11 1 * * *")
@app.task(queueing_lock="close_days", lock="close_days", pass_context=False)
def close_days(timestamp: int) -> None:
    verify.close_days()


@app.periodic(cron="41 3 * * *")
@app.task(queueing_lock="forget_refused", lock="forget_refused", pass_context=False)
def forget_refused(timestamp: int) -> None:
    storing.remove_old_rows()
    intake_data.forget_old_requests()


@app.periodic(cron="44 3 * * *")
@app.task(queueing_lock="forget_waiting", lock="forget_waiting", pass_context=False)
def forget_waiting(timestamp: int) -> None:
    inbox_data.forget_old_events()
    inbox_days.forget_old_days()
    quality_counting.forget_old_days()


@app.periodic(cron="*/10 * * * *")
@app.task(queueing_lock="notify_of_news", lock="notify_of_news", pass_context=False)
def notify_of_news(timestamp: int) -> None:
    quality_notices.notify_of_news()


@app.periodic(cron="15 0 * * *")
@app.task(queueing_lock="notify_of_changed_values", lock="notify_of_changed_values", pass_context=False)
def notify_of_changed_values(timestamp: int) -> None:
    quality_notices.notify_of_changed_values()


@app.task(name="activities.run_inbound_replay", pass_context=False)
def run_inbound_replay(replay_id: int) -> None:
    inbound_replaying.run_replay(replay_id)


@app.task(name="activities.run_inbox_replay", pass_context=False)
def run_inbox_replay(replay_id: int) -> None:
    inbox_replay.run_replay(replay_id)


@app.periodic(cron="45 3 * * *")
@app.task(queueing_lock="forget_calls", lock="forget_calls", pass_context=False)
def forget_calls(timestamp: int) -> None:
    inbound_data.forget_old_calls()


@app.periodic(cron="45 3 * * *")
@app.task(queueing_lock="forget_spam", lock="forget_spam", pass_context=False)
def forget_spam(timestamp: int) -> None:
    while moderation.delete_old_spam():
        pass


@app.periodic(cron="46 3 * * *")
@app.task(queueing_lock="forget_clicks", lock="forget_clicks", pass_context=False)
def forget_clicks(timestamp: int) -> None:
    link_data.forget_old_clicks()


@app.periodic(cron="47 3 * * *")
@app.task(queueing_lock="forget_changes", lock="forget_changes", pass_context=False)
def forget_changes(timestamp: int) -> None:
    column_source.forget_changes()


@app.periodic(cron="7 0 * * *")
@app.task(queueing_lock="keep_visitor_days", lock="keep_visitor_days", pass_context=False)
def keep_visitor_days(timestamp: int) -> None:
    visitor_retention.maintain_partitions()


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="sweep_visitors", lock="sweep_visitors", pass_context=False)
def sweep_visitors(timestamp: int) -> None:
    while visitor_retention.resume_interrupted_work():
        pass
