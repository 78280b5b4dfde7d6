"""Abstract models of every kind of definition.

Foreign keys between them, constraints and triggers belong to the kind.

The life cycle accesses the tables by the names of their relations: `live` and `draft` (of one version each),
`versions`, `approved_fields` and, where names are unique, `names` of a definition; `fields` of a version.
"""

from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from people.core.models import Folder

API_NAME = r"^[A-Za-z0-9_]*[A-Za-z][A-Za-z0-9_]*$"

M = TypeVar("M", bound=models.Model)


class DefinitionQuerySet(models.QuerySet[M]):
    def with_versions(self) -> Self:
        """Fetch the live version, the draft and the fields of both too: three statements in all."""
        return self.select_related("live", "draft").prefetch_related("live__fields", "draft__fields")

    def existing(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def custom(self) -> Self:
        """Definitions by the team: all, except for a kind with built-in ones."""
        return self.all()

    def approved(self) -> Self:
        """Definitions that rules can use: approved once and not deleted, retired ones included."""
        return self.existing().filter(live__isnull=False)

    def recordable(self) -> Self:
        return self.approved().filter(retired_at__isnull=True)


class Definition(models.Model):
    """A definition by the team. Its versions hold its fields: at most one is live, at most one a draft."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        APPROVED = "approved", _("Approved")
        APPROVED_WITH_DRAFT = "approved_with_draft", _("Approved with draft")
        RETIRED = "retired", _("Retired")
        DELETED = "deleted", _("Deleted")

    api_name = models.CharField(_("API name"), max_length=255, unique=True)
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True, editable=False)
    folder = models.ForeignKey(Folder, models.PROTECT, null=True, blank=True, verbose_name=_("folder"))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True, editable=False)

    if TYPE_CHECKING:
        live: Any
        live_id: Any
        draft: Any
        draft_id: Any
        versions: Any
        approved_fields: Any
        names: Any

    class Meta:
        abstract = True

    @property
    def live_or_draft(self) -> Any:
        """The version shown on pages: the live one, or the draft before the first approval."""
        return self.live or self.draft

    @property
    def state(self) -> "Definition.State":
        """The state of the definition in its life cycle."""
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


class Version(models.Model):
    """One version of a definition. A draft has no number; approval assigns one and freezes the row for ever."""

    number = models.PositiveSmallIntegerField(_("number"), null=True, editable=False)
    name = models.CharField(_("name"), max_length=255)
    description = models.TextField(_("description"), blank=True)
    # incremented by every edit of a draft, so that the second of two editors gets a conflict
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
    # all editors of this draft: none of them can approve it where a second approver is required
    editors = models.ManyToManyField(settings.AUTH_USER_MODEL, editable=False, related_name="+")

    if TYPE_CHECKING:
        fields: Any

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def is_draft(self) -> bool:
        return self.number is None


class DefinedField(models.Model):
    """One typed attribute of a version. The kind adds `data_type`, with the allowed types."""

    api_name = models.CharField(_("API name"), max_length=255)
    name = models.CharField(_("name"), max_length=255)
    description = models.TextField(_("description"), blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    if TYPE_CHECKING:
        data_type: Any

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class HeldName(models.Model):
    """A name in use by a live version or a draft, unique among definitions. See `naming.name_key`."""

    key = models.CharField(max_length=255)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.key


def numbered_when_approved(name: str) -> models.CheckConstraint:
    """Constraint: a version has a number if, and only if, it was approved."""
    draft, approved = (Q(number__isnull=is_draft, approved_at__isnull=is_draft) for is_draft in (True, False))
    return models.CheckConstraint(condition=draft | approved, name=name)


def named_for_programs(name: str) -> models.CheckConstraint:
    """Constraint: an API name has letters, digits and underscores, at least one letter."""
    return models.CheckConstraint(condition=Q(api_name__regex=API_NAME), name=name)
