"""Static lists, their members and counts."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from people import querysets
from people.core.models import Folder
from people.core.source import Channel
from people.models.person import Person


class StaticList(models.Model):
    """A list of people, added by hand or by program; they stay until removed."""

    name = models.CharField(_("name"), max_length=255)
    description = models.TextField(_("description"), blank=True)
    folder = models.ForeignKey(Folder, models.PROTECT, null=True, blank=True, verbose_name=_("folder"))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    is_archived = models.BooleanField(_("archived"), default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True, editable=False)

    objects = querysets.StaticListQuerySet.as_manager()

    class Meta:
        db_table = "static_list"
        verbose_name = _("static list")
        verbose_name_plural = _("static lists")
        constraints = [models.UniqueConstraint(Lower("name"), name="static_list_name_is_unique")]

    def __str__(self) -> str:
        return self.name


class StaticListMember(models.Model):
    """One person on one static list, with date and source."""

    pk = models.CompositePrimaryKey("static_list_id", "person_id")
    static_list = models.ForeignKey(StaticList, models.CASCADE, related_name="members")
    person = models.ForeignKey(Person, models.CASCADE, related_name="list_memberships")
    added_at = models.DateTimeField(db_default=Now())
    channel = models.PositiveSmallIntegerField(choices=Channel.choices, db_column="door")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    origin_id = models.BigIntegerField(null=True)

    objects = querysets.StaticListMemberQuerySet.as_manager()

    class Meta:
        db_table = "static_list_member"
        verbose_name = _("static list member")
        verbose_name_plural = _("static list members")


class StaticListCount(models.Model):
    """The change of a static list's size by some statements; the sum of the rows is its current size.

    Written by triggers, a row a statement, so that two transactions that add to one list never wait for each other;
    summed up by `static_lists.sum_up_list_counts`.
    """

    static_list_id = models.BigIntegerField()  # no foreign key: its lock could deadlock
    people = models.BigIntegerField()

    class Meta:
        db_table = "static_list_count"
        default_permissions = ()
        indexes = [models.Index("static_list_id", name="static_list_count_list")]

    def __str__(self) -> str:
        return f"{self.static_list_id}: {self.people:+}"
