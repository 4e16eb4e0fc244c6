"""The page of a pool in a browser: accessible, and no wider than a phone."""

import os
from pathlib import Path

import pytest
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.api.jobs import ask_for_pool, call_off, run_job
from evalplatform.curation.services import StagePlan, close_stage, open_stage, step_captions
from evalplatform.curation.services.scoring import ScoringPlan, request_scoring
from evalplatform.generation.models import GenerationRequest
from tests import factories
from tests.curation.conftest import judge  # noqa: F401 (a fixture)
from tests.curation.pools import make_pool
from tests.e2e.accessibility import assert_page_is_accessible

pytestmark = pytest.mark.django_db(transaction=True)


def test_pool_page_is_accessible_and_fits_a_phone(browser, site, rania, tmp_path, judge):  # noqa: F811
    pool = make_pool(tmp_path / "pool", 6)
    first = open_stage(pool=pool, plan=StagePlan("generalists"), now=timezone.now()).stage
    judge(first, "gina", lambda image, known: ["keep" if image.position else "reject"])
    close_stage(stage=first, now=timezone.now())
    step_captions(pool=pool, people=("anna", "ben"), now=timezone.now())
    plan = StagePlan("specialists", k=2, people=("anna", "ben"), heads=("Lighting", "Story"))
    second = open_stage(pool=pool, plan=plan, now=timezone.now()).stage
    judge(second, "anna", lambda image, known: ["keep"])
    judge(second, "ben", lambda image, known: ["keep", "Story"])
    scoring = request_scoring(
        project=pool.project, name="needles-again",
        plan=ScoringPlan(("pixels", "clip"), tmp_path / "scores", collection=pool.collection),
    )  # fmt: skip
    (listing,) = scoring.shards.all()
    listing.status, listing.error = "failed", "InputError: the scorer 'clip' needs a directory"
    listing.save()
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{site}/pools/")
    page.fill("[name=username]", "rania")
    page.fill("[name=password]", "a long password")
    page.click("[type=submit]")
    page.wait_for_url("**/pools/")
    folder = os.environ.get("SCREENSHOTS")
    _keep_pictures(page, folder, "pools")
    assert_page_is_accessible(page, "the list of pools, with scoring that failed")
    page.click("td >> text=needles")
    page.wait_for_selector("h1:has-text('needles')")
    _keep_pictures(page, folder, "pool")
    assert "needles-captions-1" in page.inner_text("section:has(h2:text('Captions'))")
    assert_page_is_accessible(page, "a pool with an open stage")
    page.context.close()


def test_pools_on_their_way_are_accessible_and_fit_a_phone(browser, site, rania):
    project = default_project()
    checkpoint = factories.make_checkpoint("sdxl-stickers")
    factories.make_prompt_set("things", 3)
    for name, steps in (("waits", 3), ("failed", 4), ("called-off", 5), ("queued", 6)):
        asked = {"name": name, "checkpoint": checkpoint.name, "prompt_set": "things@1", "seeds": 2,
                 "steps": steps, "guidance": 4.0, "licence": "", "path": ""}  # fmt: skip
        job = ask_for_pool(project=project, asked=asked, user=rania)
        if name != "queued":
            run_job(number=job.pk, now=timezone.now)
        if name == "failed":
            request = GenerationRequest.objects.get(name="pool:failed")
            told = {"status": "failed", "error": "out of memory", "finished_at": timezone.now()}
            request.batches.update(**told)
            run_job(number=job.pk, now=timezone.now)
        if name == "called-off":
            call_off(job=job, now=timezone.now())
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{site}/pools/asked/for/")
    page.fill("[name=username]", "rania")
    page.fill("[name=password]", "a long password")
    page.click("[type=submit]")
    page.wait_for_url("**/pools/asked/for/")
    _keep_pictures(page, os.environ.get("SCREENSHOTS"), "asked-pools")
    assert_page_is_accessible(page, "pools on their way")
    page.click("section:has(h2:text('waits')) >> text=Do not make it")
    page.wait_for_selector("section:has(h2:text('waits')) >> text=It was called off")
    page.context.close()


def _keep_pictures(page, folder, name):
    for width, scheme in ((1280, "light"), (1280, "dark"), (375, "light")) if folder else ():
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)
