"""Conventions of all resources: filters for every field, a right for every action, indexes for every order."""

import pytest
from django.db import connection
from django.db.models import ForeignKey
from django.urls import get_resolver

from config.api.urls import router, urlpatterns
from people.rest.viewsets import ResourceViewSet

RESOURCES = [viewset for _prefix, viewset, _name in router.registry]
LISTS = [resource for resource in RESOURCES if getattr(resource, "filterset_class", None)]


def name_of(resource):
    return resource.__name__


@pytest.mark.parametrize("resource", LISTS, ids=name_of)
def test_every_field_of_a_model_has_a_filter_or_a_reason(resource):
    filterset = resource.filterset_class
    model = filterset._meta.model
    taken = {column.source or name for name, column in filterset.typed.items() if isinstance(column.source, str)}
    taken |= {source.partition("__")[0] for source in taken}
    taken |= {name.partition("__")[0] for name in filterset.base_filters}
    fields = {field.name for field in model._meta.get_fields(include_hidden=False) if field.concrete}
    aliases = {field.name for field in model._meta.fields if isinstance(field, ForeignKey) and field.attname in taken}
    missing = {field for field in fields - taken - aliases if field not in filterset.unfiltered}
    assert not missing, f"neither filter nor reason: {sorted(missing)}"
    assert all(filterset.unfiltered.values())
    assert not set(filterset.unfiltered) - fields, "a reason for a field that is not there"


@pytest.mark.parametrize("resource", RESOURCES, ids=name_of)
def test_every_action_names_its_right(resource):
    standard = {"list", "retrieve", "create", "update", "partial_update", "destroy"}
    extra = {name for action in resource.get_extra_actions() for name in action.mapping.values()} | {"whoami"}
    actions = {name for name in standard if hasattr(resource, name)} | extra
    routed = {
        action
        for pattern in [*router.urls, *urlpatterns]
        if getattr(getattr(pattern, "callback", None), "cls", None) is resource
        for action in pattern.callback.actions.values()
    }
    assert routed <= actions
    assert routed == set(resource.rights)


@pytest.mark.django_db
@pytest.mark.parametrize("resource", [one for one in RESOURCES if one.pagination_class], ids=name_of)
def test_every_order_is_served_by_an_index(resource):
    table = resource.queryset.model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("select indexdef from pg_indexes where tablename = %s", [table])
        definitions = [row[0] for row in cursor.fetchall()]
    columns = [definition.partition(" USING ")[2].replace('"', "") for definition in definitions]
    for ordering in resource.orderings:
        column = ordering.lstrip("-")
        assert any(f"({column}" in text or f", {column}" in text for text in columns), (table, ordering, columns)


def test_nothing_under_the_api_is_a_plain_view_without_rights():
    from django.urls.resolvers import URLResolver

    def views(patterns):
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from views(pattern.url_patterns)
            else:
                yield pattern.callback

    api = next(one for one in get_resolver().url_patterns if str(one.pattern) == "api/")
    classes = [getattr(view, "cls", view) for view in views(api.url_patterns)]
    plain = {one.__name__ for one in classes if not (isinstance(one, type) and issubclass(one, ResourceViewSet))}
    assert plain == {
        "issue_token",
        "OpenAPIDocumentView",
        "not_found",
        "SpectacularSwaggerSplitView",
        "guide_page",
        "problem_page",
    }


def test_the_faults_of_the_document_are_those_that_have_a_title():
    from config.api.errors import TITLES
    from config.api.openapi import FAULTS

    assert {int(status) for status in FAULTS} == set(TITLES) - {405, 500}
