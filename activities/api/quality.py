"""Data quality of a type in the native API."""

from rest_framework import serializers

from people.rest.viewsets import StrictSerializer, UTCDateTimeField


class SenderQualitySerializer(StrictSerializer):
    event_source = serializers.IntegerField(source="source_id", help_text="The id of the event source.")
    library = serializers.CharField(help_text="Name and version of the program that sent the events; may be empty.")
    events = serializers.IntegerField(help_text="Events of this type, rejected ones included.")
    unknown = serializers.IntegerField(help_text="Events with properties that no field takes.")
    wrong = serializers.IntegerField(help_text="Events that were rejected for their values.")


class UnknownPropertySerializer(StrictSerializer):
    id = serializers.IntegerField(help_text="The id in the inbox.")
    name = serializers.CharField()
    event_source = serializers.IntegerField(source="source_id", help_text="The id of the event source.")
    count = serializers.IntegerField(help_text="How often it came.")
    libraries = serializers.DictField(child=serializers.IntegerField())
    first_at = UTCDateTimeField()
    last_at = UTCDateTimeField()


class TypeQualitySerializer(StrictSerializer):
    senders = SenderQualitySerializer(many=True, help_text="Those with the most events first, at most 100.")
    properties = UnknownPropertySerializer(
        many=True, help_text="Properties that no field takes and nobody ignores, at most 50, the most frequent first."
    )
