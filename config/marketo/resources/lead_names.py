"""Person fields by the names that the Marketo API gives them."""

from collections.abc import Mapping

from people.fields import catalog
from people.fields.catalog import STANDARD, FieldInfo

# standard fields whose name is not our API name in camel case
SPECIAL_NAMES = {"state_or_province": "state", "person_score": "leadScore"}
MAX_NAME = 90  # of what is quoted back


class Names:
    """`rest` maps our API names to the Marketo API's, `ours` the other way; custom fields have one name in both."""

    def __init__(self) -> None:
        self.fields: Mapping[str, FieldInfo] = catalog.catalogue()
        self.rest = {name: self.of_standard(name) if info.is_standard else name for name, info in self.fields.items()}
        self.ours = {rest: name for name, rest in self.rest.items()}

    @staticmethod
    def of_standard(api_name: str) -> str:
        """What the Marketo API calls a standard field: first_name is firstName. Other names stay as they are."""
        if api_name not in STANDARD:
            return api_name
        first, *rest = api_name.split("_")
        return SPECIAL_NAMES.get(api_name) or first + "".join(word.capitalize() for word in rest)

    def translate(self, name: str) -> str:
        """Our name for a member of a lead. A name of ours that is none of the Marketo API's stays unknown."""
        known = name if name == "id" else self.ours.get(name)
        if known is not None:
            return known
        alias = f" {name[:MAX_NAME]}"  # no field is called so; the refusal shows the name as it came
        self.rest[alias] = name[:MAX_NAME]
        return alias
