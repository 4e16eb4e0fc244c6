"""Finding sets of images by what was said of them, page by page."""

import pytest
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import enrol, exclude, open_campaign, undo_vote
from evalplatform.campaigns.models import ImageSet, Item, ShownImage
from evalplatform.promptsets.models import Prompt
from evalplatform.reports import image_query
from evalplatform.reports.image_browser import browser_context
from evalplatform.reports.image_query import SetFilter, find_items, next_set
from tests import factories
from tests.reports.test_galleries import voted

# By prompt of a duel with three votes an item: what each annotator said, by arm's place or tie.
SAID = [(0, 0, 0), (1, 1, 1), (0, 1, "tie"), ("tie", "tie", "tie"), (0, 0, 1), ()]


def judge(campaign, said):
    """Give the items of the first criterion these votes, by prompt."""
    people = [
        enrol(campaign=campaign, annotator=Annotator.objects.create(pseudonym=f"person-{number}"))
        for number in range(3)
    ]
    wanted = {
        item.pk: said[item.image_set.prompt.position]
        for item in campaign.items.main().select_related("image_set__prompt")
    }
    for number, each in enumerate(people):
        while slot := factories.lease(each):
            told = wanted[slot.item_id]
            if number >= len(told):
                break
            answer = told[number]
            factories.vote(each, slot, "tie" if answer == "tie" else factories.pick(slot, answer))
    return people


@pytest.fixture
def duel(db):
    campaign = factories.make_draft(prompts=6, k=3, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    # The prompt that nobody judges comes last for everybody.
    last = campaign.items.main().order_by("-position").first().image_set.prompt.position
    said = [each for each in SAID if each]
    said.insert(last, ())
    campaign.said = said
    campaign.people = judge(campaign, said)
    return campaign


def found(campaign, query):
    """Return what was said of the items that an address shows, in their order."""
    page = browser_context(campaign, QueryDict(query))["page"]
    positions = dict(
        Item.objects.filter(campaign=campaign).values_list("pk", "image_set__prompt__position")
    )
    return [campaign.said[positions[each.item]] for each in page.items]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("said=a", {SAID[0], SAID[4]}),
        ("said=b", {SAID[1]}),
        ("said=tied", {SAID[2], SAID[3]}),
        ("said=ties", {SAID[2], SAID[3]}),
        ("said=agreed", {SAID[0], SAID[1], SAID[3]}),
        ("said=divided", {SAID[2], SAID[4]}),
        ("said=complete", set(SAID) - {()}),
        ("said=incomplete", {()}),
        ("said=none", {()}),
        ("", set(SAID)),
        ("said=nonsense&sort=nonsense&criterion=nonsense&after=nonsense", set(SAID)),
    ],
)
def test_filter_finds_the_sets_of_which_that_was_said(duel, query, expected):
    assert set(found(duel, query)) == expected
    assert browser_context(duel, QueryDict(query))["page"].total == len(expected)


def test_order_puts_first_what_it_names(duel):
    assert found(duel, "sort=disagreement")[0] == SAID[2]
    assert found(duel, "sort=worst-A")[0] == SAID[1]
    assert found(duel, "sort=best-A")[0] == SAID[0]
    assert found(duel, "sort=worst-B")[0] == SAID[0]
    assert found(duel, "sort=ties")[0] == SAID[3]


def test_image_of_an_arm_has_its_place_in_every_set_of_a_duel(duel):
    """On which sorting by `where A loses most` relies."""
    places = ShownImage.objects.filter(image_set__campaign=duel).values_list("place", "arm__place")
    assert all(place == arm for place, arm in places)


@pytest.mark.parametrize("sort", ["order", "disagreement", "worst-A", "votes"])
def test_pages_hold_every_set_once(duel, sort, monkeypatch):
    monkeypatch.setattr(image_query, "PER_PAGE", 2)
    seen, after = [], ""
    for _ in range(5):
        asked = SetFilter.of(duel, QueryDict(f"sort={sort}&after={after}"))
        page = find_items(duel, asked)
        seen += [each.item for each in page.items]
        after = page.next
        if not after:
            break
    assert len(seen) == len(set(seen)) == (6 if sort == "order" else 5)


def test_words_and_category_narrow(duel):
    text = ImageSet.objects.filter(campaign=duel).first().prompt_text
    page = browser_context(duel, QueryDict(mutable=True) | {"q": text.upper()})["page"]
    assert page.total >= 1
    assert browser_context(duel, QueryDict("q=100%25_"))["page"].total == 0
    category = Prompt.objects.exclude(category="").values_list("category", flat=True).first()
    asked = QueryDict(mutable=True)
    asked["category"] = category or "none such"
    total = browser_context(duel, asked)["page"].total
    in_it = ImageSet.objects.main().filter(campaign=duel, prompt__category=asked["category"])
    assert total == in_it.count()


def test_votes_taken_back_or_excluded_leave_the_filter_at_once(duel):
    ana, ben, _ = duel.people
    undo_vote(enrolment=ana, key=None, now=timezone.now())
    exclude(enrolment=ben, rule="gold", detail="0 of 6", now=timezone.now())
    page = browser_context(duel, QueryDict("said=complete"))["page"]
    assert page.total == 0


def test_next_set_follows_the_order_of_the_address(duel):
    asked = SetFilter.of(duel, QueryDict("sort=worst-A"))
    page = find_items(duel, asked)
    sets = [each.image_set for each in page.items]
    assert [next_set(duel, asked, each) for each in sets] == [*sets[1:], None]


@pytest.mark.parametrize("tab", ["reports:images", "exports:tab"])
def test_tabs_without_results_say_that_votes_were_simulated(duel, client, rania, tab):
    client.force_login(rania)
    url = reverse(tab, args=[duel.slug])
    assert "SIMULATED" not in client.get(url).content.decode()
    Annotator.objects.filter(pk=duel.people[0].annotator_id).update(is_simulated=True)
    assert "not of people, are among these" in client.get(url).content.decode()
    Annotator.objects.update(is_simulated=True)
    assert "SIMULATED: all votes were cast by simulated" in client.get(url).content.decode()


def test_page_of_a_set_shows_every_vote_and_why_one_does_not_count(duel, client, rania):
    ana, *_ = duel.people
    exclude(enrolment=ana, rule="manual", detail="asked to leave", now=timezone.now())
    client.force_login(rania)
    item = Item.objects.get(campaign=duel, image_set__prompt__position=duel.said.index(SAID[4]))
    url = reverse("reports:image_set", args=[duel.slug, item.image_set_id])
    text = client.get(url).content.decode()
    assert text.count('<td data-label="Said">') == 3
    assert "excluded: manual" in text
    assert "2 of 3 votes count; in 100 % of their pairs people differ" in text
    assert client.get(url + "0000").status_code == 404


@pytest.mark.parametrize(
    ("form", "arms", "answer", "says"),
    [
        ("ranking", 3, "0>1=2", ">"),
        ("rating", 1, "4", "4"),
        ("keep_reject", 1, "keep", "keep"),
        ("pair", 3, "left", None),
    ],
)
def test_cards_tell_the_votes_of_every_form(db, form, arms, answer, says):
    design = {"design": "together"} if arms != 2 and form != "pair" else {}
    campaign = factories.make_draft(
        prompts=2, k=2, criteria=["visual_appeal"], form=form, arms=arms, **design
    )
    open_campaign(campaign=campaign)
    person = enrol(campaign=campaign, annotator=Annotator.objects.create())
    factories.vote(person, factories.lease(person), answer)
    cards = browser_context(campaign, QueryDict("sort=best-A"))["cards"]
    if form == "pair":
        cards = (
            browser_context(campaign, QueryDict("said=agreed"))["cards"]
            or browser_context(campaign, QueryDict("sort=votes"))["cards"]
        )
        assert cards[0].votes[0].name in ("A", "B", "C")
    else:
        assert says in cards[0].votes[0].name
    assert "1 of 2 votes" in cards[0].note
    assert len(cards[0].images) == (2 if form == "pair" else arms)


@pytest.mark.django_db
def test_numbers_of_a_gallery_lead_to_the_images_of_both_arms(client, rania):
    campaign = voted("pair", design="all-pairs", prompts=4, k=2, people=3)
    client.force_login(rania)
    page = client.get(reverse("reports:results", args=[campaign.slug]))
    (shown,) = page.context["galleries"]
    images = reverse("reports:images", args=[campaign.slug])
    links = [cell["href"] for row in shown["matrix"]["rows"] for cell in row["cells"]
             if not cell["is_self"]]  # fmt: skip
    assert len(set(links)) == 6  # B over A leads where A over B does
    for href in {*links, *(each["href"] for each in shown["pairs"])}:
        assert f'href="{escape(href)}"' in page.content.decode()
        assert href.startswith(f"{images}?")
        arms = set(QueryDict(href.partition("?")[2])["arms"].split("-"))
        for sort in ("order", "disagreement", f"best-{min(arms)}"):
            found = client.get(f"{href}&sort={sort}").context
            assert found["page"].total == len(found["cards"]) == 4
            sets = [each.image_set for each in found["page"].items]
            letters = ShownImage.objects.filter(image_set__in=sets).values_list(
                "arm__place", flat=True
            )
            assert {"ABCD"[place] for place in letters} == arms
    group = shown["by_group"]["rows"][0]
    found = client.get(group["href"]).context["page"]
    assert {each.category for each in found.items} == {group["group"]}
    assert 0 < found.total < 4
    assert client.get(f"{images}?arms=A-Z").context["page"].total == 24


def test_two_arms_have_no_choice_of_arms(duel):
    context = browser_context(duel, QueryDict("arms=A-B"))
    assert (context["choices"].arms, context["asked"].arms) == ([], "")
