"""The tab with the protocol: hashes to copy, amendments, the methods paragraphs."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import join_arm, open_campaign
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import planned_prompts, wanted_seeds
from evalplatform.exports.paper.wording import LatexWording
from evalplatform.generation.services import plan_samples, record_sample
from evalplatform.reports.methods import PlainWording, methods
from evalplatform.reports.results import campaign_results
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def amended(rania, client):
    """An open campaign of three arms with votes, which a fourth arm joined."""
    client.force_login(rania)
    draft = factories.make_draft(prompts=2, k=1, arms=3, criteria=["visual_appeal"])
    open_campaign(campaign=draft)
    annotators = [Annotator.objects.create(pseudonym="ana")]
    factories.judge_everything(draft, annotators, lambda each: "left")
    newcomer = factories.make_checkpoint("newcomer")
    wanted = wanted_seeds(draft, planned_prompts(draft))
    for row in plan_samples(checkpoint=newcomer, settings=draft.settings, wanted=wanted):
        record_sample(sample=row, image=factories.make_image(10**6 + row.pk), now=timezone.now())
    draft.frozen = draft.protocol_sha256
    join_arm(campaign=draft, maker=newcomer, now=timezone.now())
    return draft


def copied(page: str) -> dict[str, str]:
    """Return the values of the fields to copy, by their ids."""
    return dict(re.findall(r'<input id="([\w-]+)" type="text" readonly value="([^"]*)"', page))


def test_hashes_amendments_and_methods_can_be_copied(client, amended):
    campaign = Campaign.objects.get(pk=amended.pk)
    page = client.get(reverse("reports:protocol", args=[campaign.slug])).content.decode()
    fields = copied(page)
    assert fields["sha256-protocol"] == fields["sha256-since-1"] == campaign.protocol_sha256
    assert fields["sha256-before-1"] == amended.frozen != campaign.protocol_sha256
    assert fields["sha256-set-1"] == campaign.prompt_sets.get().sha256
    arms = {each.letter: each.sha256 for each in campaign.contenders}
    assert {letter: fields[f"sha256-arm-{letter}"] for letter in "ABCD"} == arms
    assert "Arm D, newcomer joined" in page
    assert "Before: arms A, B, C<" in page
    assert "Since: arms A, B, C, D<" in page
    assert "We compared 4 arms" in page
    assert "Later it was amended as arms joined: newcomer" in page


def test_page_and_paper_pack_tell_the_same_methods(amended):
    results = campaign_results(Campaign.objects.get(pk=amended.pk))
    plain, latex = methods(results, PlainWording()), methods(results, LatexWording())
    # What LaTeX adds goes, and of both what is set differently: citations, marks, spaces.
    latex = re.sub(r"~\\cite{[^}]*}|\\textperiodcentered|\\textquotesingle|\\ldots", "", latex)
    latex = (
        re.sub(r"\\(?:texttt|textbf|emph|,)", "", latex).replace("--", "–").replace("alpha", "α")
    )
    plain = re.sub(r" \([^()]* (?:1952|1970|1979|2018)[^()]*\)", "", plain)
    words = [re.sub(r"[^\w.,;:=–-]", "", each.replace("…", "")) for each in (latex, plain)]
    assert words[0] == words[1]


def test_draft_has_no_methods_to_copy(client, rania):
    client.force_login(rania)
    draft = factories.make_draft(prompts=1, sampled=False)
    page = client.get(reverse("reports:protocol", args=[draft.slug])).content.decode()
    assert "Not frozen yet" in page
    assert not copied(page)
    assert "methods-text" not in page
