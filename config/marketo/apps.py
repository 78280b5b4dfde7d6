from django.apps import AppConfig


class MarketoConfig(AppConfig):
    name = "config.marketo"
    label = "marketo"
    verbose_name = "Marketo API"
