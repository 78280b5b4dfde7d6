"""The objects behind the admin's pages are shared by all threads: a request leaves nothing of ours on them."""

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch, reverse

from tests.factories import approved_type
from tests.smartlists.campaign_factories import make_draft_campaign

OF_UNFOLD = {"request", "list_editable"}  # unfold's attributes, which nothing of ours reads


def state_of_pages():
    return {
        model: {name: value for name, value in vars(page).items() if name not in OF_UNFOLD}
        for model, page in admin.site._registry.items()
    }


@pytest.mark.django_db
def test_a_list_leaves_nothing_on_its_admin(admin_client):
    approved_type()
    make_draft_campaign()
    before = state_of_pages()
    shown = []
    for model in before:
        try:
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        except NoReverseMatch:
            continue
        shown.append(admin_client.get(address, follow=True).status_code)
    assert shown.count(200) > 5
    assert state_of_pages() == before
