"""Pages that show many images: small copies, for researchers only, kept by the browser."""

import re

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.urls import reverse
from PIL import Image

from evalplatform.annotation.services import open_campaign
from evalplatform.core.thumbnails import thumbnail
from evalplatform.generation.models import Sample
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.results import campaign_results
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = 2_000_000  # bytes


def photograph(seed, size=1024):
    """Return a picture that is as hard to store as a photograph: 1.5 MB as PNG."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (size // 16, size // 16, 3), dtype=np.uint8))
    fine = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=np.int16)
    noisy = fine + rng.integers(-2, 3, fine.shape, dtype=np.int16)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def content_of(response):
    return b"".join(response.streaming_content)


@pytest.fixture
def large(monkeypatch):
    """An open campaign of 12 pairs of 1024 px."""
    monkeypatch.setattr(factories, "make_image", lambda seed, size=0: photograph(seed))
    campaign = factories.make_draft(prompts=12, k=1, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    return campaign


def test_large_images_make_a_light_page_and_a_light_file(large, client, rania):
    client.force_login(rania)
    page = client.get(reverse("reports:images", args=[large.slug])).content
    images = re.findall(r'<img src="([^"]+)"', page.decode())
    assert len(images) == 24
    sent = sum(len(content_of(client.get(each))) for each in images)
    whole = sum(default_storage.size(each.image) for each in Sample.objects.all())
    assert whole > 30_000_000
    assert len(page) + sent < LIMIT - 500_000  # what draws and styles is another 0.4 MB
    factories.judge_everything(large, [factories.Annotator.objects.create()], lambda slot: "left")
    file = offline_dashboard(campaign_results(large))
    assert "Plotly.newPlot" in file
    assert len(file.encode()) < LIMIT


def test_images_wait_until_they_are_looked_at_and_lead_to_the_full_ones(campaign, client, rania):
    client.force_login(rania)
    page = client.get(reverse("reports:images", args=[campaign.slug])).content.decode()
    images = re.findall(r"<img [^>]+>", page)
    assert len(images) == 8
    for image in images:
        assert 'loading="lazy"' in image
        full = re.search(r'data-full="([^"]+)"', image)[1]
        assert content_of(client.get(full)).startswith(b"\x89PNG")


def test_thumbnail_is_for_signed_in_people_and_kept_by_their_browser(campaign, client, rania):
    url = reverse("registry:sample_thumbnail", args=[Sample.objects.first().pk])
    assert client.get(url).status_code == 302
    client.force_login(rania)
    response = client.get(url)
    assert content_of(response)[8:12] == b"WEBP"
    assert response["Content-Type"] == "image/webp"
    assert {"private", "immutable"} <= set(response["Cache-Control"].split(", "))
    assert "Content-Disposition" not in response


def test_thumbnail_of_what_is_not_made_or_not_there_is_not_found(campaign, client, rania):
    client.force_login(rania)
    sample = Sample.objects.first()
    url = reverse("registry:sample_thumbnail", args=[sample.pk])
    Sample.objects.filter(pk=sample.pk).update(image="samples/gone.png")
    assert client.get(url).status_code == 404
    assert client.get(reverse("registry:sample", args=[sample.pk])).status_code == 404
    Sample.objects.filter(pk=sample.pk).update(status=Sample.Status.PLANNED)
    assert client.get(url).status_code == 404


def test_proxy_sends_it_where_there_is_one(campaign, client, rania, settings):
    settings.IMAGE_ACCEL_PREFIX = "/protected/"
    client.force_login(rania)
    sample = Sample.objects.first()
    for name, stored in (
        ("sample_thumbnail", thumbnail(sample.image)),
        ("sample", sample.image),
    ):
        response = client.get(reverse(f"registry:{name}", args=[sample.pk]))
        assert response["X-Accel-Redirect"] == f"/protected/{stored}"
        assert response.content == b""


def test_registry_and_generation_show_thumbnails(campaign, client, rania):
    client.force_login(rania)
    pages = [
        reverse("registry:checkpoint", args=[campaign.contenders[0].checkpoint.name]),
        reverse("generation:overview"),
    ]
    for url in pages:
        page = client.get(url).content.decode()
        shown = re.findall(r'<img src="([^"]+)"', page)
        assert shown
        assert all(each.endswith("/small/") for each in shown), url
