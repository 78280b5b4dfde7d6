from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SmartlistsConfig(AppConfig):
    name = "smartlists"
    verbose_name = _("Lists and campaigns")

    def ready(self) -> None:
        from smartlists import campaign_notices, campaign_owning, exporting, owning, results  # noqa: F401 (register)

        owning.register()
        campaign_owning.register()
