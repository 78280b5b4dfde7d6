"""Activity types with their versions, and the activities themselves.

Written through `lifecycle` and `recording` only. What must never happen is refused by triggers
(migration 0002), not merely avoided here.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from activities import icons, labels, querysets
from people.core.models import Folder
from people.datatypes.registry import CHOICES_FOR_ACTIVITIES

FIRST_CUSTOM_ID = 100_001


class ActivityType(models.Model):
    """What can happen. Its shape lies in versions: at most one live, at most one draft."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        APPROVED = "approved", _("Approved")
        APPROVED_WITH_DRAFT = "approved_with_draft", _("Approved with draft")
        RETIRED = "retired", _("Retired")
        DELETED = "deleted", _("Deleted")

    # custom ids start at 100001 (migration 0002); standard types keep Marketo's numbers
    id = models.AutoField(primary_key=True)
    api_name = models.CharField(_("API name"), max_length=255, unique=True)
    is_standard = models.BooleanField(_("standard"), default=False, editable=False)
    live = models.OneToOneField(
        "ActivityVersion", models.PROTECT, null=True, blank=True, editable=False, related_name="live_of"
    )
    draft = models.OneToOneField(
        "ActivityVersion", models.SET_NULL, null=True, blank=True, editable=False, related_name="draft_of"
    )
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True, editable=False)
    folder = models.ForeignKey(Folder, models.PROTECT, null=True, blank=True, verbose_name=_("folder"))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    # what it looks like, whatever the version; empty: as its names propose
    icon = models.CharField(_("icon"), max_length=40, blank=True, default="", db_default="")
    colour = models.PositiveSmallIntegerField(_("colour"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True, editable=False)

    objects = querysets.ActivityTypeQuerySet.as_manager()

    class Meta:
        db_table = "activity_type"
        verbose_name = _("activity type")
        verbose_name_plural = _("activity types")
        ordering = ["id"]
        permissions = [
            ("approve_activitytype", _("Can approve, retire and restore activity types")),
            ("record_activity", _("Can record activities")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(api_name__regex=r"^[A-Za-z0-9_]*[A-Za-z][A-Za-z0-9_]*$"),
                name="activity_type_api_name_is_a_name",
            ),
            models.CheckConstraint(
                condition=Q(is_standard=True, id__lt=FIRST_CUSTOM_ID) | Q(is_standard=False, id__gte=FIRST_CUSTOM_ID),
                name="activity_type_custom_ids",
            ),
        ]

    def __str__(self) -> str:
        return labels.shown(self.shown.name, self.is_standard) if self.shown else self.api_name

    @property
    def shown_icon(self) -> str:
        """The icon that was chosen, else the one that its names propose."""
        return self.icon or icons.propose(self.api_name)

    @property
    def shown_colour(self) -> int:
        """The palette's colour that was chosen, else one by its id."""
        return self.colour if self.colour is not None else icons.colour_of(self.pk)

    @property
    def shown_filter_name(self) -> str:
        """The filter's name in the reader's language."""
        return labels.shown(self.shown.filter_name, self.is_standard) if self.shown else self.api_name

    @property
    def shown_trigger_name(self) -> str:
        """The trigger's name in the reader's language."""
        return labels.shown(self.shown.trigger_name, self.is_standard) if self.shown else self.api_name

    @property
    def shown(self) -> "ActivityVersion | None":
        """The version people see: the live one, or the draft before the first approval."""
        return self.live or self.draft

    @property
    def state(self) -> "ActivityType.State":
        """Where the type stands in its life, in one word."""
        if self.deleted_at:
            return self.State.DELETED
        if self.retired_at:
            return self.State.RETIRED
        if self.live_id is None:
            return self.State.DRAFT
        return self.State.APPROVED_WITH_DRAFT if self.draft_id else self.State.APPROVED

    @property
    def is_recordable(self) -> bool:
        return self.live_id is not None and not self.retired_at and not self.deleted_at


class ActivityVersion(models.Model):
    """One shape of a type. A draft has no number; approval gives one and freezes the row for ever."""

    activity_type = models.ForeignKey(ActivityType, models.CASCADE, related_name="versions")
    number = models.PositiveSmallIntegerField(_("number"), null=True, editable=False)
    name = models.CharField(_("name"), max_length=255)
    description = models.TextField(_("description"), blank=True)
    trigger_name = models.CharField(_("trigger name"), max_length=255)
    filter_name = models.CharField(_("filter name"), max_length=255)
    # grows with every edit of a draft, so that the second of two editors is told
    revision = models.PositiveIntegerField(default=1, editable=False)
    return_reason = models.TextField(_("returned because"), blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )
    updated_at = models.DateTimeField(auto_now=True, editable=False)
    approved_at = models.DateTimeField(_("approved at"), null=True, editable=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )
    # everybody whose hand is in this draft: none of them approves it where a second approver is required
    editors = models.ManyToManyField(settings.AUTH_USER_MODEL, editable=False, related_name="+")

    class Meta:
        db_table = "activity_version"
        verbose_name = _("version")
        verbose_name_plural = _("versions")
        constraints = [
            models.UniqueConstraint("activity_type", "number", name="activity_version_number_is_unique"),
            models.UniqueConstraint(
                "activity_type", condition=Q(number__isnull=True), name="activity_version_one_draft"
            ),
            models.CheckConstraint(
                condition=Q(number__isnull=True, approved_at__isnull=True)
                | Q(number__isnull=False, approved_at__isnull=False),
                name="activity_version_number_means_approved",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_draft(self) -> bool:
        return self.number is None


class ActivityField(models.Model):
    """One typed attribute of a version."""

    version = models.ForeignKey(ActivityVersion, models.CASCADE, related_name="fields")
    api_name = models.CharField(_("API name"), max_length=255)
    name = models.CharField(_("name"), max_length=255)
    data_type = models.CharField(_("data type"), max_length=16, choices=CHOICES_FOR_ACTIVITIES)
    description = models.TextField(_("description"), blank=True)
    is_primary = models.BooleanField(_("primary"), default=False)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        db_table = "activity_field"
        verbose_name = _("activity field")
        verbose_name_plural = _("activity fields")
        ordering = ["-is_primary", "position", "id"]
        constraints = [
            models.UniqueConstraint("version", "api_name", name="activity_field_api_name_is_unique"),
            models.UniqueConstraint("version", condition=Q(is_primary=True), name="activity_field_one_primary"),
            models.CheckConstraint(
                condition=Q(api_name__regex=r"^[A-Za-z0-9_]*[A-Za-z][A-Za-z0-9_]*$"),
                name="activity_field_api_name_is_a_name",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ApprovedField(models.Model):
    """A field that some approved version had: its API name, data type and rank are reserved for ever.

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


class ActivityTypeName(models.Model):
    """A name that a live version or a draft uses now: no two types share one."""

    class Kind(models.TextChoices):
        NAME = "name", _("name")
        FILTER = "filter_name", _("filter name")
        TRIGGER = "trigger_name", _("trigger name")

    activity_type = models.ForeignKey(ActivityType, models.CASCADE, related_name="names")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    key = models.CharField(max_length=255)  # see lifecycle.name_key

    class Meta:
        db_table = "activity_type_name"
        constraints = [models.UniqueConstraint("kind", "key", name="activity_type_name_is_unique")]

    def __str__(self) -> str:
        return self.key
