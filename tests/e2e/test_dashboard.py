"""The dashboard as a researcher sees it, on the site and as an offline file."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import expect

from evalplatform.accounts.models import Annotator
from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.promptsets.models import PromptSet
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.results import campaign_results
from tests import factories
from tests.e2e.accessibility import assert_page_is_accessible
from tests.reports.test_galleries import voted as voted_gallery

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
FIGURES = ("figure-net", "figure-votes", "figure-verdicts")


LONG = "a-model-tuned-on-two-thousand-pictures-that-somebody-chose-by-hand-run-12-step-{}"
LOOKS = [(width, scheme) for width in (375, 1280) for scheme in ("light", "dark")]


@pytest.fixture
def voted(make_campaign):
    """A campaign whose names are as long as names may be, all votes simulated."""
    campaign = make_campaign()
    with factories.thawed():
        PromptSet.objects.update(name="my-prompts-" + 69 * "p")
    for arm in campaign.contenders:
        name = LONG.format(arm.letter.lower())
        Checkpoint.objects.filter(pk=arm.checkpoint_id).update(name=name)
    campaign = Campaign.objects.get(pk=campaign.pk)
    annotators = [Annotator.objects.create(is_simulated=True) for _ in range(6)]
    factories.judge_everything(
        campaign, annotators, lambda slot: "left" if slot.slot % 2 else "tie"
    )
    return campaign


def assert_figures_are_drawn(page):
    for name in FIGURES:
        page.wait_for_selector(f"#{name} .main-svg", state="attached")
        stamps = page.locator(f"#{name} .annotation-text", has_text="SIMULATED")
        assert stamps.count() == 1


# Cells whose text takes more lines than its value and its interval.
_BROKEN_INTERVALS = """() => [...document.querySelectorAll("td:is(.share, .net)")].filter(cell => {
  const text = document.createRange();
  text.selectNodeContents(cell);
  return new Set([...text.getClientRects()].map(box => Math.round(box.top))).size > 2;
}).map(cell => cell.textContent)"""


def sign_in(page, url):
    page.goto(url)
    page.get_by_label("Username").fill("rania")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Sign in").click()


def assert_filtered_sets_open_large(page):
    """The viewer that a filter swaps in is another one than the page began with."""
    page.get_by_label("Votes").select_option("complete")
    page.wait_for_url("**said=complete**")
    page.locator(".pair-card a").first.click()
    page.locator("dialog.pair-viewer[open] img").first.wait_for()
    page.keyboard.press("Escape")


def test_researcher_signs_in_and_reads(page, site, voted, rania):
    sign_in(page, site + reverse("reports:dashboard", args=[voted.slug]))
    page.wait_for_url(f"**/campaigns/{voted.slug}/")
    assert page.locator("text=SIMULATED").count() >= 2
    for tab in ("Overview", "Results", "Images", "People", "Quality", "Protocol", "Export"):
        page.get_by_role("navigation", name="Campaign").get_by_role("link", name=tab).click()
        page.locator(f".tabs [aria-current]:text-is('{tab}')").wait_for()
        page.locator(".htmx-request").first.wait_for(state="detached")
        assert page.evaluate(_BROKEN_INTERVALS) == []
        assert_page_is_accessible(page, tab)
        if tab == "Images":
            assert_filtered_sets_open_large(page)
    page.set_viewport_size({"width": 375, "height": 720})
    page.goto(site + reverse("reports:figures", args=[voted.slug]))
    assert_figures_are_drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.get_by_text("Menu", exact=True).click()
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Campaigns").click()
    page.get_by_role("link", name=voted.slug).wait_for()
    page.get_by_text("rania", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_offline_file_draws_its_figures_and_fetches_nothing(browser, voted, tmp_path, scheme):
    file = tmp_path / "dashboard.html"
    file.write_text(offline_dashboard(campaign_results(voted)))
    context = browser.new_context(color_scheme=scheme, offline=True)
    page = context.new_page()
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    assert_figures_are_drawn(page)
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    context.close()


_TEXTS = """() => [...document.querySelectorAll(".js-plotly-plot text")].map(text => {
  const box = text.getBoundingClientRect();
  const plot = text.closest(".plot"), frame = plot.getBoundingClientRect();
  const note = text.closest(".annotation-text-g")?.querySelector("rect.bg");
  const own = text.closest(".point")?.querySelector("path") ?? note;
  const isSeen = own && getComputedStyle(own).fillOpacity !== "0"
    && getComputedStyle(own).opacity !== "0" && getComputedStyle(own).fill !== "none";
  return {
    text: text.textContent, width: box.width, height: box.height,
    inside: box.left >= frame.left && box.right <= frame.right
      && box.top >= frame.top && box.bottom <= frame.bottom,
    ink: getComputedStyle(text).fill,
    ground: isSeen ? getComputedStyle(own).fill : getComputedStyle(plot).backgroundColor,
  };
}).filter(each => each.width && each.text.trim())"""


def luminance(colour):
    channels = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_text_in_figures_is_whole_upright_and_legible(browser, voted, tmp_path, width, scheme):
    file = tmp_path / "dashboard.html"
    file.write_text(offline_dashboard(campaign_results(voted)))
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(file.as_uri())
    assert_figures_are_drawn(page)
    texts = page.evaluate(_TEXTS)
    context.close()
    assert len(texts) > 30
    assert [each["text"] for each in texts if not each["inside"]] == []
    assert [each["text"] for each in texts if each["height"] > 26] == []
    pale = [(each["text"], each["ink"], each["ground"]) for each in texts
            if contrast(each["ink"], each["ground"]) < 4.5]  # fmt: skip
    assert pale == []


def test_every_number_is_on_the_screen_of_a_phone(page, site, voted, rania):
    page.set_viewport_size({"width": 375, "height": 720})
    sign_in(page, site + reverse("reports:campaign_list"))
    for name, args, numbers, stamps in (
        ("results", [voted.slug], "td.number", "caption .stamp"),
        ("campaign_list", [], "td .progress-count, td .mini-forest > span, td .when", "td .stamp"),
    ):
        page.goto(site + reverse(f"reports:{name}", args=args))
        outside = page.evaluate(
            """what => [...document.querySelectorAll(what)].filter(cell => {
              const box = cell.getBoundingClientRect();
              return box.width && (box.left < 0 || box.right > innerWidth);
            }).map(cell => cell.textContent)""",
            f"{numbers}, {stamps}",
        )
        assert outside == [], name
        assert page.locator(numbers).filter(visible=True, has_text=re.compile(r"\d")).count() > 1
        assert page.locator(stamps).filter(visible=True).count() > 0, name
    for name in ("quality", "protocol"):  # their tabs are beyond the edge
        page.goto(site + reverse(f"reports:{name}", args=[voted.slug]))
        page.wait_for_function(
            """() => {
              const box = document.querySelector(".tabs [aria-current]").getBoundingClientRect();
              return box.left >= 0 && box.right <= innerWidth;
            }""",
            timeout=5000,
        )
    page.goto(site + reverse("reports:campaign_list"))
    row = page.locator("tr", has=page.get_by_role("link", name=voted.slug))
    for number in (".progress-count", ".mini-forest > span", ".when"):
        assert re.search(r"\d", row.locator(number).inner_text())


def test_phone_shows_the_dashboard_without_sideways_scrolling(browser, voted, tmp_path):
    file = tmp_path / "dashboard.html"
    file.write_text(offline_dashboard(campaign_results(voted)))
    context = browser.new_context(viewport={"width": 375, "height": 720})
    page = context.new_page()
    page.goto(file.as_uri())
    assert_figures_are_drawn(page)
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
    context.close()


def test_researcher_copies_the_link_and_looks_as_an_annotator_would(page, site, campaign, rania):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, site + reverse("reports:dashboard", args=[campaign.slug]))
    page.get_by_role("button", name="Copy Annotators’ link").click()
    page.get_by_text("Copied.").wait_for()
    link = site + reverse("annotation:work", args=[campaign.invitation])
    assert page.evaluate("navigator.clipboard.readText()") == link
    page.get_by_role("link", name="Preview as annotator").click()
    assert_page_is_accessible(page, "preview of the welcome page")
    page.get_by_role("link", name="Look at a set of images").click()
    page.get_by_text("set 1 of 8").wait_for()
    # The look at the welcome page ended on a phone, where the answers are Top and Bottom.
    page.get_by_role("button", name="Top", exact=True).wait_for()
    page.set_viewport_size({"width": 1280, "height": 800})
    for image in page.locator("[data-image]").all():
        expect(image).to_be_visible()
        # A busy machine brings the image after the page; one that never comes ends in a timeout.
        page.wait_for_function(
            "image => image.complete && image.naturalWidth > 0", arg=image.element_handle()
        )
    page.get_by_role("button", name="Left", exact=True).click()
    page.get_by_text("set 2 of 8").wait_for()
    assert_page_is_accessible(page, "preview of a set")
    page.get_by_role("link", name="Text faithfulness").click()
    page.get_by_text("set 5 of 8").wait_for()
    page.get_by_role("link", name="Back to the campaign").click()
    page.get_by_role("heading", name=campaign.slug).wait_for()
    assert Annotator.objects.count() == 0


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize(
    ("form", "figure"),
    [("ranking", "figure-order-visual_appeal"), ("rating", "figure-grades-visual_appeal")],
)
def test_order_of_many_arms_fits_the_screen_and_is_accessible(
    browser, db, tmp_path, form, figure, width, scheme
):
    design = {"design": "together"} if form == "ranking" else {}
    campaign = voted_gallery(form, prompts=4, k=2, people=3, **design)
    file = tmp_path / "dashboard.html"
    file.write_text(offline_dashboard(campaign_results(campaign)))
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_selector(f"#{figure} .main-svg", state="attached")
    for summary in page.locator("summary").all():
        summary.click()
    texts = page.evaluate(_TEXTS)
    assert [each["text"] for each in texts if not each["inside"]] == []
    pale = [(each["text"], each["ink"], each["ground"]) for each in texts
            if contrast(each["ink"], each["ground"]) < 4.5]  # fmt: skip
    assert pale == []
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    violations = Axe().run(page, context={"exclude": [[".plot-area"]]}).response["violations"]
    assert [each["id"] for each in violations] == []
    context.close()
