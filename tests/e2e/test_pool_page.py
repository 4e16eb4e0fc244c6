"""The page of a pool in a browser: accessible, and no wider than a phone."""

import os
from pathlib import Path

import pytest
from django.utils import timezone

from evalplatform.curation.services import StagePlan, close_stage, open_stage, step_captions
from evalplatform.curation.services.scoring import ScoringPlan, request_scoring
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


def _keep_pictures(page, folder, name):
    for width, scheme in ((1280, "light"), (1280, "dark"), (375, "light")) if folder else ():
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)
