"""Parts of other modules for every data type; CONTRIBUTING has the steps to add one."""

import pytest

from activities.api.openapi import EXAMPLES
from config.marketo.resources import lead_fields
from config.marketo.wire.responses import TYPE_WORDS
from people.core.db import value_sql
from people.datatypes import json_schema
from people.datatypes.registry import BY_NAME

PLACES = {
    "people/core/db/value_sql.py": lambda name: value_sql.cast_sql(name, "x"),
    "people/datatypes/json_schema.py": json_schema.OF_TYPE.__getitem__,
    "activities/api/openapi.py": lambda name: not BY_NAME[name].for_activities or EXAMPLES[name],
    "config/marketo/wire/responses.py": TYPE_WORDS.__getitem__,
    "config/marketo/resources/lead_fields.py": list(lead_fields.CREATABLE.values()).index,
}


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("place", PLACES)
def test_every_data_type_is_in_every_place_that_needs_it(place, name):
    PLACES[place](name)
