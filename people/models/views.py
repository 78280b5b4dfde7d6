"""Saved views of the list of people, and each user's own columns of it."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from people.datatypes.canonical import ExactDecoder, ExactEncoder


class PeopleView(models.Model):
    """Filters, order and columns under a name: of one user, or shared with all who see people."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("owner"), editable=False
    )
    name = models.CharField(_("name"), max_length=255)
    is_shared = models.BooleanField(_("shared"), default=False)
    # the JSON form of `directory.query.PeopleQuery`; values in it can name a person
    query = models.JSONField(default=dict, encoder=ExactEncoder, decoder=ExactDecoder)
    columns = models.JSONField(default=list)  # API names of person fields, and names of `directory.columns`
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True, editable=False)

    class Meta:
        db_table = "people_view"
        verbose_name = _("view of people")
        verbose_name_plural = _("views of people")
        default_permissions = ()
        permissions = [("share_peopleview", _("Can share views of people"))]
        constraints = [models.UniqueConstraint("owner", Lower("name"), name="people_view_name_is_unique")]
        indexes = [models.Index("id", condition=models.Q(is_shared=True), name="people_view_shared")]

    def __str__(self) -> str:
        return self.name


class PeopleListSettings(models.Model):
    """A user's own columns of the list of people, and the view that it opens with."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+")
    columns = models.JSONField(null=True)  # None: the standard columns
    default_view = models.ForeignKey(PeopleView, models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "people_list_settings"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.user_id)
