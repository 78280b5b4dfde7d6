"""Object records and their changes.

Written through `people.objects` only. They stay on the coordinator of a cluster. No foreign key leads to people: a
record is written while its person may be locked for a change; merges, deletions and erasures exclude both by a lock.
"""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from people import querysets
from people.core.source import Channel
from people.datatypes.canonical import ExactDecoder, ExactEncoder
from people.models.object_types import ObjectType


class ObjectRecord(models.Model):
    """One object: a car. Among the records that are not deleted its dedupe values are unique.

    `person_id`: the person of its link; null without a link to a person, and while the link waits for a person.
    `person_key` and `linked_key` are the values of its links as compared (`keys.key_of`).
    """

    id = models.BigAutoField(primary_key=True)
    guid = models.UUIDField(unique=True, editable=False)
    object_type = models.ForeignKey(ObjectType, models.PROTECT, related_name="records")
    version = models.PositiveSmallIntegerField(_("version"))
    person_id = models.IntegerField(_("person"), null=True)
    person_key = models.TextField(null=True)
    # the record of another type that its link names
    linked = models.ForeignKey("self", models.DO_NOTHING, null=True, related_name="linking")
    linked_key = models.TextField(null=True)
    dedupe_hash = models.BinaryField(max_length=32, editable=False)
    name = models.TextField(_("name"))  # its dedupe values, as shown
    # by API name, JSON-typed; an absent key is no value
    fields = models.JSONField(_("values"), default=dict, encoder=ExactEncoder, decoder=ExactDecoder)
    # incremented by every change, so that the second of two editors gets a conflict
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())
    deleted_at = models.DateTimeField(_("deleted at"), null=True)
    # of a deleted record: the one that stayed when their dedupe values came to name the same person or record
    replaced_by_id = models.BigIntegerField(null=True, editable=False)

    objects = querysets.ObjectRecordQuerySet.as_manager()

    class Meta:
        db_table = "object_record"
        verbose_name = _("object record")
        verbose_name_plural = _("object records")
        constraints = [
            models.UniqueConstraint(
                "object_type", "dedupe_hash", condition=Q(deleted_at__isnull=True), name="object_record_is_unique"
            )
        ]
        indexes = [
            models.Index("object_type", "id", condition=Q(deleted_at__isnull=True), name="object_record_page"),
            models.Index("object_type", "updated_at", "id", name="object_record_updated"),
            models.Index("object_type", "person_id", condition=Q(deleted_at__isnull=True), name="object_record_has"),
            models.Index("person_id", "object_type", "id", name="object_record_person"),
            models.Index("linked", name="object_record_linked", condition=Q(linked__isnull=False)),
            models.Index(
                "object_type",
                models.Func("person_key", function="md5", output_field=models.TextField()),
                condition=Q(person_key__isnull=False),
                name="object_record_names_person",
            ),
            models.Index(
                "object_type",
                models.Func("linked_key", function="md5", output_field=models.TextField()),
                condition=Q(linked__isnull=True, linked_key__isnull=False),
                name="object_record_waits_record",
            ),
            models.Index(
                "object_type",
                "id",
                condition=Q(deleted_at__isnull=True) & querysets.waits_for_link(),
                name="object_record_waiting",
            ),
            models.Index("replaced_by_id", name="object_record_replaced", condition=Q(replaced_by_id__isnull=False)),
            models.Index(
                "object_type",
                "dedupe_hash",
                condition=Q(replaced_by_id__isnull=False),
                name="object_record_replaced_key",
            ),
            GinIndex(querysets.record_words(), name="object_record_words"),
            GinIndex(querysets.record_date_keys(), name="object_record_dates"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def waits_for_person(self) -> bool:
        return self.person_id is None and self.person_key is not None

    @property
    def waits_for_record(self) -> bool:
        return self.linked_id is None and self.linked_key is not None

    @property
    def is_waiting(self) -> bool:
        """True if one of its links has no match yet."""
        return self.waits_for_person or self.waits_for_record


class ObjectChange(models.Model):
    """One change of one record, kept for ever. A trigger lets a merge give it to another person, and an erasure delete
    it or take values out of it, in a transaction that sets `people.erasing`.

    `changes` has the old and the new value of each changed field; `person_id` is the person of the record after the
    change, `former_person_id` another one before it. Readers follow the table by `people.objects.change_log`: all
    types, or one type in the order of ids (`object_change_log`).
    """

    class Kind(models.IntegerChoices):
        ADDED = 1, _("Added")
        CHANGED = 2, _("Changed")
        REMOVED = 3, _("Deleted")
        RESTORED = 4, _("Restored")
        JOINED = 5, _("Given its person")  # the person that its link had been waiting for
        LINKED = 6, _("Given its linked record")  # the record that its link had been waiting for

    id = models.BigAutoField(primary_key=True)
    record_id = models.BigIntegerField()
    object_type_id = models.IntegerField()
    person_id = models.IntegerField(null=True)
    former_person_id = models.IntegerField(null=True)
    kind = models.PositiveSmallIntegerField(_("kind"), choices=Kind.choices)
    changes = models.JSONField(default=dict, encoder=ExactEncoder, decoder=ExactDecoder)
    revision = models.PositiveIntegerField()  # of the record after the change
    version = models.PositiveSmallIntegerField()  # of the type that checked it
    changed_at = models.DateTimeField(_("changed at"), db_default=Now())
    channel = models.PositiveSmallIntegerField(_("channel"), choices=Channel.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, null=True, db_constraint=False)
    origin_id = models.BigIntegerField(null=True)
    is_backfill = models.BooleanField(default=False)
    undoes_id = models.BigIntegerField(null=True)  # the change that this one took back
    # the record that stayed in place of this one (REMOVED), or that this one gave way to until now (RESTORED)
    replaced_by_id = models.BigIntegerField(null=True)
    # the values of links among `changes`, as compared; by them an erasure finds what to take out. A trigger sets them
    # in rows that the version before writes.
    link_keys = ArrayField(models.TextField(), null=True)

    class Meta:
        db_table = "object_change"
        verbose_name = _("change of an object record")
        verbose_name_plural = _("changes of object records")
        default_permissions = ()
        indexes = [
            models.Index("record_id", "id", name="object_change_record"),
            models.Index("object_type_id", "changed_at", "person_id", name="object_change_period"),
            models.Index("object_type_id", "id", name="object_change_log"),
            models.Index("person_id", "changed_at", "id", name="object_change_timeline"),
            models.Index("former_person_id", name="object_change_former", condition=Q(former_person_id__isnull=False)),
            models.Index("origin_id", "id", name="object_change_origin", condition=Q(origin_id__isnull=False)),
            models.Index(
                "replaced_by_id", "id", name="object_change_replaced", condition=Q(replaced_by_id__isnull=False)
            ),
            GinIndex("link_keys", name="object_change_links", condition=Q(link_keys__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.record_id}: {self.get_kind_display()}"
