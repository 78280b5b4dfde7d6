"""Looks for object records with the same dedupe values. It reads all records of types with a link in these."""

from config.operations.findings import Finding
from people.objects.identity import earlier


def check_object_doubles() -> Finding:
    number = earlier.count_earlier_doubles()
    if number:
        state = f"{number:,} records have the same dedupe values as another one, since merges of an earlier version"
        return Finding("object records", state, "run manage.py merge_object_doubles")
    return Finding("object records", "no two have the same dedupe values")
