"""The page that shows and steers generation, and the figures for Prometheus."""

import pytest
from django.urls import reverse
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from evalplatform.generation import services
from evalplatform.generation.models import SamplerSettings
from tests import factories

pytestmark = pytest.mark.django_db
PAGE = "/generation/"


@pytest.fixture
def running(db, wakes, settings):
    """One batch done, one failed, one in a worker's hands, two waiting."""
    settings.GENERATION_BATCH_SIZE = 2
    request = factories.make_request("tuned-vs-plain")
    samples = factories.plan(
        factories.make_checkpoint("model"),
        SamplerSettings.objects.create(**factories.SETTINGS),
        factories.make_prompt_set(count=10),
    )
    services.enqueue_samples(samples=samples, request=request)
    claimed = [services.claim_next(worker="w", now=timezone.now()) for _ in range(3)]
    done = list(claimed[0].samples.all())
    services.record_samples(
        samples=done, images=[factories.make_image(10**6 + each.pk) for each in done],
        now=timezone.now(), batch=claimed[0], seconds=4,
    )  # fmt: skip
    services.finish_batch(batch=claimed[0], now=timezone.now(), stages={}, environment={})
    services.fail_batch(batch=claimed[1], error=RuntimeError("<no> weights"), now=timezone.now())
    factories.make_worker("w", batch=claimed[2], images_made=2, images_per_second=0.5)
    return request


@pytest.fixture
def researcher(client, rania):
    client.force_login(rania)
    return client


def test_page_is_for_researchers(client):
    for url in (PAGE, reverse("generation:steer", args=["x"])):
        assert client.post(url).status_code in (302, 405)
    assert client.get(PAGE).status_code == 302


def test_page_shows_progress_failure_worker_and_samples(researcher, running):
    page = researcher.get(PAGE).content.decode()
    for words in ("2 of 10 samples", "running", "RuntimeError: &lt;no&gt; weights", "Retry failed",
                  "model for tuned-vs-plain", "2 queued, 1 running, 1 failed", "about 12 s left",
                  "4 s worker time"):  # fmt: skip
        assert words in page, words
    assert page.count("<figure>") == 2


def test_part_alone_is_what_the_page_refreshes(researcher, running):
    part = researcher.get(PAGE + "?part").content.decode()
    assert "<html" not in part
    assert "2 of 10 samples" in part


def test_page_of_an_empty_platform_says_what_to_do(researcher):
    page = researcher.get(PAGE).content.decode()
    assert "run_eval" in page
    assert "ask an operator to start one" in page


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("pause", "is paused"), ("resume", "goes on"), ("retry", "1 batch of"),
        ("sooner", "has priority 1"), ("later", "has priority -1"), ("cancel", "4 batches"),
        ("explode", "not something that can be done"),
    ],
)  # fmt: skip
def test_buttons_steer(researcher, running, action, said):
    response = researcher.post(
        reverse("generation:steer", args=[running.name]), {"action": action}, follow=True
    )
    assert said in response.content.decode()


@pytest.mark.parametrize(
    ("name", "leads"),
    [
        ("tuned-vs-plain", "/campaigns/tuned-vs-plain/"), ("pool:cats", "/pools/asked/for/"),
        ("loop:emu:2", "/feedback/emu/"), ("demo:held-out", None),
    ],
)  # fmt: skip
def test_every_name_leads_to_what_asks_and_can_be_steered(researcher, name, leads):
    factories.make_request(name)
    shown = researcher.get(PAGE).content.decode()
    heading = shown.partition("<h3>")[2].partition("</h3>")[0]
    assert ("<a" in heading) == bool(leads)
    assert f'href="{leads}"' in heading or not leads
    steer = reverse("generation:steer", args=[name])
    said = researcher.post(steer, {"action": "pause"}, follow=True).content.decode()
    assert "is paused" in said


def test_metrics_are_what_prometheus_reads(client, running, settings):
    settings.METRICS_TOKEN = "secret"
    answer = client.get("/metrics", headers={"Authorization": "Bearer secret"})
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }
    assert found["evalplatform_batches", "queued"] == 2
    assert found["evalplatform_batches", "failed"] == 1
    assert found["evalplatform_samples_waiting",] == 6
    assert found["evalplatform_samples_ready_total", "model"] == 2
    assert found["evalplatform_workers",] == 1
    assert found["evalplatform_worker_busy", "w"] == 1
    assert found["evalplatform_worker_images_per_second", "w"] == 0.5
    assert found["evalplatform_request_samples_left", "tuned-vs-plain"] == 8
    assert found["evalplatform_request_seconds_total", "tuned-vs-plain"] == 4
