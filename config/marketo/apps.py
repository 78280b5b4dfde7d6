from django.apps import AppConfig


class MarketoConfig(AppConfig):
    name = "config.marketo"
    label = "marketo"
    verbose_name = "Marketo API"

    def ready(self) -> None:
        from config.marketo.bulk import export_kinds as bulk_export_kinds  # noqa: F401 (registers the kinds of files)
