"""Filters of the native API's list of API clients."""

from config.access.models import ApiClient
from people.rest.filters import NUMBER_KEY, FilterColumn, StrictFilterSet


class ApiClientFilterSet(StrictFilterSet):
    class Meta:
        model = ApiClient
        fields = ()

    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": FilterColumn("string", is_nullable=False),
        "client_id": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "owner": FilterColumn("string", "user__username", is_nullable=False, operators=("", "in")),
        "is_revoked": FilterColumn("boolean", is_nullable=False),
        "created_at": FilterColumn("datetime", "created", is_nullable=False),
        "last_used_at": FilterColumn("datetime"),
    }
    unfiltered = {
        "user": "filtered by its name: owner",
        "updated": "the time of the last change of its secret, not a key to look clients up by",
        "api_user": "its own user, one a client",
        **dict.fromkeys(("client_secret", "previous_secret", "previous_secret_ends_at"), "secret"),
        **dict.fromkeys(("token_number", "token_digest", "token_expires_at"), "the Marketo API's own token"),
        **dict.fromkeys(
            (
                "redirect_uris",
                "post_logout_redirect_uris",
                "client_type",
                "authorization_grant_type",
                "algorithm",
                "skip_authorization",
                "hash_client_secret",
                "allowed_origins",
                "registration_source",
                "cimd_expires_at",
            ),
            "the same for every client: only client credentials are given out",
        ),
    }
