from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SmartlistsConfig(AppConfig):
    name = "smartlists"
    verbose_name = _("Lists and campaigns")

    def ready(self) -> None:
        from smartlists.campaigns import notifications as campaign_notifications  # noqa: F401 (register)
        from smartlists.campaigns import personal_data as campaign_personal_data
        from smartlists.campaigns import results as campaign_results  # noqa: F401 (register)
        from smartlists.campaigns.definitions import references as campaign_references
        from smartlists.lists import export_kind as list_export_kind  # noqa: F401 (register)
        from smartlists.lists import people_list
        from smartlists.lists import personal_data as list_personal_data

        people_list.register_smart_list_filter()
        list_personal_data.register_list_data()
        campaign_personal_data.register_campaign_data()
        campaign_references.register_webhook_uses()
