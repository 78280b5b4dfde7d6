"""The admin of people, lists, fields, imports and exports."""

from people.admin import exports, fields, imports, installation, persons, static_lists  # noqa: F401 (register)
from people.admin.objects import import_form, records, types  # noqa: F401 (register)
