"""Simulated campaigns with a planted ring, or with none, whose honest people differ in taste.

An honest person sees of the image at one place of an item the utility

    quality of the image + strength of its arm + own taste for the arm
        + camp (+1 or -1) * (taste of the camp for the arm + for what the image looks like) + noise

all normal, noise of variance 1. Of a pair they choose the higher unless both are within `tie`, a
ranking follows the utilities, a rating cuts them into five by limits each person has moved a
little. A ring's member gives, but for a share `noise` of honest answers, the ring's answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalplatform.stats import GradedVotes, find_rings, graded_votes
from evalplatform.stats.people.honest_model import HonestModel, labelled
from evalplatform.stats.people.ring_evidence import beside_ring, like_mindedness

KINDS = ("favours an arm", "copies a leader", "has its own rule")
SHAPES = {"pair": 2, "ranking": 4, "rating": 1}  # images an item
_CUTS = np.array([-1.5, -0.5, 0.5, 1.5])


@dataclass(frozen=True)
class RingStudy:
    """One design.

    Attributes:
        share: of the accounts that are in the ring; 0 for none.
        kind: what the ring agrees on, one of `KINDS`.
        noise: share of honest answers a member gives.
        camps: sizes of tastes of the two camps, for arms and for looks; 0 for one people.
        first_camp: share of people in the first camp.
        careless: share of accounts that answer at random, each for itself.
        in_turn: items are served as the site does unless told otherwise (`walk`), to all at once;
            else who judges what is drawn at random.
        criteria: of equal numbers of items, each served after the one before.
        one_by_one: nobody begins before whoever came before has ended.
    """

    accounts: int = 200
    votes_each: int = 150
    votes_per_item: int = 5
    form: str = "pair"
    arms: int = 2
    share: float = 0.05
    kind: str = KINDS[0]
    noise: float = 0.05
    camps: tuple[float, float] = (0.0, 0.0)
    first_camp: float = 0.5
    careless: float = 0.0
    in_turn: bool = False
    criteria: int = 1
    one_by_one: bool = False
    tie: float = 0.35

    @property
    def members(self) -> int:
        return round(self.share * self.accounts)

    def simulate(self, rng: np.random.Generator) -> tuple[GradedVotes, np.ndarray]:
        """The votes, and which accounts are the ring."""
        item, who = self._served(rng) if self.in_turn else self._mixed(rng)
        n_items, n = int(item.max()) + 1, SHAPES[self.form]
        arm = np.argsort(rng.random((n_items, self.arms)), axis=1)[:, :n]
        honest = _Honest(self, rng, arm)
        grades = honest.grades(who, item, rng)
        careless = rng.random(self.accounts) < self.careless
        blind = careless[who]
        grades[blind] = honest.graded(rng.standard_normal((int(blind.sum()), n)), who[blind])
        members = rng.permutation(self.accounts)[: self.members]
        ring = np.zeros(self.accounts, dtype=np.bool_)
        ring[members] = True
        if self.members:
            follows = ring[who] & (rng.random(len(who)) >= self.noise)
            if self.kind == KINDS[1]:
                follows |= who == members[0]
            agreed = self._agreed(honest, members[0], arm, rng)
            favoured = (arm == 0).any(axis=1)
            follows &= favoured[item] | (self.kind != KINDS[0])
            grades[follows] = agreed[item[follows]]
        ids = np.arange(n_items)
        votes = graded_votes(
            item=item, prompt=ids[item], annotator=who, arm=arm[item], grade=grades,
            arms=[f"arm {a}" for a in range(self.arms)], annotators=list(range(self.accounts)),
        )  # fmt: skip
        return votes, ring

    def _agreed(
        self, honest: _Honest, leader: int, arm: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """The ring's answer to every item."""
        everyone = np.full(len(arm), leader)
        if self.kind == KINDS[1]:
            return honest.grades(everyone, np.arange(len(arm)), rng)
        utility = rng.standard_normal(arm.shape) * 2.0
        if self.kind == KINDS[0]:
            utility[arm == 0] += 20.0
        return honest.graded(utility, everyone)

    def _mixed(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        n_items = self.accounts * self.votes_each // self.votes_per_item
        item = np.repeat(np.arange(n_items), self.votes_per_item)
        who = rng.permutation(np.tile(np.arange(self.accounts), self.votes_each)[: len(item)])
        for _ in range(60):  # nobody judges an item twice: such votes change places with others
            _, first = np.unique(item * self.accounts + who, return_index=True)
            twice = np.setdiff1d(np.arange(len(who)), first)
            if not len(twice):
                return item, who
            for one, other in zip(twice, rng.integers(0, len(who), len(twice)), strict=True):
                who[one], who[other] = who[other], who[one]
        return item[np.sort(first)], who[np.sort(first)]

    def _served(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        size = self.accounts * self.votes_each // self.votes_per_item // self.criteria
        free = np.full(size * self.criteria, self.votes_per_item)
        walks = [self._walk(size, rng) for _ in range(self.accounts)]
        left, moved = np.full(self.accounts, self.votes_each), np.zeros(self.accounts, np.int64)
        votes, active = [], rng.permutation(self.accounts).tolist()
        while active:
            for each in active[:1] if self.one_by_one else rng.permutation(active).tolist():
                walk = walks[each]
                while moved[each] < len(walk) and not free[walk[moved[each]]]:
                    moved[each] += 1
                if moved[each] >= len(walk) or not left[each]:
                    active.remove(each)
                    continue
                votes.append((walk[moved[each]], each))
                free[walk[moved[each]]] -= 1
                left[each] -= 1
                moved[each] += 1
        served = np.array(votes)
        _, item = np.unique(served[:, 0], return_inverse=True)
        return item, served[:, 1]

    def _walk(self, size: int, rng: np.random.Generator) -> np.ndarray:
        one = walk(size, rng.random(), rng.uniform(1 / 96, 1 / 24))
        return np.concatenate([one + size * each for each in range(self.criteria)])


def walk(size: int, rotation: float, stride: float) -> np.ndarray:
    """The positions of one criterion's items in the order of somebody's walk.

    As annotation/sql/lease.sql has it; a test holds both against each other.
    """
    step = min(128, max(1, int(stride * size)))
    rounds = [np.arange(first, size, step) for first in range(step)]
    return (np.concatenate(rounds) + int(rotation * size)) % size


class _Honest:
    def __init__(self, study: RingStudy, rng: np.random.Generator, arm: np.ndarray) -> None:
        self.study, self.arm = study, arm
        self.quality = rng.standard_normal(arm.shape) * 0.8
        self.look = rng.standard_normal(arm.shape)
        strength = np.linspace(0.1, -0.1, study.arms)
        self.taste = strength + 0.2 * rng.standard_normal((study.accounts, study.arms))
        camp = np.where(rng.random(study.accounts) < study.first_camp, 1.0, -1.0)
        for_arms, for_looks = study.camps
        self.taste += camp[:, None] * for_arms * np.linspace(0.5, -0.5, study.arms)
        self.camp = camp * for_looks
        self.limits = 0.4 * rng.standard_normal(study.accounts)

    def grades(self, who: np.ndarray, item: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        arm = self.arm[item]
        utility = self.quality[item] + self.taste[who[:, None], arm]
        utility += self.camp[who][:, None] * self.look[item]
        return self.graded(utility + 0.7 * rng.standard_normal(arm.shape), who)

    def graded(self, utility: np.ndarray, who: np.ndarray) -> np.ndarray:
        if self.study.form == "rating":
            return 1 + np.searchsorted(_CUTS, utility + self.limits[who][:, None])
        if self.study.form == "ranking":
            return utility.argsort(axis=1).argsort(axis=1)
        lead = utility[:, 0] - utility[:, 1]
        return np.stack([lead > self.study.tie, lead < -self.study.tie], axis=1).astype(np.int64)


def told_ring(votes: GradedVotes, ring: np.ndarray) -> tuple[float, float]:
    """What could be found at most: share of the ring, and how many items a member shares with it.

    An account counts as found where, told all the other members, it answers so like them on the
    items they share as one honest account in a hundred would.
    """
    people = np.argsort(~ring, kind="stable").tolist()
    model = HonestModel.of(labelled([votes], people, len(people)))
    members = np.arange(int(ring.sum()))
    beside = beside_ring(model, members, like_mindedness(model))
    return float((beside.p_value[members] <= 0.01).mean()), float(beside.shared[members].mean())


def found_and_false(
    study: RingStudy, seed: int, studies: int
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Of each of many studies: the share of the ring found (empty without one), the share of
    honest accounts flagged, and how many rings were named."""
    found, false, rings = [], [], []
    for index in range(studies):
        votes, ring = study.simulate(np.random.default_rng([seed, index]))
        result = find_rings([votes])
        flagged = np.zeros(study.accounts, dtype=np.bool_)
        flagged[[int(str(who)) for each in result.rings for who in each.annotators]] = True
        if study.members:
            found.append(float(flagged[ring].mean()))
        false.append(float(flagged[~ring].mean()))
        rings.append(len(result.rings))
    return np.array(found), np.array(false), rings
