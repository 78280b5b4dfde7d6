"""Object types with their versions: facts about people that can change, such as cars and their colours.

Written through `people.definitions` only. Triggers (migration 0027) enforce the rules that must never be broken.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from people import querysets
from people.datatypes.registry import CHOICES_FOR_ACTIVITIES
from people.definitions.models import (
    DefinedField,
    Definition,
    DefinitionQuerySet,
    HeldName,
    Version,
    named_for_programs,
    numbered_when_approved,
)

PERSON = "person"  # the `link_to` of a link to a person; no object type has this API name

# icons (Material Symbols) of common types, by API name
ICONS = {
    "car": "directions_car",
    "subscription": "autorenew",
    "policy": "verified_user",
    "course": "school",
    "opportunity": "handshake",
}


class ObjectType(Definition):
    """A kind of object, with its versions."""

    id = models.AutoField(primary_key=True)
    live = models.OneToOneField(
        "ObjectVersion", models.PROTECT, null=True, blank=True, editable=False, related_name="live_of"
    )
    draft = models.OneToOneField(
        "ObjectVersion", models.SET_NULL, null=True, blank=True, editable=False, related_name="draft_of"
    )
    is_shown_on_person = models.BooleanField(_("shown on the page of a person"), default=True, db_default=True)

    objects = DefinitionQuerySet.as_manager()

    class Meta:
        db_table = "object_type"
        verbose_name = _("object type")
        verbose_name_plural = _("object types")
        ordering = ["id"]
        permissions = [("approve_objecttype", _("Can approve, retire and restore object types"))]
        constraints = [named_for_programs("object_type_api_name_is_a_name")]

    def __str__(self) -> str:
        return self.live_or_draft.name if self.live_or_draft else self.api_name

    @property
    def shown_icon(self) -> str:
        return ICONS.get(self.api_name, "deployed_code")


class ObjectVersion(Version):
    """One version of an object type, with its own names and fields."""

    object_type = models.ForeignKey(ObjectType, models.CASCADE, related_name="versions")
    plural_name = models.CharField(_("plural name"), max_length=255)

    class Meta:
        db_table = "object_version"
        verbose_name = _("version of an object type")
        verbose_name_plural = _("versions of object types")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint("object_type", "number", name="object_version_number_is_unique"),
            models.UniqueConstraint("object_type", condition=Q(number__isnull=True), name="object_version_one_draft"),
            numbered_when_approved("object_version_number_means_approved"),
        ]


class LinkColumns(models.Model):
    """Columns of a field that identifies its records or links them.

    `link_to` is empty, "person" or the API name of an object type; `link_by` is what the values name it by: "id",
    "email" or a unique person field; "id", "guid" or the only dedupe field of an object type.
    """

    is_dedupe = models.BooleanField(_("dedupe field"), default=False)
    link_to = models.CharField(_("links to"), max_length=255, blank=True, default="")
    link_by = models.CharField(_("by"), max_length=255, blank=True, default="")

    class Meta:
        abstract = True


class ObjectField(LinkColumns, DefinedField):
    """One typed attribute of a version."""

    version = models.ForeignKey(ObjectVersion, models.CASCADE, related_name="fields")
    data_type = models.CharField(_("data type"), max_length=16, choices=CHOICES_FOR_ACTIVITIES)

    class Meta:
        db_table = "object_field"
        verbose_name = _("object field")
        verbose_name_plural = _("object fields")
        default_permissions = ()
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint("version", "api_name", name="object_field_api_name_is_unique"),
            named_for_programs("object_field_api_name_is_a_name"),
            models.CheckConstraint(
                condition=Q(link_to="", link_by="") | (~Q(link_to="") & ~Q(link_by="")),
                name="object_field_link_is_whole",
            ),
        ]


class ApprovedObjectField(LinkColumns):
    """A field of any approved version: its API name, data type, link and place in the key are reserved for ever.

    Smart lists and campaigns point here with PROTECT. Written by the trigger that freezes versions.
    """

    object_type = models.ForeignKey(ObjectType, models.PROTECT, related_name="approved_fields")
    api_name = models.CharField(max_length=255)
    data_type = models.CharField(max_length=16, choices=CHOICES_FOR_ACTIVITIES)

    class Meta:
        db_table = "approved_object_field"
        verbose_name = _("approved object field")
        verbose_name_plural = _("approved object fields")
        default_permissions = ()
        constraints = [models.UniqueConstraint("object_type", "api_name", name="approved_object_field_is_unique")]

    def __str__(self) -> str:
        return self.api_name


class ObjectLink(models.Model):
    """An approved link of an object type to another one, which stays while the first one exists.

    Written by the trigger that freezes versions.
    """

    object_type = models.ForeignKey(ObjectType, models.CASCADE, related_name="links")
    linked_type = models.ForeignKey(ObjectType, models.PROTECT, related_name="linked_by")

    objects = querysets.ObjectLinkManager()

    class Meta:
        db_table = "object_link"
        default_permissions = ()
        constraints = [models.UniqueConstraint("object_type", "linked_type", name="object_link_is_unique")]

    def __str__(self) -> str:
        return f"{self.object_type_id} {self.linked_type_id}"

    @property
    def used_by(self) -> ObjectType:
        return self.object_type


class ObjectTypeName(HeldName):
    """A reserved name of an object type: no other object type may have it."""

    class Kind(models.TextChoices):
        NAME = "name", _("name")
        PLURAL = "plural_name", _("plural name")

    object_type = models.ForeignKey(ObjectType, models.CASCADE, related_name="names")
    kind = models.CharField(max_length=12, choices=Kind.choices)

    class Meta:
        db_table = "object_type_name"
        default_permissions = ()
        constraints = [models.UniqueConstraint("kind", "key", name="object_type_name_is_unique")]
