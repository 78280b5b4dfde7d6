"""Activity types with their versions.

Written through `people.definitions` only. Triggers (migration 0002) enforce the rules that must never be broken.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from activities import icons, labels, querysets
from people.datatypes.registry import CHOICES_FOR_ACTIVITIES
from people.definitions.models import (
    DefinedField,
    Definition,
    HeldName,
    Version,
    named_for_programs,
    numbered_when_approved,
)

FIRST_CUSTOM_ID = 100_001


class ActivityType(Definition):
    """A kind of activity, with its versions."""

    # custom ids start at 100001 (migration 0002); standard types keep Marketo's numbers
    id = models.AutoField(primary_key=True)
    is_standard = models.BooleanField(_("standard"), default=False, editable=False)
    live = models.OneToOneField(
        "ActivityVersion", models.PROTECT, null=True, blank=True, editable=False, related_name="live_of"
    )
    draft = models.OneToOneField(
        "ActivityVersion", models.SET_NULL, null=True, blank=True, editable=False, related_name="draft_of"
    )
    # its picture, the same for all versions; empty: proposed from its names
    icon = models.CharField(_("icon"), max_length=40, blank=True, default="", db_default="")
    colour = models.PositiveSmallIntegerField(_("colour"), null=True, blank=True)

    objects = querysets.ActivityTypeQuerySet.as_manager()

    class Meta:
        db_table = "activity_type"
        verbose_name = _("activity type")
        verbose_name_plural = _("activity types")
        ordering = ["id"]
        permissions = [
            ("approve_activitytype", _("Can approve, retire and restore activity types")),
            ("record_activity", _("Can record activities")),
            ("record_standard_activity", _("Can import the history of standard activities")),
        ]
        constraints = [
            named_for_programs("activity_type_api_name_is_a_name"),
            models.CheckConstraint(
                condition=Q(is_standard=True, id__lt=FIRST_CUSTOM_ID) | Q(is_standard=False, id__gte=FIRST_CUSTOM_ID),
                name="activity_type_custom_ids",
            ),
        ]

    def __str__(self) -> str:
        return labels.localized_name(self.live_or_draft.name, self.is_standard) if self.live_or_draft else self.api_name

    @property
    def shown_icon(self) -> str:
        """The chosen icon, else the icon proposed from its names."""
        return self.icon or icons.propose_icon(self.api_name)

    @property
    def shown_colour(self) -> int:
        """The chosen colour of the palette, else a colour by its id."""
        return self.colour if self.colour is not None else icons.default_colour(self.pk)

    @property
    def shown_filter_name(self) -> str:
        """The filter's name in the active language."""
        return (
            labels.localized_name(self.live_or_draft.filter_name, self.is_standard)
            if self.live_or_draft
            else self.api_name
        )

    @property
    def shown_trigger_name(self) -> str:
        """The trigger's name in the active language."""
        return (
            labels.localized_name(self.live_or_draft.trigger_name, self.is_standard)
            if self.live_or_draft
            else self.api_name
        )


class ActivityVersion(Version):
    """One version of a type, with its own names and fields."""

    activity_type = models.ForeignKey(ActivityType, models.CASCADE, related_name="versions")
    trigger_name = models.CharField(_("trigger name"), max_length=255)
    filter_name = models.CharField(_("filter name"), max_length=255)

    class Meta:
        db_table = "activity_version"
        verbose_name = _("version")
        verbose_name_plural = _("versions")
        constraints = [
            models.UniqueConstraint("activity_type", "number", name="activity_version_number_is_unique"),
            models.UniqueConstraint(
                "activity_type", condition=Q(number__isnull=True), name="activity_version_one_draft"
            ),
            numbered_when_approved("activity_version_number_means_approved"),
        ]


class ActivityField(DefinedField):
    """One typed attribute of a version."""

    version = models.ForeignKey(ActivityVersion, models.CASCADE, related_name="fields")
    data_type = models.CharField(_("data type"), max_length=16, choices=CHOICES_FOR_ACTIVITIES)
    is_primary = models.BooleanField(_("primary"), default=False)

    class Meta:
        db_table = "activity_field"
        verbose_name = _("activity field")
        verbose_name_plural = _("activity fields")
        ordering = ["-is_primary", "position", "id"]
        constraints = [
            models.UniqueConstraint("version", "api_name", name="activity_field_api_name_is_unique"),
            models.UniqueConstraint("version", condition=Q(is_primary=True), name="activity_field_one_primary"),
            named_for_programs("activity_field_api_name_is_a_name"),
        ]


class ApprovedField(models.Model):
    """A field of any approved version: its API name, data type and rank are reserved for ever.

    Smart lists and campaigns point here with PROTECT. Written by the trigger that freezes versions.
    """

    activity_type = models.ForeignKey(ActivityType, models.PROTECT, related_name="approved_fields")
    api_name = models.CharField(max_length=255)
    data_type = models.CharField(max_length=16, choices=CHOICES_FOR_ACTIVITIES)
    is_primary = models.BooleanField()

    class Meta:
        db_table = "approved_field"
        verbose_name = _("approved field")
        verbose_name_plural = _("approved fields")
        constraints = [
            models.UniqueConstraint("activity_type", "api_name", name="approved_field_is_unique"),
            models.UniqueConstraint("activity_type", condition=Q(is_primary=True), name="approved_field_one_primary"),
        ]

    def __str__(self) -> str:
        return self.api_name


class ActivityTypeName(HeldName):
    """A reserved name of a type: no other type may have it."""

    class Kind(models.TextChoices):
        NAME = "name", _("name")
        FILTER = "filter_name", _("filter name")
        TRIGGER = "trigger_name", _("trigger name")

    activity_type = models.ForeignKey(ActivityType, models.CASCADE, related_name="names")
    kind = models.CharField(max_length=12, choices=Kind.choices)

    class Meta:
        db_table = "activity_type_name"
        constraints = [models.UniqueConstraint("kind", "key", name="activity_type_name_is_unique")]
