"""Rights as they are in effect at the moment of the request."""

from typing import Any

from django.contrib.auth.backends import ModelBackend


class EffectiveRightsBackend(ModelBackend):
    """An API-only user has the rights it was given, limited to those that its owner has now."""

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> Any:
        """Return no rights for API-only users: they have no roles, and this saves a statement a call."""
        return set() if getattr(user_obj, "is_api_only", False) else super().get_group_permissions(user_obj, obj)

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        if getattr(user_obj, "rights", None) is not None:
            return perm in user_obj.rights
        if not super().has_perm(user_obj, perm, obj):
            return False
        owner = user_obj.owner if getattr(user_obj, "is_api_only", False) else None
        if getattr(user_obj, "is_api_only", False) and owner is None:
            return False
        return owner is None or owner.has_perm(perm, obj)

    def user_can_authenticate(self, user: Any) -> bool:
        """Refuse API-only users: programs do not sign in to the pages."""
        return super().user_can_authenticate(user) and not getattr(user, "is_api_only", False)

    def get_user(self, user_id: Any) -> Any:
        user = super().get_user(user_id)
        return None if user is not None and user.is_api_only else user
