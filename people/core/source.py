"""The source of a change: the channel and the user, client or import."""

from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _


class Channel(models.IntegerChoices):
    ADMIN = 1, _("Admin")
    API = 2, _("API")
    MARKETO = 3, _("Marketo API")
    IMPORT = 4, _("Import")
    CAMPAIGN = 5, _("Smart campaign")
    SYSTEM = 6, _("System")
    COMMAND = 7, _("Command line")
    EVENTS = 8, _("Event source")
    FORM = 9, _("Form")
    LINK = 10, _("Tracked link")

    @property
    def word(self) -> str:
        """The name that the native API and its filters use, fixed since its first version."""
        return "dialect" if self is Channel.MARKETO else self.name.lower()


# those whose `origin_id` is an import, a campaign, an event source, a form or a link; in the others it is a merge
CHANNELS_WITH_ORIGIN = frozenset({Channel.IMPORT, Channel.CAMPAIGN, Channel.EVENTS, Channel.FORM, Channel.LINK})


@dataclass(frozen=True, slots=True)
class Source:
    """One channel and its user.

    `user_id` is the user or the API-only user of an API client; `origin_id` the import, campaign, event source, form
    or tracked link, if any; `reason` free text for the change log.
    `is_merge`: the change is part of a merge, whose id is `origin_id`.
    `event_source_id`: the event source whose write key sent it.
    `is_consent`: `unsubscribed` and the recorded consents agree already; neither is derived from the other.
    `is_backfill`: what is recorded is about the past on purpose, and nothing fires for it.
    `may_opt_in`: whether a consent to email may be recorded; false for a user without the right to change people.
    """

    channel: Channel
    user_id: int | None = None
    origin_id: int | None = None
    reason: str = ""
    is_merge: bool = False
    event_source_id: int | None = None
    is_backfill: bool = False
    is_consent: bool = False
    may_opt_in: bool = True


SYSTEM = Source(Channel.SYSTEM)
