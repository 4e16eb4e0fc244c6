"""From two registered checkpoints to the annotators' link in the browser, without a terminal."""

import os
from pathlib import Path

import pytest
from django.utils import timezone

from evalplatform.campaigns.models import Campaign
from evalplatform.runs.models import Draft
from evalplatform.runs.services import open_asked
from tests import factories
from tests.e2e.accessibility import assert_page_is_accessible

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
MOST_CLICKS = 8
SHOTS = os.environ.get("BUILDER_SHOTS", "")  # a folder: pictures of each page, for people


@pytest.fixture
def clicks(browser, site, rania):
    """The list of campaigns, signed in; `press` and `choose` count."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(15_000)
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda message: faults.append(message.text) if message.type == "error" else None
    )
    page.goto(f"{site}/campaigns/")
    page.fill("[name=username]", "rania")
    page.fill("[name=password]", "a long password")
    page.click("[type=submit]")
    page.wait_for_url("**/campaigns/")
    yield Clicks(page)
    context.close()
    assert not faults, faults


class Clicks:
    def __init__(self, page):
        self.page, self.count = page, 0

    def press(self, role, name):
        self.count += 1
        self.page.get_by_role(role, name=name).first.click()

    def choose(self, field, value):
        self.count += 1
        self.page.locator(f"#id_{field}").select_option(value)

    def look(self, name):
        if not SHOTS:
            return
        for scheme, width in [("light", 1280), ("dark", 1280), ("light", 390), ("light", 2560)]:
            self.page.emulate_media(color_scheme=scheme)
            self.page.set_viewport_size({"width": width, "height": 900})
            path = Path(SHOTS) / f"{name}-{scheme}-{width}.png"
            self.page.screenshot(path=path, full_page=width != 2560)
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size({"width": 1280, "height": 900})


def test_two_checkpoints_become_an_annotators_link_in_few_clicks(clicks):
    for name in ("tuned", "plain"):
        factories.make_checkpoint(name)
    factories.make_prompt_set("things", 12)
    page = clicks.page
    clicks.press("link", "New campaign")
    clicks.look("new")
    clicks.choose("arm_a", "tuned")
    clicks.choose("arm_b", "plain")
    clicks.press("checkbox", "things@1 · 12 prompts")
    clicks.press("button", "Save and review")
    page.get_by_role("heading", name="What it can find").wait_for()

    # What is changed is saved as it is made, and the estimate follows.
    page.get_by_text("Take some of them").click()
    page.locator("#id_limit").fill("4")
    page.locator("#id_gold_rate").fill("0")  # these prompts are too much alike for any
    page.locator("#id_gold_rate").blur()
    page.get_by_role("button", name="Generate 8 images").wait_for()
    preview = page.frame_locator("iframe").first
    preview.get_by_text("Which image is more visually appealing?").wait_for()
    clicks.look("draft")
    assert_page_is_accessible(page, "draft")
    page.set_viewport_size({"width": 1280, "height": 900})

    clicks.press("button", "Generate 8 images")
    page.get_by_text("No worker lives").wait_for()
    campaign = Campaign.objects.get()
    factories.make_samples(campaign)  # as workers would
    page.locator("#open-campaign > summary").wait_for()
    clicks.look("made")
    assert_page_is_accessible(page, "launched")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.reload()
    clicks.count += 1
    page.locator("#open-campaign > summary").click()
    clicks.look("opening")
    clicks.press("button", "Freeze and open")
    page.get_by_text("Opening since").wait_for()
    assert open_asked(draft=Draft.objects.get(), now=timezone.now()) == "open"  # as a worker would
    link = page.get_by_label("Annotators’ link")
    link.wait_for()
    campaign.refresh_from_db()
    assert f"/annotate/{campaign.invitation}/" in link.input_value()
    clicks.look("open")
    assert campaign.protocol["prompts"]["count"] == 4
    print(f"clicks={clicks.count}")
    assert clicks.count <= MOST_CLICKS
    page.goto(page.url.split("/drafts")[0] + f"/campaigns/{campaign.slug}/pay/")
    clicks.look("pay")
    assert_page_is_accessible(page, "pay")
