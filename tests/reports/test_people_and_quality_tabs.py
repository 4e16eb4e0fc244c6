"""The tabs about images, people and quality, as they are asked for on the site."""

import pytest
from django.urls import reverse

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.reports import looks
from tests import factories


@pytest.fixture
def judged(db):
    """Four people on six pairs: of the first pair every other one says B, of the rest all say A."""
    campaign = factories.make_draft(prompts=6, k=4, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    first = campaign.items.main().order_by("position").first()
    people = [
        enrol(campaign=campaign, annotator=Annotator.objects.create(pseudonym=f"person-{number}"))
        for number in range(4)
    ]
    for number, each in enumerate(people):
        while slot := factories.lease(each):
            says_b = slot.item_id == first.pk and number % 2
            factories.vote(each, slot, factories.pick(slot, int(bool(says_b))))
    campaign.first = first
    return campaign


def tab(client, campaign, name, **query):
    answer = client.get(reverse(f"reports:{name}", args=[campaign.slug]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_images_tab_shows_cards_with_their_votes(judged, client, rania):
    client.force_login(rania)
    text = tab(client, judged, "images", sort="disagreement")
    cards = text.split('class="pair-card"')[1:]
    assert len(cards) == 6
    assert "2 A, 2 B" in cards[0]
    assert "67 % of pairs differ" in cards[0]
    assert reverse("reports:image_set", args=[judged.slug, judged.first.image_set_id]) in cards[0]
    assert "No set of images is like that" in tab(client, judged, "images", said="b")


def test_people_tab_sorts_and_searches_its_table(judged, client, rania):
    client.force_login(rania)
    text = tab(client, judged, "people", **{"people-q": "person-2"})
    assert reverse("reports:person", args=[judged.slug, "person-2"]) in text
    assert reverse("reports:person", args=[judged.slug, "person-1"]) not in text
    text = tab(client, judged, "people", **{"people-sort": "-annotator"})
    table = text[text.index('id="table-people"') :]
    assert table.index("person-3</a>") < table.index("person-0</a>")


def test_quality_tab_shows_what_divides_even_the_best(judged, client, rania, monkeypatch):
    client.force_login(rania)
    assert "even the best annotators" not in tab(client, judged, "quality")  # too few votes to tell
    monkeypatch.setattr(looks, "_FEWEST", 3)
    monkeypatch.setattr(looks, "_best", lambda results: ["person-0", "person-1"])
    text = tab(client, judged, "quality")
    assert "even the best annotators disagree" in text
    assert text.count('class="pair-card"') == 1
    monkeypatch.setattr(looks, "_best", lambda results: ["person-0", "person-2"])
    assert "even the best annotators" not in tab(client, judged, "quality")


def test_best_annotators_are_the_half_that_agrees_most(judged, client, rania, monkeypatch):
    from evalplatform.reports.results import campaign_results

    monkeypatch.setattr(looks, "_FEWEST", 3)
    assert len(looks._best(campaign_results(judged))) == 2
