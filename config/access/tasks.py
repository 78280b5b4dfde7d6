"""Background jobs of access: hourly deletion of expired rows, and notices about failing clients."""

from datetime import timedelta

from django.utils import timezone
from procrastinate.contrib.django import app

from activities.sources import keys as source_keys
from config.access import call_limits, sessions
from config.access.clients import failures as client_failures
from config.access.models import ApiToken, CallCount, IdempotentReply
from config.access.users import invitations

KEPT_AFTER_EXPIRY = timedelta(days=7)  # so that users still see which token expired


@app.periodic(cron="41 * * * *")
@app.task(name="config.access.tasks.tidy", queueing_lock="tidy access", lock="tidy access", pass_context=False)
def delete_expired_rows(timestamp: int) -> None:
    IdempotentReply.delete_expired()
    client_failures.delete_old_failures()
    invitations.delete_expired_invitations()
    sessions.delete_expired_sessions()
    source_keys.delete_ended_keys()
    ApiToken.objects.filter(expires_at__lt=timezone.now() - KEPT_AFTER_EXPIRY).delete()
    CallCount.objects.filter(window__lt=timestamp // call_limits.WINDOW_SECONDS - 60).delete()


@app.periodic(cron="*/5 * * * *")
@app.task(
    name="config.access.tasks.tell_of_failing_clients",
    queueing_lock="tell failing clients",
    lock="tell failing clients",
    pass_context=False,
)
def notify_owners_of_failing_clients(timestamp: int) -> None:
    client_failures.notify_owners_of_failures()
