"""In which languages the question was read, and what those who read it in each prefer."""

import pytest
from django.urls import reverse

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.answer_columns import language_of, packed_language
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import campaign_results
from tests import factories


@pytest.fixture
def judged(db):
    """Two read German and prefer A; one reads English, one what was written in English: B."""
    campaign = factories.make_draft(prompts=6, k=4, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    for number, language in enumerate(("de", "de", "en", "")):
        person = Annotator.objects.create(pseudonym=f"person-{number}")
        mine = enrol(campaign=campaign, annotator=person)
        while slot := factories.lease(mine):
            factories.vote(mine, slot, factories.pick(slot, int(number > 1)), language=language)
    return campaign


def test_votes_and_win_rates_are_told_by_language(judged):
    told = results_json(campaign_results(judged))
    assert told["languages"] == [
        {"language": "de", "votes": 12, "annotators": 2},
        {"language": "en", "votes": 12, "annotators": 2},
    ]
    german, english = told["by_language"]
    assert [(each["by"], each["name"]) for each in (german, english)] == [
        ("language", "de"), ("language", "en"),
    ]  # fmt: skip
    assert [each["votes"]["win"]["value"] for each in (german, english)] == [1.0, 0.0]
    assert german["votes"]["counts"]["win"] == 12
    assert {each["tests_in_family"] for each in (german, english)} == {2}


def test_quality_tab_names_languages_and_shows_each(judged, client, rania):
    client.force_login(rania)
    page = client.get(reverse("reports:quality", args=[judged.slug])).content.decode()
    assert "German (12 votes of 2 annotators), English (12 votes of 2 annotators)" in page
    assert page.count('data-label="Language"') == 2


def test_language_codes_survive_packing():
    codes = ["", "de", "pt-br", "zh-hans"]
    assert [language_of(packed_language(each)) for each in codes] == codes
