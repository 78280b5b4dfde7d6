from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from config import form_words

form_words.replace_words()  # before any module that declares a form


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = _("Custom Activities")

    def ready(self) -> None:
        from activities.tracking.installation import register_start_page
        from config.demo.site import start_page
        from config.observability import metrics, slow_queries  # noqa: F401 (registers the metrics)

        register_start_page(start_page)
        slow_queries.watch_statements()
