"""Settings of Django REST framework and drf-spectacular."""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "config.api.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["config.api.authentication.HasNamedRight"],
    "DEFAULT_PARSER_CLASSES": ["config.api.parsers.ExactJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["config.api.parsers.ExactJSONRenderer", "config.api.parsers.PageRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["config.api.filters.StrictFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "config.api.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "config.api.openapi.OperationSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "config.api.errors.handle_exception",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Custom Activities",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": (
        "Record the moments that matter to your business, and read them back. "
        "Start with the [guide](/api/docs/guide). Every error is returned as a problem (RFC 9457); its "
        "`errors` give the place, what was expected and what was received."
    ),
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["config.api.authentication.MayReadDocs"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_NO_READ_ONLY_REQUIRED": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {
        "ActivityDataType": "people.rest.definition_serializers.DATA_TYPES",
        "ObjectRecordAction": "people.objects.outcomes.RECORD_ACTIONS",
        "ObjectRecordKey": "people.objects.outcomes.RECORD_KEYS",
        "ObjectRecordStatus": "people.objects.outcomes.RECORD_STATUSES",
        "ObjectChangeKind": "people.api.objects.serializers.KINDS",
        "ActivityTypeStateEnum": "people.api.objects.serializers.STATES",
        "PersonDataType": "people.api.serializers.DATA_TYPES",
        "EventSourceStateEnum": ["on", "off"],
        "EventSourceKind": "activities.models.sources.EventSource.Kind",
        "EventSourceConsent": "activities.models.sources.EventSource.Consent",
        "FormSubmissionState": "activities.models.forms.FormSubmission.State",
        "FormSubmissionWay": "activities.models.forms.FormSubmission.Way",
        "InboundCallState": "activities.models.inbound.InboundCall.State",
        "InboundReplayState": "activities.models.inbound.InboundReplay.State",
        "InboundSignature": "activities.models.inbound.InboundWebhook.Signature",
        "LinkActivity": "activities.models.links.TrackedLink.LinkActivity",
        "LinkChannel": "activities.models.links.TrackedLink.LinkChannel",
        "LinkClickState": "activities.models.links.LinkClick.State",
        "SightingKind": "activities.models.inbox.Sighting.Kind",
        "SightingState": "activities.models.inbox.Sighting.State",
        "WebhookFormat": "smartlists.models.webhooks.Webhook.Format",
        "WebhookPayloadVersion": "smartlists.models.webhooks.Webhook.Payload",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "displayRequestDuration": True},
    "SORT_OPERATIONS": False,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "config.api.openapi.complete_document"],
}
