"""Who should know of what happens in campaigns."""

from django.utils.translation import gettext_lazy

from people.core import notifications
from people.core.notifications import Kind

notifications.describe(
    {
        "campaign_loops": Kind(
            gettext_lazy("A campaign of yours goes round in a circle"),
            gettext_lazy("%(name)s was stopped for some people: campaigns set each other off in a circle."),
        )
    }
)
