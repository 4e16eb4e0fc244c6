"""A campaign's page before it opens: what is made, what hinders, what comes next."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.services import allow, close_campaign, start_generation
from evalplatform.generation import services
from evalplatform.generation.models import GenerationRequest
from evalplatform.runs.models import Draft
from tests import factories, faulty

pytestmark = pytest.mark.django_db(transaction=True)


STEPS = ["Draft", "Generating", "Open", "Closed"]


def now(text: str) -> str:
    """Return the step at which a page says the campaign is."""
    found = re.search(r'aria-current="step"><span class="stepper-name">(\w+)', text)
    return found[1] if found else ""


@pytest.fixture
def generating(db, monkeypatch, settings):
    """Eight samples asked for, in batches of two: one batch made, one failed."""
    monkeypatch.setattr("celery.current_app.send_task", lambda *_, **__: None)
    monkeypatch.setattr(factories, "make_samples", lambda campaign: [])
    settings.GENERATION_BATCH_SIZE = 2
    campaign = factories.make_draft(prompts=4)
    start_generation(campaign=campaign)
    made = claim()
    record(made)
    failed = claim()
    services.fail_batch(batch=failed, error=RuntimeError("no <weights>"), now=timezone.now())
    factories.make_worker("w", batch=claim(), images_per_second=0.5, device_bytes=2**34)
    return campaign


def claim():
    return services.claim_next(worker="w", now=timezone.now())


def record(batch):
    rows = list(batch.samples.all())
    services.record_samples(
        samples=rows, images=[factories.make_image(10**6 + each.pk) for each in rows],
        now=timezone.now(), batch=batch, seconds=4,
    )  # fmt: skip
    services.finish_batch(batch=batch, now=timezone.now(), stages={}, environment={})


@pytest.fixture
def page(client, rania):
    client.force_login(rania)

    def page(campaign, name="dashboard"):
        return client.get(reverse(f"reports:{name}", args=[campaign.slug]))

    return page


def test_page_says_what_is_made_of_each_checkpoint_and_why_some_failed(generating, page):
    text = page(generating).content.decode()
    assert re.findall(r"<span>(\d+ of \d+)</span>", text) == ["2 of 4", "0 of 4"]
    for words in ("RuntimeError: no &lt;weights&gt;", "0.5 images a second", "What comes next",
                  "4 s worker time", "4 prompts; 40 votes will be wanted"):  # fmt: skip
        assert words in text, words
    assert "0 of 0" not in text
    assert len(re.findall(r"<figure>", text)) == 2
    assert now(text) == "Generating"
    assert not re.search(r"plotly[\w.-]*\.js", text)


def test_campaign_and_generation_lead_to_each_other(generating, page, client):
    there = reverse("generation:overview") + f"#{generating.slug}"
    assert there in page(generating).content.decode()
    back = client.get(reverse("generation:overview")).content.decode()
    assert f'id="{generating.slug}"' in back
    assert reverse("reports:dashboard", args=[generating.slug]) in back


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "paused"}, "Generation is paused."),
        ({"status": "cancelled"}, "Generation was cancelled."),
        ({"budget_seconds": 1}, "The budget of worker time is used."),
    ],
)
def test_page_says_what_hinders_and_asks_seldom(generating, page, change, words):
    assert 'data-active="1"' in page(generating, "progress").content.decode()
    GenerationRequest.objects.update(**change)
    text = page(generating, "progress").content.decode()
    assert words in text
    assert 'data-active="0"' in text


def test_missing_worker_is_said_with_whom_to_ask(generating, page):
    from evalplatform.generation.models import WorkerHeartbeat

    WorkerHeartbeat.objects.all().delete()
    assert "No worker lives: ask an operator to start one." in page(generating).content.decode()


def test_draft_that_asked_for_nothing_says_so(db, monkeypatch, page):
    monkeypatch.setattr(factories, "make_samples", lambda campaign: [])
    assert "Nothing was asked of the workers yet." in page(factories.make_draft()).content.decode()


def test_every_tab_says_where_the_campaign_is_in_its_life(draft, page):
    assert now(page(draft, "protocol").content.decode()) == "Draft"
    open_campaign(campaign=draft)
    text = page(draft, "images").content.decode()
    assert re.findall(r'class="stepper-name">(\w+)', text) == STEPS
    assert now(text) == "Open"
    close_campaign(campaign=draft)
    assert now(page(draft, "people").content.decode()) == ""


def test_safety_check_is_a_step_with_its_own_progress(db, red_detector, page):
    from tests import safety

    draft = safety.make_draft(safety.HALF_FILTERED)
    Campaign.objects.update(status="generating")
    text = page(draft).content.decode()
    assert re.findall(r'class="stepper-name">(\w+)', text) == [*STEPS[:2], "Screening", *STEPS[2:]]
    assert now(text) == "Screening"
    safety.check(draft)
    assert "16 of 16" in page(draft).content.decode()


def test_fragment_says_when_the_campaign_has_opened(draft, page):
    assert page(draft, "progress").status_code == 200
    open_campaign(campaign=draft)
    assert page(draft, "progress").status_code == 205
    assert "No votes yet" in page(draft).content.decode()


def test_progress_is_for_signed_in_people_and_never_kept(draft, client, rania):
    url = reverse("reports:progress", args=[draft.slug])
    assert client.get(url).status_code == 302
    client.force_login(rania)
    assert "no-store" in client.get(url)["Cache-Control"]
    assert client.post(url).status_code == 405


def test_looking_again_takes_as_many_queries_for_many_prompts_as_for_few(
    draft, client, rania, django_assert_max_num_queries
):
    large = factories.make_bulk_draft(prompts=60, slug="large")
    client.force_login(rania)
    for campaign in (draft, large):
        with django_assert_max_num_queries(18):
            client.get(reverse("reports:progress", args=[campaign.slug]))
    assert Campaign.objects.count() == 2


@pytest.mark.parametrize("name", ["dashboard", "progress"])
def test_page_says_why_a_campaign_is_held_back_and_what_can_be_done(page, name):
    draft = faulty.make_draft(constant=[0])
    text = page(draft, name).content.decode()
    assert "1 of 4 images of checkpoint" in text
    assert "are of one colour" in text
    assert "Copy it into a new draft" in text
    assert f"run_eval --resume {draft.slug} --allow-constant 0.25" in text
    allow(campaign=draft, allow_constant=0.25)
    assert "is held back" not in page(draft, name).content.decode()


def test_editor_lets_what_holds_a_campaign_back_through_on_its_page(page, client):
    draft = faulty.make_draft(constant=[0], cut_b=[1, 2], rules={"samples": {"allow_cut": 0.1}})
    text = page(draft, "dashboard").content.decode()
    assert "Let them through" in text
    assert "up to 25 % of images of one colour and 50 % of cut prompts" in text
    answer = client.post(
        reverse("reports:steer", args=[draft.slug]), {"action": "let_through"}, follow=True
    )
    draft = Campaign.objects.get()
    shares = draft.checked_rules.samples
    assert (shares.allow_constant, shares.allow_cut, shares.allow_identical) == (0.25, 0.5, 0.01)
    assert "is held back" not in answer.content.decode()
    open_campaign(campaign=draft)
    again = client.post(
        reverse("reports:steer", args=[draft.slug]), {"action": "let_through"}, follow=True
    )
    assert "Nothing of it is held back" in again.content.decode()


def test_draft_that_is_held_back_offers_no_opening(page, client):
    draft = Draft.objects.create(
        campaign=faulty.make_draft(identical=[0]), project=default_project()
    )
    text = client.get(draft.get_absolute_url()).content.decode()
    assert "1 of 4 sets show the same image twice" in text
    assert "Open to annotators" not in text
