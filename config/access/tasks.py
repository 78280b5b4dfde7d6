"""Background work of access: what is over is thrown away once an hour."""

from datetime import timedelta

from django.utils import timezone
from procrastinate.contrib.django import app

from config.access import failures
from config.access.models import ApiToken, CallCount
from config.api import idempotency, limits

KEPT_AFTER_EXPIRY = timedelta(days=7)  # so that people still see which token ended


@app.periodic(cron="41 * * * *")
@app.task(queueing_lock="tidy access", lock="tidy access", pass_context=False)
def tidy(timestamp: int) -> None:
    idempotency.forget_old()
    failures.forget_old()
    ApiToken.objects.filter(expires_at__lt=timezone.now() - KEPT_AFTER_EXPIRY).delete()
    CallCount.objects.filter(window__lt=timestamp // limits.WINDOW_SECONDS - 60).delete()


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="tell failing clients", lock="tell failing clients", pass_context=False)
def tell_of_failing_clients(timestamp: int) -> None:
    failures.tell()
