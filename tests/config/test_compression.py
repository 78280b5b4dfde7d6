"""Pages are compressed; nothing else is."""

import gzip

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import make_person

pytestmark = pytest.mark.django_db
ZIPPED = {"HTTP_ACCEPT_ENCODING": "gzip"}


def test_a_page_is_sent_compressed_and_its_length_says_nothing_exact(admin_client):
    url = reverse("admin:people_person_changelist")
    plain = admin_client.get(url)
    assert "Content-Encoding" not in plain
    zipped = [admin_client.get(url, **ZIPPED) for _try in range(8)]
    assert all(reply["Content-Encoding"] == "gzip" and "Accept-Encoding" in reply["Vary"] for reply in zipped)
    assert b"</html>" in gzip.decompress(zipped[0].content)
    assert len(zipped[0].content) < len(plain.content) / 3
    # the header of the gzip file has a name of random length
    assert len({reply.content.index(b"\0", 10) for reply in zipped}) > 1


def test_files_and_what_programs_read_are_left_as_they_are(admin_client):
    found = make_person(email="ana@example.com")
    file = admin_client.post(reverse("admin:people_person_archive", args=[found.pk]), **ZIPPED)
    assert file.streaming and "Content-Encoding" not in file
    assert b"ana@example.com" in file.getvalue()
    assert "Content-Encoding" not in Client().get("/api/v1/people", **ZIPPED)
