"""Gold pairs and repeats: served like any other pair, never counted among a item's k."""

import json
from collections import Counter, defaultdict

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, Enrolment, Vote
from evalplatform.annotation.services import Receipt, enrol, open_campaign
from evalplatform.annotation.services.voting import can_undo
from evalplatform.core.errors import BadInputError
from tests import factories

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("steady_turns"),
]


def opened(rules, gold=(), **options):
    campaign = factories.make_draft(rules=rules, **options)
    for purpose, count in gold:
        factories.add_gold(campaign, purpose, count)
    open_campaign(campaign=campaign)
    return campaign


def join(campaign, seed=1):
    """Enrol somebody whose turns are those of this seed."""
    mine = enrol(campaign=campaign, annotator=Annotator.objects.create())
    Enrolment.objects.filter(pk=mine.pk).update(check_seed=seed)
    return mine


def judge_all(enrolment, choose=lambda assignment: "left"):
    served = []
    while (assignment := factories.lease(enrolment)) is not None:
        served.append(assignment)
        assert factories.vote(enrolment, assignment, choose(assignment)) is Receipt.RECORDED
    return served


TOGETHER = {"arms": 3, "design": "together", "form": "ranking"}


def good(assignment):
    """The answer that is right of gold: the image of place 0 is the best."""
    first, *rest = sorted(range(len(assignment.order)), key=lambda at: assignment.order[at])
    if len(rest) == 1:
        return factories.pick(assignment, 0)
    return f"{first}>{'='.join(map(str, rest))}"


def bad(assignment):
    last, *rest = sorted(range(len(assignment.order)), key=lambda at: assignment.order[at])
    if len(rest) == 1:
        return factories.pick(assignment, 1)
    return f"{'='.join(map(str, rest))}>{last}"


def test_gold_and_repeats_are_mixed_in_at_their_rates():
    rules = {"quality": {"gold_rate": 0.2, "repeat_rate": 0.2, "repeat_gap": 3}}
    campaign = opened(rules, [("check", 40)], prompts=60, criteria=["visual_appeal"])
    served = judge_all(join(campaign))
    counts = Counter(each.purpose for each in served)
    assert counts["main"] == 60
    assert 0.3 <= (counts["gold"] + counts["repeat"]) / len(served) <= 0.5
    # A repeat has to wait until enough was judged; a gold pair stands in for it.
    late = Counter(each.purpose for each in served[len(served) // 2 :])
    assert late["repeat"] >= 5
    assert late["gold"] >= 5


def test_campaign_without_rates_serves_no_check(campaign, ana):
    mine = enrol(campaign=campaign, annotator=ana)
    assert {each.purpose for each in judge_all(mine)} == {"main"}


@pytest.mark.parametrize("shape", [{}, TOGETHER], ids=["pair", "ranking"])
def test_repeat_shows_a_judged_set_turned_round_after_the_gap(shape):
    rules = {"quality": {"repeat_rate": 0.5, "repeat_gap": 4}}
    campaign = opened(rules, prompts=20, criteria=["visual_appeal"], **shape)
    mine = enrol(campaign=campaign, annotator=Annotator.objects.create())
    served = judge_all(mine, good)
    repeats = [each for each in served if each.purpose == "repeat"]
    assert repeats
    for repeat in repeats:
        first = next(e for e in served if e.item_id == repeat.item_id and e.slot)
        assert repeat.order == first.order[::-1]
        between = served[served.index(first) + 1 : served.index(repeat)]
        assert len([each for each in between if each.purpose == "main"]) >= 4
    assert len({each.item_id for each in repeats}) == len(repeats)


def test_checks_take_no_slot_and_leave_exactly_k_main_votes():
    rules = {"quality": {"gold_rate": 0.25, "repeat_rate": 0.25, "repeat_gap": 1}}
    campaign = opened(rules, [("check", 10)], prompts=4)
    people = [Annotator.objects.create() for _ in range(6)]
    factories.judge_everything(campaign, people, lambda assignment: "tie")
    for item in campaign.items.main():
        assert Vote.objects.filter(assignment__item=item, assignment__purpose="main").count() == 5
    assert Vote.objects.exclude(assignment__purpose="main").exists()


def test_check_looks_like_any_other_pair_on_the_wire():
    rules = {"quality": {"gold_rate": 0.25, "repeat_rate": 0.25, "repeat_gap": 1}}
    campaign = opened(rules, [("check", 10)], prompts=30, criteria=["text_faithfulness"])
    client = Client()
    client.post(reverse("annotation:begin", args=[campaign.invitation]))
    shapes, purposes = set(), set()
    for _ in range(60):
        url = reverse("annotation:next", args=[campaign.invitation])
        state = client.get(url, {"want": 3}, headers={"accept": "application/json"}).json()
        if state["state"] != "judge" or len(purposes) == 3:
            break
        pair = state["sets"][0]
        assignment = Assignment.objects.get(public_id=pair["assignment"])
        purposes.add(assignment.purpose)
        image = client.get(pair["images"][0])
        image.close()
        shapes.add((tuple(pair), json.dumps(sorted(image.headers)), image["Content-Type"]))
        factories.vote(Enrolment.objects.get(), assignment, "left")
    assert purposes == {"main", "gold", "repeat"}
    assert len(shapes) == 1


def test_gold_of_a_ranking_stands_in_another_order_for_each_annotator():
    """The best image is place 0 of all gold: a fixed order would give it away."""
    rules = {"quality": {"gold_rate": 0.5}}
    campaign = opened(rules, [("check", 8)], prompts=8, criteria=["visual_appeal"], **TOGETHER)
    gold = []
    for seed in range(5):
        served = judge_all(join(campaign, seed), good)
        gold += [each for each in served if each.purpose == "gold"]
    assert len(gold) >= 20
    first = Counter(each.order[0] for each in gold)
    assert set(first) == {0, 1, 2}
    assert max(first.values()) < 0.7 * len(gold)
    # Two people may have the same of six orders by chance; not nearly all who share an item.
    orders = defaultdict(set)
    for each in gold:
        orders[each.item_id].add(tuple(each.order))
    assert sum(len(seen) > 1 for seen in orders.values()) >= 5


def test_campaign_that_needs_gold_does_not_open_without_it():
    campaign = factories.make_draft(rules={"quality": {"gold_rate": 0.1}})
    with pytest.raises(BadInputError, match=r"gold pairs for .* make them first") as refused:
        open_campaign(campaign=campaign)
    assert f"make_gold {campaign.slug}`" in refused.value.by_command


QUALIFY = {"quality": {"qualification_pairs": 3, "qualification_pass": 2}}


def qualify(enrolment, *answers):
    """Answer the next gold before the first item; return what it was."""
    served = []
    for answer in answers:
        pair = factories.lease(enrolment)
        assert pair.purpose == "qualification"
        factories.vote(enrolment, pair, answer(pair))
        served.append(pair.item_id)
    return served


@pytest.mark.parametrize("shape", [{}, TOGETHER], ids=["pair", "ranking"])
def test_qualification_comes_first_and_lets_who_passes_in(shape):
    campaign = opened(QUALIFY, [("qualification", 3)], **shape)
    mine = enrol(campaign=campaign, annotator=Annotator.objects.create())
    qualify(mine, good, bad, good)
    assert factories.lease(mine).purpose == "main"


@pytest.mark.parametrize("shape", [{}, TOGETHER], ids=["pair", "ranking"])
def test_who_fails_the_qualification_twice_gets_no_pair_and_is_told(shape):
    campaign = opened(QUALIFY, [("qualification", 3)], **shape)
    mine = enrol(campaign=campaign, annotator=Annotator.objects.create())
    served = qualify(mine, bad, good, bad)
    assert not mine.exclusions.exists()
    served += qualify(mine, bad, bad, bad)
    assert len(set(served)) == 6  # the second try has other gold
    assert factories.lease(mine) is None
    mine.refresh_from_db()
    assert mine.status == "disqualified"
    exclusion = mine.exclusions.get()
    assert exclusion.rule == "qualification"
    assert exclusion.detail == "0 of 3 gold right at try 2, 2 needed"


def test_who_passes_the_second_time_goes_on():
    campaign = opened(QUALIFY, [("qualification", 3)])
    mine = enrol(campaign=campaign, annotator=Annotator.objects.create())
    qualify(mine, bad, bad, bad)
    mine.refresh_from_db()
    assert not can_undo(mine, timezone.now())  # what was counted is not taken back
    qualify(mine, good, good, bad)
    assert factories.lease(mine).purpose == "main"
    assert not mine.exclusions.exists()


def test_one_try_is_one_where_the_rules_say_so():
    rules = {"quality": QUALIFY["quality"] | {"qualification_tries": 1}}
    campaign = opened(rules, [("qualification", 2)])
    mine = enrol(campaign=campaign, annotator=Annotator.objects.create())
    qualify(mine, bad, bad, bad)
    assert factories.lease(mine) is None
    assert mine.exclusions.get().detail == "0 of 3 gold right, 2 needed"


def test_campaign_opens_with_gold_for_every_try():
    with pytest.raises(BadInputError, match="at least 6 gold"):
        opened(QUALIFY, [("qualification", 2)])


def test_four_answers_are_kept_raw_and_count_as_ties():
    from evalplatform.campaigns.criteria import PRESETS

    campaign = opened(None, prompts=2, criteria=PRESETS["emu"])
    people = [Annotator.objects.create() for _ in range(6)]

    def choose(assignment):
        return "neither" if assignment.item.criterion.slug == "text_faithfulness" else "tie"

    factories.judge_everything(campaign, people, choose)
    counts = Counter(Vote.objects.values_list("answer"))
    assert counts == {("tie",): 2 * 5, ("neither",): 2 * 3}
    assert all(grades == [0, 0] for grades in Vote.objects.values_list("grades", flat=True))


def test_answer_the_criterion_does_not_offer_is_refused(campaign, ana):
    mine = enrol(campaign=campaign, annotator=ana)
    pair = factories.lease(mine)
    with pytest.raises(BadInputError, match="'both' is not offered here"):
        factories.vote(mine, pair, "both")
    assert Vote.objects.count() == 0
