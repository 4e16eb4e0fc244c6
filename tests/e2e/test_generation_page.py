"""The page that shows generation, as a researcher watches and steers it."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.services import start_generation
from evalplatform.generation import services
from evalplatform.generation.models import GenerationRequest, SamplerSettings
from tests import factories
from tests.e2e.accessibility import assert_page_is_accessible

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def overview(page, site, rania):
    page.goto(f"{site}/generation/")
    page.fill("[name=username]", "rania")
    page.fill("[name=password]", "a long password")
    page.click("[type=submit]")
    page.wait_for_url("**/generation/")
    return page


@pytest.fixture
def asked(db, monkeypatch, settings):
    """Four samples in two batches, the first of which failed."""
    monkeypatch.setattr("celery.current_app.send_task", lambda *_, **__: None)
    settings.GENERATION_BATCH_SIZE = 2
    samples = factories.plan(
        factories.make_checkpoint("model"),
        SamplerSettings.objects.create(**factories.SETTINGS),
        factories.make_prompt_set(),
    )
    request = factories.make_request("tuned-vs-plain")
    services.enqueue_samples(samples=samples, request=request)
    failed = services.claim_next(worker="w", now=timezone.now())
    services.fail_batch(batch=failed, error=RuntimeError("no weights"), now=timezone.now())
    factories.make_worker("gpu-1:77", device="NVIDIA H200")
    return samples


def test_page_follows_the_work_without_a_reload(asked, overview):
    expect(overview.get_by_text("0 of 4 samples")).to_be_visible()
    made = services.claim_next(worker="gpu-1:77", now=timezone.now())
    for sample in made.samples.all():
        services.record_sample(
            sample=sample, image=factories.make_image(10**6 + sample.pk), now=timezone.now()
        )
    expect(overview.get_by_text("2 of 4 samples")).to_be_visible()
    expect(overview.locator("figure img")).to_have_count(2)


def test_idle_page_asks_seldom(overview):
    asked = []
    overview.on("request", lambda request: asked.append(request.url))
    overview.clock.install()
    overview.reload()
    overview.get_by_text("Nothing was asked of the workers yet").wait_for()
    asked.clear()
    for _ in range(12):
        overview.clock.run_for(5000)
        overview.wait_for_load_state("networkidle")
        overview.wait_for_timeout(20)  # an answer sets the next timer
    assert 2 <= len([url for url in asked if url.endswith("?part")]) <= 5


def test_campaigns_page_follows_its_samples_and_becomes_its_results(
    overview, site, monkeypatch, settings
):
    monkeypatch.setattr("celery.current_app.send_task", lambda *_, **__: None)
    settings.GENERATION_BATCH_SIZE = 2
    make_samples = factories.make_samples
    monkeypatch.setattr(factories, "make_samples", lambda campaign: [])
    campaign = factories.make_draft(prompts=2)
    start_generation(campaign=campaign)
    factories.make_worker("gpu-1:77")
    overview.reload()
    overview.get_by_role("link", name=campaign.slug).click()
    expect(overview.get_by_text("0 of 2", exact=True)).to_have_count(2)
    assert_page_is_accessible(overview, "a campaign being generated")
    overview.mouse.click(0, 0)
    make_samples(campaign)
    expect(overview.get_by_text("2 of 2", exact=True)).to_have_count(2)
    open_campaign(campaign=campaign)
    expect(overview.get_by_text("No votes yet.")).to_be_visible()


def test_buttons_pause_retry_and_ask_before_they_cancel(asked, overview):
    overview.get_by_role("button", name="Pause").click()
    expect(overview.get_by_text("tuned-vs-plain is paused.")).to_be_visible()
    overview.get_by_role("button", name="Go on").click()
    expect(overview.get_by_text("RuntimeError: no weights")).to_be_visible()
    overview.get_by_role("button", name="Retry failed").click()
    expect(overview.get_by_text("RuntimeError: no weights")).to_have_count(0)
    overview.once("dialog", lambda dialog: dialog.dismiss())
    overview.get_by_role("button", name="Cancel").click()
    assert GenerationRequest.objects.get().status == "active"
    overview.once("dialog", lambda dialog: dialog.accept())
    overview.get_by_role("button", name="Cancel").click()
    expect(overview.get_by_text("tuned-vs-plain is cancelled")).to_be_visible()
    assert GenerationRequest.objects.get().status == "cancelled"


def test_page_is_accessible_and_fits(asked, overview):
    assert_page_is_accessible(overview, "work that failed and waits")
