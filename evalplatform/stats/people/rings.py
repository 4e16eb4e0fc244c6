"""Rings: accounts that answer alike by agreement, found in the votes alone.

Two things are looked for, over all questions of a campaign together.

*Alike* (`ring_search`): accounts that give the same answer to the items they share more often than
the items, the others' answers and their own habits explain (`honest_model`). They may copy from
each other or from one leader, answer by a rule of their own, or be one person with many accounts.
The ring as a whole has a p-value against what chance finds among honest people; each account then
has one beside the others of the ring, a generalized binomial test of answer copying (van der
Linden and Sotaridona 2006, J. Educational and Behavioral Statistics 31:283-304), adjusted for the
number of accounts.

*For an arm* (`arm_favour`): at least three accounts that favour the same arm far beyond what
people here do, as in the rigging of leaderboards of models (Min et al. 2025, PMLR 267:44252).

Assumed. Who judges which item is chance. Honest people answer an item independently of each other
but for tastes they share; how far tastes are shared is measured over all pairs of accounts, and as
much is granted to everybody (two camps cost power, not honest people's names).

Not found. Accounts with fewer than 10 votes. Accounts that share few items with their ring: with
five votes an item, a ring of 5 % shares about n / 5 items with a member of n votes, and with 50
votes that does not suffice. Rings of less than about 5 % of the accounts, unless they answer
hundreds of items. A ring as large as a camp: over 20 % of the accounts are taken for a taste. A
ring that favours an arm that nearly everybody prefers, or by less than people differ. Who answers
without looking, alone, is no ring (`profiles`). `make bench-ring` prints the power.

A ring is a reason to look, never a proof: flatmates with one taste look alike, too.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ..inference.estimates import State
from ..inference.multiplicity import benjamini_hochberg
from ..votes.columns import IntColumn
from ..votes.errors import EmptyVotesError
from ..votes.graded import GradedVotes
from .arm_favour import arm_favours
from .honest_model import Answers, HonestModel, labelled
from .ring_evidence import beside_ring, like_mindedness
from .ring_search import chance_of, likeliest_ring

RING_SEED = 20_230_928
RING_LEVEL = 0.01  # p-value of a ring up to which it is named
MEMBER_LEVEL = 0.05  # adjusted p-value of an account up to which it is in it
FEWEST_ANNOTATORS = 10
FEWEST_VOTES = 10
FEWEST_FOR_AN_ARM = 3  # accounts: one who loves an arm is no ring
_MOST_ANNOTATORS = 2000  # those with most votes; tables of all pairs are held
_MOST_VOTES_EACH = 300  # on average; of more, whole items are left out at random
_MOST_RINGS = 10


@dataclass(frozen=True, kw_only=True)
class RingMember:
    """One account of a ring.

    `judged` items that another member judged, too (alike) or sets with the arm (for an arm);
    `alike` of them answered as most others of the ring did, or for the arm; `expected` of them if
    the account were honest. `p_value` is adjusted for all accounts.
    """

    annotator: Hashable
    judged: int
    alike: int
    expected: float
    p_value: float


@dataclass(frozen=True, kw_only=True)
class SharedItem:
    """An item on which a ring shows best: its question and item id, and who said the same."""

    question: int
    item: int
    annotators: tuple[Hashable, ...]
    others_alike: int  # of accounts outside the ring
    others: int


@dataclass(frozen=True, kw_only=True)
class Ring:
    """Accounts that answer alike more than chance explains, see this module.

    `arm` is the arm they favour, None where they answer alike; `p_value` is of the ring as a
    whole. `example` is None where no item was judged by two of them.
    """

    arm: Hashable | None
    p_value: float
    members: tuple[RingMember, ...]
    example: SharedItem | None

    @property
    def annotators(self) -> tuple[Hashable, ...]:
        return tuple(each.annotator for each in self.members)


@dataclass(frozen=True, kw_only=True)
class Rings:
    """What was found; `state` says why nothing could be looked for.

    `n_compared` accounts had enough votes; `like_mindedness` is what was granted to tastes people
    share, from 0 to 1 (`ring_evidence`).
    """

    rings: tuple[Ring, ...]
    n_compared: int
    like_mindedness: float | None
    state: State
    reason: str


def find_rings(questions: Sequence[GradedVotes], *, seed: int = RING_SEED) -> Rings:
    """Find rings among the annotators of all questions (criteria) of a campaign.

    Each question has a table of its own; annotators are the same people where their ids are. Items
    need several votes each. The same votes and seed give the same rings.

    Raises `EmptyVotesError` without a question.
    """
    if not questions:
        raise EmptyVotesError("There is no question. Give the votes of at least one.")
    people, n_compared = _people(questions)
    if n_compared < FEWEST_ANNOTATORS:
        return Rings(
            rings=(),
            n_compared=n_compared,
            like_mindedness=None,
            state=State.FEW_ANNOTATORS,
            reason=(
                f"{n_compared} {'annotator' if n_compared == 1 else 'annotators'} cast "
                f"{FEWEST_VOTES} votes or more; "
                f"{FEWEST_ANNOTATORS} are needed to tell what is usual."
            ),
        )
    rng = np.random.default_rng(seed)
    questions = _thinned(questions, n_compared, rng)
    answers = labelled(questions, people, n_compared)
    model = HonestModel.of(answers)
    kappa = like_mindedness(model)
    places = _Places(questions, answers, people)
    for_arms = _for_arms(model, places)
    free = np.ones(n_compared, dtype=np.bool_)
    free[[people.index(who) for ring in for_arms for who in ring.annotators]] = False
    alike = _alike(model, kappa, places, free, rng)
    return Rings(
        rings=(*alike, *for_arms),
        n_compared=n_compared,
        like_mindedness=kappa,
        state=State.DEFINED,
        reason="",
    )


def _people(questions: Sequence[GradedVotes]) -> tuple[list[Hashable], int]:
    """Everybody by falling number of votes, and how many are compared."""
    votes: dict[Hashable, int] = {}
    for each in questions:
        counts = np.bincount(each.annotator, minlength=len(each.annotators)).tolist()
        for who, count in zip(each.annotators, counts, strict=True):
            votes[who] = votes.get(who, 0) + count
    people = sorted(votes, key=lambda who: (-votes[who], str(who)))
    enough = sum(count >= FEWEST_VOTES for count in votes.values())
    return people, min(enough, _MOST_ANNOTATORS)


def _thinned(
    questions: Sequence[GradedVotes], n_compared: int, rng: np.random.Generator
) -> Sequence[GradedVotes]:
    """Not more votes than tell enough: the time and memory taken are bounded by it."""
    share = _MOST_VOTES_EACH * n_compared / sum(len(each) for each in questions)
    if share >= 1.0:
        return questions
    kept = [rng.random(int(each.item.max()) + 1)[each.item] < share for each in questions]
    return [each.where(some) for each, some in zip(questions, kept, strict=True) if some.any()]


def _alike(
    model: HonestModel,
    kappa: float,
    places: _Places,
    free: np.ndarray,
    rng: np.random.Generator,
) -> list[Ring]:
    rings: list[Ring] = []
    while len(rings) < _MOST_RINGS:
        excess, members = likeliest_ring(model, kappa, free)
        if members is None:
            break
        p_value = chance_of(model, kappa, excess, len(members), rng)
        if p_value > RING_LEVEL:
            break
        likely = members
        for _ in range(8):
            beside = beside_ring(model, members, kappa)
            adjusted = benjamini_hochberg(np.where(free, beside.p_value[: len(free)], 1.0))
            found = np.flatnonzero(adjusted <= MEMBER_LEVEL)
            if len(found) < 2 or np.array_equal(found, members):
                break
            members = found
        if len(found) < 2:  # alike as a whole, and nobody of whom it can be said
            free[likely] = False
            continue
        beside = beside_ring(model, members, kappa)
        rings.append(
            Ring(
                arm=None,
                p_value=p_value,
                members=tuple(
                    RingMember(
                        annotator=places.people[who],
                        judged=int(beside.shared[who]),
                        alike=int(beside.alike[who]),
                        expected=float(beside.expected[who]),
                        p_value=float(adjusted[who]),
                    )
                    for who in members.tolist()
                ),
                example=places.example(model, members, None),
            )
        )
        free[members] = False
    return rings


def _for_arms(model: HonestModel, places: _Places) -> list[Ring]:
    favours = arm_favours(model, len(places.arms))
    rings = []
    for arm, label in enumerate(places.arms):
        rows = np.flatnonzero((favours.arm == arm) & (favours.p_value <= MEMBER_LEVEL))
        if len(rows) < FEWEST_FOR_AN_ARM:
            continue
        members = tuple(
            RingMember(
                annotator=places.people[int(favours.who[row])],
                judged=int(favours.votes[row]),
                alike=int(favours.favoured[row]),
                expected=float(favours.expected[row]),
                p_value=float(favours.p_value[row]),
            )
            for row in rows.tolist()
        )
        rings.append(
            Ring(
                arm=label,
                p_value=max(each.p_value for each in members),
                members=members,
                example=places.example(model, favours.who[rows], arm),
            )
        )
    return rings


class _Places:
    """From codes back to the ids of people, arms and items."""

    def __init__(
        self, questions: Sequence[GradedVotes], answers: Answers, people: list[Hashable]
    ) -> None:
        self.people = people
        self.arms = sorted({one for votes in questions for one in votes.arms}, key=str)
        self._item = np.zeros((answers.n_items, 2), dtype=np.int64)
        done = 0
        for question, votes in enumerate(questions):
            for n in np.unique(votes.sizes):
                items = np.unique(votes.item[votes.sizes == n])
                self._item[done : done + len(items), 0] = question
                self._item[done : done + len(items), 1] = items
                done += len(items)

    def example(self, model: HonestModel, members: IntColumn, arm: int | None) -> SharedItem | None:
        """The item on which most of the ring say the same against what others say."""
        answers = model.answers
        inside = np.isin(answers.who, members)
        size = answers.n_items * answers.n_labels
        cell = answers.item * answers.n_labels + answers.label
        ring = np.bincount(cell[inside], minlength=size)
        rest = np.bincount(cell[~inside], minlength=size)
        if arm is not None:
            allowed = np.zeros(size, dtype=np.bool_)
            favours = answers.single | (answers.arm[np.arange(len(answers)), answers.label] == arm)
            allowed[cell[inside & favours]] = True
            ring = np.where(allowed, ring, 0)
        best = int(np.argmax(ring * 1000.0 - rest))
        if ring[best] < 2:
            return None
        item, label = divmod(best, answers.n_labels)
        said = inside & (answers.item == item) & (answers.label == label)
        question, item_id = self._item[item].tolist()
        return SharedItem(
            question=question,
            item=item_id,
            annotators=tuple(self.people[who] for who in answers.who[said].tolist()),
            others_alike=int(rest[best]),
            others=int(rest[item * answers.n_labels : (item + 1) * answers.n_labels].sum()),
        )
