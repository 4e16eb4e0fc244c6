"""Texts of other people that are HTML: pages and the offline file show them as letters."""

import json
import re

import pytest
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services import exclude, open_campaign
from evalplatform.campaigns.criteria import CriterionPlan
from evalplatform.campaigns.models import Campaign, ImageSet
from evalplatform.promptsets.models import Prompt
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.results import campaign_results
from tests import factories

pytestmark = pytest.mark.django_db
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7 }}{% now %}"
RUNS = re.compile(r"<script>alert|<img src=x|onerror=alert\(2\)>", re.I)
TABS = ("dashboard", "results", "images", "people", "quality", "protocol", "pay")


@pytest.fixture
def campaign():
    """Every text that somebody may write is hostile; the last annotator is excluded."""
    asked = CriterionPlan(
        slug="mood", label=f"L{EVIL}"[:80], question=f"Q{EVIL}", instructions=f"I{EVIL}",
        shows_prompt=True, k=2,
    )  # fmt: skip
    campaign = factories.make_draft(prompts=3, criteria=[asked])
    open_campaign(campaign=campaign)
    says = {"model": "any/1", "says": f"S{EVIL}"}
    people = [
        Annotator.objects.create(is_simulated=True, simulated_behaviour=says) for _ in range(3)
    ]
    factories.judge_everything(campaign, people, lambda slot: "left")
    with factories.thawed():
        hostile = Concat(Value(f"P{EVIL}"), Cast("position", CharField()))
        Prompt.objects.update(text=hostile, category=f"C{EVIL}", challenge=f"H{EVIL}")
        ImageSet.objects.update(prompt_text=f"P{EVIL}")
    last = Enrolment.objects.order_by("pk").last()
    exclude(enrolment=last, rule="manual", detail=f"D{EVIL}", now=timezone.now())
    return Campaign.objects.get(pk=campaign.pk)


def test_no_text_becomes_markup_on_a_page(campaign, client, rania):
    client.force_login(rania)
    sets = ImageSet.objects.filter(campaign=campaign).first()
    pages = [reverse(f"reports:{name}", args=[campaign.slug]) for name in TABS]
    pages += [
        reverse("reports:figures", args=[campaign.slug]),
        reverse("reports:image_set", args=[campaign.slug, sets.pk]),
        reverse("exports:tab", args=[campaign.slug]), reverse("leaderboard:leaderboard"),
        reverse("overview:home"), reverse("reports:campaign_list"), reverse("prompts:list"),
    ]  # fmt: skip
    told = {address: client.get(address) for address in pages}
    assert {each.status_code for each in told.values()} == {200}
    shown = {address: each.content.decode() for address, each in told.items()}
    assert [address for address, text in shown.items() if RUNS.search(text)] == []
    assert escape(f"Q{EVIL}") in shown[pages[0]]
    assert sum("alert(1)" in text for text in shown.values()) > 6


def test_no_text_becomes_markup_in_the_offline_file(campaign):
    text = offline_dashboard(campaign_results(campaign))
    assert not RUNS.search(text)
    assert escape(f"Q{EVIL}") in text
    (figures,) = re.findall(
        r'<script id="figures" type="application/json">(.*?)</script>', text, re.S
    )
    assert json.loads(figures)
