"""People, their fields, and the values of unique fields."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from people import querysets
from people.datatypes.canonical import ExactDecoder, ExactEncoder
from people.datatypes.registry import CHOICES_FOR_PEOPLE


class Person(models.Model):
    """A person. Written through the verb modules only; deleted, merged and erased people keep their row and id."""

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
    fields = models.JSONField(default=dict, db_default={}, editable=False, encoder=ExactEncoder, decoder=ExactDecoder)
    created_at = models.DateTimeField(_("Created At"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("Updated At"), db_default=Now(), editable=False)
    # incremented by every change, so that the second of two editors gets a conflict
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
            ("export_person", _("Can export people to files")),
            ("merge_person", _("Can merge people")),
            ("erase_person", _("Can erase people for good")),
            ("restore_person", _("Can restore deleted people")),
        ]
        indexes = [
            # equality and prefix search, with any collation of the database
            models.Index(OpClass(Lower("email"), name="text_pattern_ops"), name="person_email_lower"),
            models.Index(OpClass(Lower("first_name"), name="text_pattern_ops"), name="person_first_name_lower"),
            models.Index(OpClass(Lower("last_name"), name="text_pattern_ops"), name="person_last_name_lower"),
            models.Index(OpClass(Lower("company"), name="text_pattern_ops"), name="person_company_lower"),
            GinIndex(querysets.person_words(), name="person_words"),
            models.Index("id", condition=Q(unsubscribed=True), name="person_unsubscribed"),
            models.Index("id", condition=Q(email_invalid=True), name="person_email_invalid"),
            models.Index("updated_at", name="person_updated_at"),
            models.Index("created_at", name="person_created_at"),
            # smart lists exclude the few who are not live from all people
            models.Index("id", name="person_not_live", condition=~Q(state="live")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="merged", merged_into__isnull=False)
                | (~Q(state="merged") & Q(merged_into__isnull=True)),
                name="person_merged_has_winner",
            )
        ]

    def __str__(self) -> str:
        return self.full_name or self.email or str(_("Person %(id)s") % {"id": self.pk})

    @property
    def full_name(self) -> str:
        return " ".join(part for part in (self.first_name, self.middle_name, self.last_name) if part)

    @property
    def is_live(self) -> bool:
        return self.state == self.State.LIVE


class PersonCount(models.Model):
    """The change of the number of live people by some statements; the sum of the rows is the current number.

    Written by triggers, a row a statement, so that no transaction waits for another; summed up by
    `people.persons.size`.
    """

    people = models.BigIntegerField()

    class Meta:
        db_table = "person_count"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.people:+}"


class PersonField(models.Model):
    """One person field: a standard one (a column) or one added by the team (in `fields`)."""

    api_name = models.CharField(_("API name"), max_length=100, unique=True)
    label = models.CharField(_("label"), max_length=255)
    data_type = models.CharField(_("data type"), max_length=16, choices=CHOICES_FOR_PEOPLE)
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
    """One value of one unique person field; its constraint prevents two people from sharing it."""

    field = models.ForeignKey(PersonField, models.PROTECT)
    value = models.CharField(max_length=255)  # lower case, canonical text
    person = models.ForeignKey(Person, models.CASCADE)

    class Meta:
        db_table = "person_key"
        constraints = [models.UniqueConstraint("field", "value", name="person_key_is_unique")]

    def __str__(self) -> str:
        return f"{self.field_id}: {self.value}"
