"""The intake: requests of programs that were acknowledged, and wait for a moment until they are processed."""

from django.db import models


class IntakeRequest(models.Model):
    """One request as it came. It leaves in the transaction that stores its events.

    `call`: the name of the call, as in `segment.wire.PATHS`. `sent_at`: of the head. `body`: JSON text, inflated,
    without the write key. `size`: of the body. `tries`: made alone, without success; after the last one it is
    stuck, and waits for an operator. `error`: where the last error was raised, without values.
    """

    key = models.UUIDField(unique=True, editable=False)  # made when it came: kept twice it is one
    source = models.ForeignKey("activities.EventSource", models.PROTECT, related_name="+", db_index=False)
    received_at = models.DateTimeField()
    call = models.CharField(max_length=10)
    sent_at = models.CharField(max_length=64, blank=True, default="", db_default="")
    opts_out = models.BooleanField(default=False, db_default=False)
    events = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    body = models.BinaryField()
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    try_at = models.DateTimeField(null=True)  # not before
    is_stuck = models.BooleanField(default=False, db_default=False)
    error = models.CharField(max_length=255, blank=True, default="", db_default="")

    class Meta:
        db_table = "intake_request"
        default_permissions = ()
        indexes = [
            models.Index(fields=["source", "id"], condition=models.Q(is_stuck=False), name="intake_request_due"),
            models.Index(fields=["id"], condition=models.Q(is_stuck=True), name="intake_request_stuck"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class IntakePass(models.Model):
    """The last request of the pass in progress over one source's requests; 0: none is in progress.

    Where no process works on the source, the pass never ended.
    """

    source = models.OneToOneField("activities.EventSource", models.CASCADE, related_name="+", primary_key=True)
    last_id = models.BigIntegerField()

    class Meta:
        db_table = "intake_pass"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.source_id} to {self.last_id}"
