"""Serializers of webhooks and their deliveries."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from people.datatypes.keys import MAX_BIG_ID
from people.rest.viewsets import StrictCharField, StrictIntegerField, StrictSerializer, UTCDateTimeField
from smartlists.models import Webhook, WebhookDelivery
from smartlists.webhooks import editing as webhook_editing
from smartlists.webhooks import headers as webhook_headers


@extend_schema_field(
    {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": webhook_editing.MAX_HEADERS}
)
class HeadersField(serializers.JSONField):
    """Headers by name; `smartlists.webhooks.headers` checks them."""


class WebhookInputSerializer(StrictSerializer):
    name = StrictCharField(max_length=255)
    url = StrictCharField(
        help_text="An https:// URL. Tokens are allowed in the path, where they are percent-encoded, not in the host."
    )
    method = serializers.ChoiceField(Webhook.Method.choices, required=False)
    headers = HeadersField(required=False)
    format = serializers.ChoiceField(Webhook.Format.choices, required=False)
    body = StrictCharField(
        allow_blank=True, required=False, help_text="A template; if empty, a CloudEvents payload is sent."
    )
    payload_version = serializers.ChoiceField(
        Webhook.Payload.choices,
        required=False,
        help_text="The version of the CloudEvents payload: 2 has attributes with JSON types, 1 has all values as text.",
    )
    per_minute = StrictIntegerField(min_value=1, max_value=webhook_editing.MAX_PER_MINUTE, required=False)
    timeout_seconds = StrictIntegerField(min_value=1, max_value=webhook_editing.MAX_SECONDS, required=False)


class WebhookSerializer(serializers.ModelSerializer):
    headers = serializers.SerializerMethodField(
        help_text="Header names with masked values; sending a mask back keeps the value."
    )
    open_until = UTCDateTimeField(
        allow_null=True, help_text="Until then nothing is sent: the receiver failed too often."
    )
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    class Meta:
        model = Webhook
        fields: tuple[str, ...] = (
            "id",
            "name",
            "method",
            "url",
            "headers",
            "format",
            "body",
            "payload_version",
            "per_minute",
            "timeout_seconds",
            "failures",
            "open_until",
            "revision",
            "created_at",
            "updated_at",
        )

    @extend_schema_field(HeadersField())
    def get_headers(self, webhook: Webhook) -> dict[str, str]:
        return webhook_headers.masked_headers(webhook)


class WebhookMadeSerializer(WebhookSerializer):
    secret = serializers.CharField(help_text="The secret that signs the calls; not shown again.")

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")


class SecretSerializer(StrictSerializer):
    secret = serializers.CharField(help_text="The secret that signs the calls; not shown again.")


class ResendInputSerializer(StrictSerializer):
    deliveries = serializers.ListField(
        child=StrictIntegerField(min_value=1, max_value=MAX_BIG_ID),
        required=False,
        max_length=1_000,
        help_text="The ids of failed deliveries; all of them by default.",
    )


class ResentSerializer(StrictSerializer):
    count = StrictIntegerField()


class DeliverySerializer(serializers.ModelSerializer):
    key = serializers.UUIDField(help_text="The header webhook-id of the call.")
    campaign = serializers.IntegerField(source="entry.campaign_id")
    person = serializers.IntegerField(source="person_id")
    created_at = UTCDateTimeField()
    due_at = UTCDateTimeField()
    finished_at = UTCDateTimeField(allow_null=True)

    class Meta:
        model = WebhookDelivery
        fields = (
            "id",
            "key",
            "campaign",
            "person",
            "method",
            "url",
            "state",
            "attempts",
            "status",
            "problem",
            "created_at",
            "due_at",
            "finished_at",
        )
