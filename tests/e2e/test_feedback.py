"""The pages of feedback loops in a real browser: axe finds nothing, phones scroll the lineage."""

import os

import pytest
from django.urls import reverse

from evalplatform.accounts.projects import default_project
from evalplatform.feedback.models import FeedbackRound, RegisteredReward
from evalplatform.feedback.services import start_loop, start_proof
from tests import factories
from tests.e2e.accessibility import assert_page_is_accessible
from tests.feedback.conftest import make_wish

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def two_rounds():
    """A loop whose first round has everything, and whose second has begun."""
    for name in ("one", "two", "three"):
        factories.make_checkpoint(name)
    factories.make_prompt_set("ranked", 6)
    factories.make_prompt_set("held-out", 4)
    loop, _ = start_loop(project=default_project(), wish=make_wish())
    first = loop.rounds.get()
    first.preferences_sha256, first.preferences = "a" * 64, {"pairs": 1296}
    first.child = factories.make_checkpoint("stickers-child-1")
    first.insertion = {"pairs": 300, "images": 6}
    first.save()
    start_proof(round=first)
    FeedbackRound.objects.create(loop=loop, number=2, parent=first.child)
    told = {"scorer": "this reward", "aspect": "visual_appeal", "accuracy": "0.700",
            "interval": "0.640 to 0.760", "pairs": 240}  # fmt: skip
    for name, purpose in (("stickers-learn-1", "optimised"), ("stickers-judge-1", "judge")):
        RegisteredReward.objects.create(
            project=loop.project, name=name, sha256=factories.digest(name), purpose=purpose,
            aspects=loop.aspects, preferences_sha256="a" * 64, round=first,
            evaluation={"accuracy": 0.7, "one_person": 0.744, "rows": [told]},
        )  # fmt: skip
    return loop


def test_pages_of_a_loop_are_accessible(page, site, rania, two_rounds):
    page.goto(site + two_rounds.get_absolute_url())
    page.get_by_label("Username").fill("rania")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="stickers", exact=True).wait_for()
    assert page.locator(".lineage-graph a", has_text="Child").count() == 1
    for address in (
        two_rounds.get_absolute_url(), reverse("feedback:list"),
        reverse("feedback:reward", args=["stickers-judge-1"]),
    ):  # fmt: skip
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.goto(site + address)
            assert_page_is_accessible(page, f"{address} {scheme}")
            for width in (375, 1280):
                page.set_viewport_size({"width": width, "height": 900})
                overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert overflow <= 0, (address, width)
                if folder := os.environ.get("SHOTS"):
                    name = address.strip("/").replace("/", "-")
                    page.screenshot(path=f"{folder}/{name}-{scheme}-{width}.png", full_page=True)
