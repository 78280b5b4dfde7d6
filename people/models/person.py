"""People, the fields that describe them, and the lists they are on."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from people import datatypes, querysets
from people.sources import Door


class Installation(models.Model):
    """What holds for everybody who works here: one row, made by the first start."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    company = models.CharField(_("company"), max_length=255, blank=True)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", help_text=_("Days in rules are days of this zone.")
    )
    currency = models.CharField(
        _("currency"), max_length=3, default="USD", help_text=_("Every currency value is in this currency.")
    )
    language = models.CharField(_("language"), max_length=8, default="en")
    week_starts_on = models.PositiveSmallIntegerField(
        _("week starts on"), default=0, choices=[(0, _("Monday")), (6, _("Sunday")), (5, _("Saturday"))]
    )
    created_at = models.DateTimeField(auto_now_add=True, editable=False)

    class Meta:
        db_table = "installation"
        verbose_name = _("installation")
        verbose_name_plural = _("installation")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="installation_is_one_row")]

    def __str__(self) -> str:
        return self.company or str(_("This installation"))


class Person(models.Model):
    """Somebody we know. Written through the verb modules only; removed people keep their row and id."""

    class State(models.TextChoices):
        LIVE = "live", _("Live")
        DELETED = "deleted", _("Deleted")
        MERGED = "merged", _("Merged")
        ERASED = "erased", _("Erased")

    # int4: bitmaps of people hold 32-bit ids; ids are never reused
    id = models.AutoField(primary_key=True)
    email = models.CharField(_("Email"), max_length=255, null=True, blank=True)
    salutation = models.CharField(_("Salutation"), max_length=255, null=True, blank=True)
    first_name = models.CharField(_("First Name"), max_length=255, null=True, blank=True)
    middle_name = models.CharField(_("Middle Name"), max_length=255, null=True, blank=True)
    last_name = models.CharField(_("Last Name"), max_length=255, null=True, blank=True)
    title = models.CharField(_("Job Title"), max_length=255, null=True, blank=True)
    company = models.CharField(_("Company"), max_length=255, null=True, blank=True)
    industry = models.CharField(_("Industry"), max_length=255, null=True, blank=True)
    annual_revenue = models.DecimalField(_("Annual Revenue"), max_digits=19, decimal_places=4, null=True, blank=True)
    number_of_employees = models.BigIntegerField(_("Number of Employees"), null=True, blank=True)
    phone = models.CharField(_("Phone"), max_length=255, null=True, blank=True)
    mobile_phone = models.CharField(_("Mobile Phone"), max_length=255, null=True, blank=True)
    website = models.CharField(_("Website"), max_length=2000, null=True, blank=True)
    address = models.CharField(_("Address"), max_length=255, null=True, blank=True)
    city = models.CharField(_("City"), max_length=255, null=True, blank=True)
    state_or_province = models.CharField(_("State"), max_length=255, null=True, blank=True)
    postal_code = models.CharField(_("Postal Code"), max_length=255, null=True, blank=True)
    country = models.CharField(_("Country"), max_length=255, null=True, blank=True)
    date_of_birth = models.DateField(_("Date of Birth"), null=True, blank=True)
    lead_source = models.CharField(_("Person Source"), max_length=255, null=True, blank=True)
    person_score = models.BigIntegerField(_("Score"), null=True, blank=True)
    unsubscribed = models.BooleanField(_("Unsubscribed"), null=True, blank=True)
    unsubscribed_reason = models.TextField(_("Unsubscribed Reason"), null=True, blank=True)
    email_invalid = models.BooleanField(_("Email Invalid"), null=True, blank=True)
    email_invalid_cause = models.CharField(_("Email Invalid Cause"), max_length=255, null=True, blank=True)
    marketing_suspended = models.BooleanField(_("Marketing Suspended"), null=True, blank=True)
    do_not_call = models.BooleanField(_("Do Not Call"), null=True, blank=True)
    do_not_call_reason = models.CharField(_("Do Not Call Reason"), max_length=255, null=True, blank=True)
    # custom person fields by api_name, JSON-typed; an absent key is no value
    fields = models.JSONField(
        default=dict, db_default={}, editable=False, encoder=datatypes.ExactEncoder, decoder=datatypes.ExactDecoder
    )
    created_at = models.DateTimeField(_("Created At"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("Updated At"), db_default=Now(), editable=False)
    # grows with every change, so that the second of two editors is told
    revision = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    state = models.CharField(
        max_length=8, choices=State.choices, default=State.LIVE, db_default=State.LIVE, editable=False
    )
    state_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, editable=False)

    objects = querysets.PersonQuerySet.as_manager()

    class Meta:
        db_table = "person"
        verbose_name = _("person")
        verbose_name_plural = _("people")
        permissions = [
            ("export_person", _("Can export people")),
            ("merge_person", _("Can merge people")),
            ("erase_person", _("Can erase people for good")),
            ("restore_person", _("Can restore deleted people")),
        ]
        indexes = [
            # equality and prefix search, whatever the database's collation
            models.Index(OpClass(Lower("email"), name="text_pattern_ops"), name="person_email_lower"),
            models.Index(OpClass(Lower("first_name"), name="text_pattern_ops"), name="person_first_name_lower"),
            models.Index(OpClass(Lower("last_name"), name="text_pattern_ops"), name="person_last_name_lower"),
            models.Index(OpClass(Lower("company"), name="text_pattern_ops"), name="person_company_lower"),
            models.Index("id", condition=Q(unsubscribed=True), name="person_unsubscribed"),
            models.Index("id", condition=Q(email_invalid=True), name="person_email_invalid"),
            models.Index("updated_at", name="person_updated_at"),
            models.Index("created_at", name="person_created_at"),
            # smart lists take the few who are gone out of everybody
            models.Index("id", name="person_not_live", condition=~Q(state="live")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="merged", merged_into__isnull=False)
                | (~Q(state="merged") & Q(merged_into__isnull=True)),
                name="person_merged_has_winner",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name or self.email or str(_("Person %(id)s") % {"id": self.pk})

    @property
    def full_name(self) -> str:
        return " ".join(part for part in (self.first_name, self.middle_name, self.last_name) if part)

    @property
    def is_live(self) -> bool:
        return self.state == self.State.LIVE


class PersonField(models.Model):
    """One field that describes people: a standard one (a column) or one that the team added (in `fields`)."""

    api_name = models.CharField(_("API name"), max_length=100, unique=True)
    label = models.CharField(_("label"), max_length=255)
    data_type = models.CharField(_("data type"), max_length=16, choices=datatypes.CHOICES_FOR_PEOPLE)
    description = models.TextField(_("description"), blank=True)
    choices = models.JSONField(
        _("choices"), default=list, blank=True, help_text=_("Suggested values; others are accepted too.")
    )
    is_standard = models.BooleanField(_("standard"), default=False, editable=False)
    is_read_only = models.BooleanField(_("read only"), default=False, editable=False)
    is_hidden = models.BooleanField(_("hidden"), default=False)
    is_unique = models.BooleanField(_("unique"), default=False, help_text=_("No two people may share a value."))
    is_api_created = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True, editable=False)

    objects = querysets.PersonFieldQuerySet.as_manager()

    class Meta:
        db_table = "person_field"
        verbose_name = _("person field")
        verbose_name_plural = _("person fields")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(api_name__regex=r"^[A-Za-z][A-Za-z0-9_]*$"), name="person_field_api_name_is_a_name"
            ),
            models.UniqueConstraint(Lower("label"), name="person_field_label_is_unique"),
        ]

    def __str__(self) -> str:
        return self.label


class PersonKey(models.Model):
    """One value of one unique person field: what keeps two people from sharing it."""

    field = models.ForeignKey(PersonField, models.PROTECT)
    value = models.CharField(max_length=255)  # lower case, canonical text
    person = models.ForeignKey(Person, models.CASCADE)

    class Meta:
        db_table = "person_key"
        constraints = [models.UniqueConstraint("field", "value", name="person_key_is_unique")]

    def __str__(self) -> str:
        return f"{self.field_id}: {self.value}"


class PersonDeletion(models.Model):
    """What restoring a deleted person needs: who deleted it when, and the lists it was on."""

    person = models.OneToOneField(Person, models.PROTECT, primary_key=True)
    deleted_at = models.DateTimeField(db_default=Now())
    door = models.PositiveSmallIntegerField(choices=Door.choices)
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
    """One merge and what undoing it needs; the losers' rows keep their own values."""

    winner = models.ForeignKey(Person, models.PROTECT, related_name="merges")
    loser_ids = ArrayField(models.IntegerField())
    merged_at = models.DateTimeField(db_default=Now())
    door = models.PositiveSmallIntegerField(choices=Door.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    # field: [value of the winner before, value it got], JSON-typed
    changes = models.JSONField(default=dict, encoder=datatypes.ExactEncoder, decoder=datatypes.ExactDecoder)
    # table: what its owner needs to put things back (people/owned.py)
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


class Folder(models.Model):
    """Order in many things: one tree for lists, types and campaigns alike."""

    name = models.CharField(_("name"), max_length=255)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")

    class Meta:
        db_table = "folder"
        verbose_name = _("folder")
        verbose_name_plural = _("folders")
        constraints = [
            models.UniqueConstraint("parent", Lower("name"), name="folder_name_is_unique", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return self.name


class StaticList(models.Model):
    """People put together by hand or by program; they stay until removed."""

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
    """One person on one static list: since when, and through whom."""

    pk = models.CompositePrimaryKey("static_list_id", "person_id")
    static_list = models.ForeignKey(StaticList, models.CASCADE, related_name="members")
    person = models.ForeignKey(Person, models.CASCADE, related_name="list_memberships")
    added_at = models.DateTimeField(db_default=Now())
    door = models.PositiveSmallIntegerField(choices=Door.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    origin_id = models.BigIntegerField(null=True)

    objects = querysets.StaticListMemberQuerySet.as_manager()

    class Meta:
        db_table = "static_list_member"
        verbose_name = _("static list member")
        verbose_name_plural = _("static list members")


class StaticListCount(models.Model):
    """How many people a static list won or lost by some statements; their sum is how many are on it now.

    Written by triggers, a row a statement, so that whoever adds to one list never waits for another; added up by
    `static_lists.add_up`.
    """

    static_list_id = models.BigIntegerField()  # no foreign key: its lock could be waited for crosswise
    people = models.BigIntegerField()

    class Meta:
        db_table = "static_list_count"
        default_permissions = ()
        indexes = [models.Index("static_list_id", name="static_list_count_list")]

    def __str__(self) -> str:
        return f"{self.static_list_id}: {self.people:+}"


# at the end: they refer to nothing above, and nothing above to them
from people.measuring import Measurement  # noqa: E402, F401
from people.notices import Notice, NoticeSwitch  # noqa: E402, F401
from people.transfers import Export, Import, ImportFailure  # noqa: E402, F401
from people.upkeep import Upkeep  # noqa: E402, F401


class DuplicateGroup(models.Model):
    """Live people who looked alike at the last search; rewritten by each search (people/duplicates.py)."""

    kind = models.CharField(max_length=8)  # a key of duplicates.KINDS
    person_ids = ArrayField(models.IntegerField())
    people = models.PositiveIntegerField()
    found_at = models.DateTimeField()

    class Meta:
        db_table = "duplicate_group"
        default_permissions = ()
        indexes = [models.Index("kind", models.F("people").desc(), "id", name="duplicate_group_largest")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.people}"


class BulkAction(models.Model):
    """One thing being done to many people by a job, and how far it has come (people/bulk.py)."""

    class State(models.TextChoices):
        RUNNING = "running", _("Under way")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Stopped by a fault")

    kind = models.CharField(_("what"), max_length=20)  # a key of bulk.KINDS
    static_list = models.ForeignKey(StaticList, models.SET_NULL, null=True, related_name="+")
    total = models.PositiveIntegerField()
    progress = models.PositiveIntegerField(default=0)  # people gone through
    done = models.PositiveIntegerField(default=0)  # people to whom it was done: others were so before, or are gone
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.RUNNING)
    problem = models.TextField(blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    progressed_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "bulk_action"
        verbose_name = _("bulk action")
        verbose_name_plural = _("bulk actions")
        default_permissions = ()
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def percent(self) -> int:
        return 100 if self.state == self.State.DONE else self.progress * 100 // max(1, self.total)


class BulkPart(models.Model):
    """Some of the people to whom a bulk action is still to be done."""

    action = models.ForeignKey(BulkAction, models.CASCADE, related_name="parts")
    person_ids = ArrayField(models.IntegerField())

    class Meta:
        db_table = "bulk_part"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.action_id}: {len(self.person_ids)}"
