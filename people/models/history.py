"""Data for restoring a deleted person and for undoing a merge; notes on people."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from people import querysets
from people.core.source import Channel
from people.datatypes.canonical import ExactDecoder, ExactEncoder
from people.models.person import Person


class PersonDeletion(models.Model):
    """Data for restoring a deleted person: user and time of the deletion, and the person's lists."""

    person = models.OneToOneField(Person, models.PROTECT, primary_key=True)
    deleted_at = models.DateTimeField(db_default=Now())
    channel = models.PositiveSmallIntegerField(choices=Channel.choices, db_column="door")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    memberships = models.JSONField(default=list)

    objects = querysets.PersonDeletionQuerySet.as_manager()

    class Meta:
        db_table = "person_deletion"
        default_permissions = ()
        indexes = [models.Index("deleted_at", name="person_deletion_deleted_at")]

    def __str__(self) -> str:
        return str(self.person_id)


class PersonMerge(models.Model):
    """One merge with the data for its undo; the losers' rows keep their own values."""

    winner = models.ForeignKey(Person, models.PROTECT, related_name="merges")
    loser_ids = ArrayField(models.IntegerField())
    merged_at = models.DateTimeField(db_default=Now())
    channel = models.PositiveSmallIntegerField(choices=Channel.choices, db_column="door")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    # field: [winner's value before, winner's value after], JSON-typed
    changes = models.JSONField(default=dict, encoder=ExactEncoder, decoder=ExactDecoder)
    # table: the data for the undo by its registered function (people/core/personal_data.py)
    kept = models.JSONField(default=dict)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    objects = querysets.PersonMergeQuerySet.as_manager()

    class Meta:
        db_table = "person_merge"
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        default_permissions = ()
        indexes = [GinIndex(fields=["loser_ids"], name="person_merge_losers")]

    def __str__(self) -> str:
        return f"{self.winner_id} ← {', '.join(map(str, self.loser_ids))}"


class Suppression(models.Model):
    """The address of an erased person who had objected to email, as a keyed hash; see `people.persons.objections`."""

    address_hash = models.BinaryField(primary_key=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "suppression"
        default_permissions = ()

    def __str__(self) -> str:
        return bytes(self.address_hash).hex()


class PersonNote(models.Model):
    """A note on a person by a user; written by `people.persons.notes`."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="notes")
    text = models.TextField(_("note"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "person_note"
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        default_permissions = ()
        indexes = [models.Index(fields=["person", "-id"], name="person_note_newest")]

    def __str__(self) -> str:
        return f"note {self.pk}"
