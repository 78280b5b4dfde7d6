"""API clients and personal tokens in the admin."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.access.models import ApiClient, ApiToken
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db
PEOPLE = "people.view_person"


@pytest.fixture
def olga(client):
    found = get_user_model().objects.create_user("olga", is_staff=True)
    found.groups.add(Group.objects.get(name="Developer"))
    client.force_login(found)
    return get_user_model().objects.get(pk=found.pk)


def url(name, *args):
    return reverse(f"admin:access_apiclient_{name}", args=args)


def test_a_client_is_made_with_the_rights_that_were_ticked_and_shown_once(client, olga):
    form = client.get(url("add")).context["form"]
    offered = {right for _title, rights in form.fields["rights"].groups for right, _label in rights}
    assert PEOPLE in offered and "people.delete_person" not in offered  # olga lacks it herself
    assert form.chosen == {right for right in client_editing.DEFAULT_RIGHTS if right in offered}
    reply = client.post(url("add"), {"name": "Bank core", "rights": [PEOPLE]})
    made = ApiClient.objects.get()
    secret = reply.context["credentials"].client_secret
    assert secret in reply.text and "no-store" in reply["Cache-Control"]
    assert (
        client_editing.client_rights(made) == [PEOPLE]
        and client_editing.authenticate_client(made.client_id, secret) == made
    )
    assert secret not in client.get(url("change", made.pk)).text
    again = client.post(url("add"), {"name": "bank CORE", "rights": ["people.view_person"]})
    assert "already" in again.text and 'value="bank CORE"' in again.text


def test_name_and_rights_are_changed_and_hold_at_once(client, olga):
    made = client_editing.create_client("Bank core", olga, None, [PEOPLE]).client
    api = Api(client, tokens.issue_token(made).text)
    assert api.get("activity-types").status_code == 403
    rights = [PEOPLE, "activities.view_activitytype"]
    client.post(url("change", made.pk), {"name": "Bank", "rights": rights})
    assert ApiClient.objects.get().name == "Bank" and api.get("activity-types").status_code == 200
    reply = client.post(url("change", made.pk), {"name": "Bank", "rights": ["people.nonsense"]})
    assert reply.status_code == 200 and reply.context["form"].errors["rights"]


def test_a_new_secret_leaves_the_old_one_its_time(client, olga):
    old = client_editing.create_client("Bank core", olga, None)
    new = client.post(url("rotate", old.client.pk), {"overlap": "1"}).context["credentials"].client_secret
    assert client_editing.authenticate_client(old.client_id, old.client_secret) and client_editing.authenticate_client(
        old.client_id, new
    )
    assert "until" in client.get(url("change", old.client.pk)).text
    client.post(url("rotate", old.client.pk), {"overlap": "0"})
    assert client_editing.authenticate_client(old.client_id, new) is None


def test_a_revoked_client_is_shown_and_changed_no_more(client, olga):
    made = client_editing.create_client("Bank core", olga, None).client
    client.post(url("revoke", made.pk))
    page = client.get(url("change", made.pk)).text
    assert "Revoked" in page and url("rotate", made.pk) not in page
    assert client.post(url("change", made.pk), {"name": "x"}).status_code == 403
    assert "The client is revoked" in client.post(url("rotate", made.pk), follow=True).text
    assert client.get(url("revoke", made.pk)).status_code == 403
    gone = client.get(url("change", 10**12), headers={"Accept-Language": "es"})
    assert gone.status_code == 404 and "Página no encontrada" in gone.text


def test_a_token_is_made_shown_once_used_and_ended(client, olga):
    page = reverse("tokens")
    reply = client.post(page, {"name": "Nightly <b>", "days": "30", "rights": [PEOPLE]})
    text = reply.context["issued"].text
    assert text in reply.text and "Nightly &lt;b&gt;" in reply.text and "no-store" in reply["Cache-Control"]
    assert text not in client.get(page).text
    token = ApiToken.objects.get()
    assert token.scopes == [PEOPLE] and token.expires_at - timezone.now() > timedelta(days=29)
    api = Api(client, text)
    client.logout()
    assert api.get("people").status_code == 200 and api.get("activity-types").status_code == 403
    client.force_login(olga)
    assert ApiToken.objects.get().last_used_at is not None
    client.post(page, {"revoke": token.pk})
    assert not ApiToken.objects.exists()
    for nonsense in ("", "x", "9" * 30):
        assert client.post(page, {"revoke": nonsense}).status_code == 404


def test_a_token_without_ticked_rights_may_do_what_its_user_may(client, olga):
    client.post(reverse("tokens"), {"name": "all", "days": "7"})
    assert ApiToken.objects.get().scopes is None
    reply = client.post(reverse("tokens"), {"name": "", "days": "9999"})
    assert set(reply.context["form"].errors) == {"name", "days"} and ApiToken.objects.count() == 1


def test_nobody_ends_somebody_elses_token(client, olga):
    other = tokens.create_personal_token(get_user_model().objects.create_user("ana"), "hers", 5).token
    assert client.post(reverse("tokens"), {"revoke": other.pk}).status_code == 404
    assert ApiToken.objects.filter(pk=other.pk).exists()
