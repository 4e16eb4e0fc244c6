"""The registry's pages of image collections."""

import pytest
from django.urls import reverse

from evalplatform.accounts.projects import default_project
from evalplatform.images.models import ImageCollection
from evalplatform.images.services import import_collection
from evalplatform.reports import collections
from tests import factories
from tests.images import given

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def researcher(client, rania):
    client.force_login(rania)
    return client


@pytest.fixture
def brought(tmp_path):
    """Three images for two of four prompts, and a file that was left out."""
    files = {"0.png": given.png(1), "1_0.png": given.png(2), "1_1.png": given.png(3), "2.png": b""}
    return import_collection(
        project=default_project(),
        path=given.folder(tmp_path, files), name="brought", model="DALL-E 3", licence="CC BY 4.0",
        source="https://example.org/<images>", skip_bad=True,
        prompt_set=factories.make_prompt_set("things", 4),
    ).collection  # fmt: skip


def text(client, name, *args):
    response = client.get(reverse(f"registry:{name}", args=args))
    assert response.status_code == 200
    return response.content.decode()


def test_list_says_what_to_do_where_there_is_no_collection(researcher):
    assert "No collections yet" in text(researcher, "list")


def test_list_names_every_collection_beside_the_checkpoints(researcher, brought):
    page = text(researcher, "list")
    assert reverse("registry:collection", args=["brought"]) in page
    assert "DALL-E 3" in page
    assert "things@1" in page


def test_page_says_where_a_collection_is_from(researcher, brought):
    page = text(researcher, "collection", "brought")
    for said in (
        "DALL-E 3", "CC BY 4.0", "https://example.org/&lt;images&gt;", brought.sha256,
        "things@1: 2 of 4 have images", "1 unreadable", "a secret-things-prompt number 1",
    ):  # fmt: skip
        assert said in page
    first = brought.images.first()
    assert reverse("registry:collected_thumbnail", args=[first.pk]) in page


def test_all_images_are_seen_page_by_page(researcher, brought, monkeypatch):
    monkeypatch.setattr(collections, "_IMAGES", 2)
    monkeypatch.setattr(collections, "_IMAGES_A_PAGE", 2)
    assert "See all 3" in text(researcher, "collection", "brought")
    address = reverse("registry:collection_images", args=["brought"])
    assert researcher.get(address).content.count(b"<figure>") == 2
    assert researcher.get(f"{address}?page=2").content.count(b"<figure>") == 1
    assert researcher.get(f"{address}?page=x").status_code == 200


def test_image_is_sent_whole_and_small_to_researchers_only(client, researcher, brought):
    first = brought.images.first()
    whole = researcher.get(reverse("registry:collected", args=[first.pk]))
    assert b"".join(whole.streaming_content).startswith(b"\x89PNG")
    small = researcher.get(reverse("registry:collected_thumbnail", args=[first.pk]))
    assert small["Content-Type"] == "image/webp"
    assert b"".join(small.streaming_content).startswith(b"RIFF")
    assert researcher.get(reverse("registry:collected", args=[first.pk + 99])).status_code == 404
    client.logout()
    for name, given_id in (
        ("collected", first.pk), ("collected_thumbnail", first.pk), ("collection", "brought"),
        ("collection_images", "brought"),
    ):  # fmt: skip
        assert client.get(reverse(f"registry:{name}", args=[given_id])).status_code == 302


def test_collection_is_retired_and_restored_on_its_page(researcher, brought, rania):
    researcher.post(reverse("registry:retire_collection", args=["brought"]))
    assert ImageCollection.objects.get().retired_by == rania
    assert "by rania" in text(researcher, "collection", "brought")
    assert researcher.get(reverse("registry:restore_collection", args=["x"])).status_code == 405
    researcher.post(reverse("registry:restore_collection", args=["brought"]))
    assert ImageCollection.objects.get().status == "ready"
