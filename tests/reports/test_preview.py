"""A researcher looks at what annotators see, and does not become one by it."""

import re

import pytest
from django.urls import reverse

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, Enrolment, Release, Vote
from evalplatform.campaigns.services import close_campaign

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def researcher(client, rania):
    client.force_login(rania)
    return client


def address(name, campaign, *args):
    return reverse(f"reports:{name}", args=[campaign.slug, *args])


def everything():
    leased = Assignment.objects.filter(annotator__isnull=False)
    return [rows.count() for rows in (Annotator.objects, Enrolment.objects, Vote.objects,
                                      Release.objects, leased, Assignment.objects)]  # fmt: skip


def test_preview_stores_nothing_and_enrols_nobody(researcher, campaign):
    before = everything()
    known = set(researcher.cookies)
    welcome = researcher.get(address("preview", campaign)).content.decode()
    assert "Preview" in welcome
    assert "I agree, start" not in welcome
    url = address("preview_set", campaign, 0)
    assert url in welcome
    seen = []
    for _ in range(campaign.item_count):
        page = researcher.get(url).content.decode()
        assert "Preview" in page
        seen.append(url)
        actions = set(re.findall(r'<form [^>]*action="([^"]+)"', page)) - {
            reverse("annotation:undo", args=[campaign.invitation])  # hidden: nothing to take back
        }
        (following,) = actions
        answer = researcher.post(following, {"answer": "left", "assignment": "x"})
        assert answer["Location"] == following
        url = following
    assert url == seen[0]
    assert len(set(seen)) == campaign.item_count
    assert everything() == before
    assert set(researcher.cookies) - known <= {"csrftoken"}


def test_pair_is_shown_as_its_criterion_asks(researcher, campaign):
    for item in campaign.items.select_related("criterion", "image_set__prompt"):
        page = researcher.get(address("preview_set", campaign, item.position))
        text = page.content.decode()
        assert item.criterion.question in text
        assert (item.image_set.prompt.text in text) == item.criterion.shows_prompt
        for at in (0, 1):
            url = address("preview_image", campaign, item.position, at)
            assert f'src="{url}"' in text
    image = researcher.get(url)
    assert b"".join(image.streaming_content).startswith(b"\x89PNG")


def test_campaigns_page_offers_the_link_to_copy_not_to_follow(researcher, campaign):
    page = researcher.get(address("dashboard", campaign)).content.decode()
    work = reverse("annotation:work", args=[campaign.invitation])
    assert re.search(f'<input [^>]*readonly value="[^"]*{work}"', page)
    assert not re.search(f'href="[^"]*{work}"', page)
    assert address("preview", campaign) in page
    close_campaign(campaign=campaign)
    assert work not in researcher.get(address("dashboard", campaign)).content.decode()


def test_before_opening_there_is_the_text_and_no_pair(researcher, draft):
    assert address("preview", draft) in researcher.get(address("dashboard", draft)).content.decode()
    page = researcher.get(address("preview", draft)).content.decode()
    assert "There is nothing to look at before the campaign has opened" in page
    assert researcher.get(address("preview_set", draft, 0)).status_code == 404


@pytest.mark.parametrize(("position", "at"), [(999, 0), (0, 2)])
def test_what_is_not_there_is_not_found(researcher, campaign, position, at):
    url = address("preview_image", campaign, position, at)
    assert researcher.get(url).status_code == 404


def test_preview_is_for_signed_in_people(client, campaign):
    for url in (
        address("preview", campaign),
        address("preview_set", campaign, 0),
        address("preview_image", campaign, 0, 0),
    ):
        assert client.get(url).status_code == 302


def test_annotators_still_vote_where_they_did(client, campaign):
    client.post(reverse("annotation:begin", args=[campaign.invitation]))
    page = client.get(reverse("annotation:work", args=[campaign.invitation])).content.decode()
    assert f'action="{reverse("annotation:vote", args=[campaign.invitation])}"' in page
    assert "js/annotate/page" in page
    assert "Preview" not in page
