"""The title of a browser tab on the list pages of the admin: the heading of the page, in either language."""

import re
from html import unescape

import pytest
from django.contrib import admin
from django.urls import reverse

TITLE = re.compile(r"<title>(.*?)\s*\|", re.DOTALL)
HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
COUNT = re.compile(r'<span class="ca-muted">.*?</span>', re.DOTALL)
TAG = re.compile(r"<[^>]*>")


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "es"])
def test_the_tab_of_each_list_has_the_heading_of_the_page(admin_client, language):
    wrong, seen = [], 0
    for model in admin.site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        page = admin_client.get(address, headers={"Accept-Language": language})
        if page.status_code != 200:
            continue  # pages of one row redirect to it
        seen += 1
        title = unescape(TITLE.search(page.text)[1]).strip()
        heading = " ".join(unescape(TAG.sub("", COUNT.sub("", HEADING.search(page.text)[1]))).split())
        if title != heading:
            wrong.append(f"{address}: tab “{title}”, heading “{heading}”")
    assert seen > 15 and not wrong, "\n".join(wrong)
