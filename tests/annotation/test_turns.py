"""A check takes the place of a pair: no answer holds one more, and no total moves with it."""

import random
import uuid
from collections import Counter
from itertools import pairwise

import pytest
from django.test import Client
from django.urls import reverse

from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.annotation.services import open_campaign
from evalplatform.annotation.turns import MAX_HELD, Turn, turn_at
from evalplatform.campaigns.models import Campaign
from tests import factories

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("steady_turns"),
]
JSON = {"headers": {"accept": "application/json"}}
RULES = {"gold_rate": 0.15, "repeat_rate": 0.15, "repeat_gap": 8}


def opened(prompts=18, gold=12, qualification=0, annotation=None, quality=None, **options):
    rules = {"quality": RULES | (quality or {}), "annotation": annotation or {}}
    campaign = factories.make_bulk_draft(prompts=prompts, rules=rules, **options)
    for purpose, count in (("check", gold), ("qualification", qualification)):
        factories.add_gold(campaign, purpose, count)
    open_campaign(campaign=campaign)
    return campaign


class Person:
    """Somebody who works over HTTP and keeps what they were told."""

    def __init__(self, campaign):
        self.url = reverse("annotation:work", args=[campaign.invitation])
        self.client = Client()
        self.client.post(f"{self.url}begin/")
        self.enrolment = Enrolment.objects.latest("pk")
        self.told: list[dict] = []
        self.judged: list[str] = []

    def ask(self, want):
        answer = self.client.get(f"{self.url}next/", {"want": want}, **JSON).json()
        return self._keep(answer, want)

    def send(self, action, want, **fields):
        answer = self.client.post(f"{self.url}{action}/", fields | {"want": want}, **JSON).json()
        return self._keep(answer["next"], want) if want else self.told[-1]

    def vote(self, want):
        pair = self.told[-1]["sets"][0]
        self.judged.append(pair["assignment"])
        keys = {name: pair[name] for name in ("assignment", "idempotency_key")}
        return self.send("vote", want, answer="left", **keys)

    def skip(self, want):
        pair = self.told[-1]["sets"][0]
        return self.send("skip", want, assignment=pair["assignment"], reason="cannot_judge")

    def work_through(self, want):
        self.ask(want)
        while self.told[-1]["state"] == "judge":
            self.vote(want)

    @property
    def totals(self):
        return [told["progress"]["total"] for told in self.told]

    @property
    def purposes(self):
        known = dict(Assignment.objects.values_list("public_id", "purpose"))
        return Counter(known[each] for each in map(uuid.UUID, self.judged))

    def _keep(self, state, want):
        assert len(state["sets"]) <= want
        self.told.append(state)
        return state


def test_no_answer_holds_more_pairs_than_were_wanted():
    """Votes, skips, undos and reloads in any order, by an annotator who mostly gets checks."""
    campaign = opened(prompts=60, quality={"gold_rate": 0.25, "repeat_rate": 0.25}, gold=30)
    rng = random.Random(3)
    person = Person(campaign)
    person.ask(3)
    for _ in range(60):
        want = rng.randint(1, MAX_HELD)
        act = rng.random()
        if act < 0.1:
            person.skip(want)
        elif act < 0.25:
            person.send("undo", want)
        else:
            person.vote(want)
        if rng.random() < 0.3:
            page = person.client.get(person.url).content.decode()
            assert page.count("data-image=") in (0, 2)
        person.ask(rng.randint(1, MAX_HELD))
    assert person.purposes["gold"] + person.purposes["repeat"] > 10


@pytest.mark.parametrize(
    ("quality", "gold"),
    [({}, 12), ({}, 2), ({"gold_rate": 0.0}, 0), ({"gold_rate": 0.5, "repeat_rate": 0.0}, 12)],
)
def test_total_is_known_from_the_start_and_does_not_move_with_a_check(quality, gold):
    campaign = opened(quality=quality, gold=gold, k=2)
    for want in (1, MAX_HELD):
        person = Person(campaign)
        person.work_through(want)
        assert len(set(person.totals)) == 1
        assert person.told[-1]["progress"] == {
            "done": person.totals[0], "total": person.totals[0]
        }  # fmt: skip
        assert person.purposes["main"] == 2 * 18
        assert sum(person.purposes.values()) == person.totals[0]


def test_total_counts_the_qualification_in_and_keeps_to_the_session_cap():
    campaign = opened(qualification=2, quality={"qualification_pairs": 3}, k=2)
    person = Person(campaign)
    person.work_through(1)
    assert len(set(person.totals)) == 1
    assert person.purposes["qualification"] == 3
    capped = opened(annotation={"session_cap": 20}, slug="capped")
    person = Person(capped)
    person.work_through(3)
    assert set(person.totals) == {20}


def test_others_only_lower_the_total_and_the_bar_never_goes_back():
    campaign = opened(k=2)
    rng = random.Random(4)
    people = [Person(campaign) for _ in range(5)]
    for person in people:
        person.ask(2)
    working = list(people)
    while working:
        person = rng.choice(working)
        if person.told[-1]["state"] != "judge":
            working.remove(person)
        elif rng.random() < 0.05:
            person.skip(3)
        else:
            person.vote(rng.randint(1, 4))
    for person in people:
        assert person.totals == sorted(person.totals, reverse=True)
        shares = [t["progress"]["done"] / max(t["progress"]["total"], 1) for t in person.told]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_pair_that_comes_back_from_somebody_does_not_raise_the_total():
    campaign = opened(k=1, quality={"gold_rate": 0.0, "repeat_rate": 0.0})
    first, second = Person(campaign), Person(campaign)
    first.ask(1)
    second.ask(1)
    second.vote(1)
    before = second.totals[-1]
    first.skip(1)
    second.vote(1)
    assert second.enrolment.annotator.assignments.filter(released_at__isnull=False).exists()
    assert second.totals[-1] <= before


def test_checks_are_as_likely_first_as_later_and_whatever_came_before():
    """Over 200 plans: the share at the first turns, and right after a check, is the rate."""
    campaign = Campaign(rules={"quality": RULES})
    first, after = [], []
    for seed in range(200):
        enrolment = Enrolment(campaign=campaign, check_seed=seed)
        turns = [turn_at(enrolment, number) is not Turn.ITEM for number in range(20)]
        first += turns[:3]
        after += [now for before, now in pairwise(turns) if before]
    for share in (sum(first) / len(first), sum(after) / len(after)):
        assert 0.25 < share < 0.35


def test_plan_cannot_be_worked_out_from_what_is_known(monkeypatch):
    monkeypatch.undo()
    seeds = {Enrolment().check_seed for _ in range(20)}
    assert len(seeds) == 20
    assert max(seeds) > 2**58


def test_pairs_taken_together_are_shown_in_the_order_of_their_turns():
    """Rows of checks are younger than those of slots; the answer must not put them last."""
    campaign = opened(quality={"gold_rate": 0.5, "repeat_rate": 0.0}, gold=12)
    for seed in range(6):
        person = Person(campaign)
        Enrolment.objects.filter(pk=person.enrolment.pk).update(check_seed=seed)
        first = person.ask(1)["sets"]
        together = [pair["assignment"] for pair in person.ask(MAX_HELD)["sets"]]
        assert together[0] == first[0]["assignment"]
        person.enrolment.refresh_from_db()
        purposes = [Assignment.objects.get(public_id=each).purpose for each in together]
        planned = [
            "gold" if turn_at(person.enrolment, number) is Turn.GOLD else "main"
            for number in range(len(together))
        ]
        assert purposes == planned


def test_fewer_are_held_when_little_is_left():
    campaign = factories.make_draft(prompts=12, criteria=["visual_appeal"], k=1)
    open_campaign(campaign=campaign)
    person = Person(campaign)
    held = []
    person.ask(MAX_HELD)
    while person.told[-1]["state"] == "judge":
        held.append(len(person.told[-1]["sets"]))
        person.vote(MAX_HELD)
    assert held[0] == 4
    assert held[-3:] == [2, 2, 1]
    assert held == sorted(held, reverse=True)
