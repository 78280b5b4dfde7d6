from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = _("Custom Activities")

    def ready(self) -> None:
        from config.observability import metrics, slow_queries  # noqa: F401 (registers the metrics)

        slow_queries.watch_statements()
