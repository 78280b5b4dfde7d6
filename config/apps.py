from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = _("Custom Activities")

    def ready(self) -> None:
        from config.observability import metrics, slow_queries  # noqa: F401 (what is measured)

        slow_queries.watch()
