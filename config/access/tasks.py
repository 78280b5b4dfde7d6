"""Background work of access: what is over is thrown away once an hour."""

from datetime import timedelta

from django.utils import timezone
from procrastinate.contrib.django import app

from config.access.clients import failures as client_failures
from config.access.models import ApiToken, CallCount
from config.access.sign_in import sessions
from config.access.users import invitations
from config.api import idempotency
from config.api import throttling as api_throttling

KEPT_AFTER_EXPIRY = timedelta(days=7)  # so that people still see which token ended


@app.periodic(cron="41 * * * *")
@app.task(queueing_lock="tidy access", lock="tidy access", pass_context=False)
def tidy(timestamp: int) -> None:
    idempotency.forget_old()
    client_failures.forget_old()
    invitations.forget_expired()
    sessions.forget_expired()
    ApiToken.objects.filter(expires_at__lt=timezone.now() - KEPT_AFTER_EXPIRY).delete()
    CallCount.objects.filter(window__lt=timestamp // api_throttling.WINDOW_SECONDS - 60).delete()


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="tell failing clients", lock="tell failing clients", pass_context=False)
def tell_of_failing_clients(timestamp: int) -> None:
    client_failures.tell()
