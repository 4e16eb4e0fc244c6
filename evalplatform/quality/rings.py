"""Accounts of a campaign that answer alike by agreement, as `stats.find_rings` sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from evalplatform import stats
from evalplatform.annotation.answer_columns import MAIN, AnswerColumns, answer_columns
from evalplatform.annotation.arm_columns import ArmColumns
from evalplatform.annotation.models import Enrolment
from evalplatform.campaigns.models import Campaign, Item, arm_letter
from evalplatform.core.words import counted


@dataclass(frozen=True)
class Member:
    """One account of a ring; figures as in `stats.RingMember`."""

    pseudonym: str
    is_simulated: bool
    judged: int
    alike: int
    expected: float
    p_value: float


@dataclass(frozen=True)
class FoundRing:
    """Accounts that answered alike more than chance explains, or for one arm."""

    arm: str  # letter of the arm they favour, or empty
    p_value: float
    members: list[Member]
    example: str  # one item on which it shows, in words; empty without one

    @property
    def sentence(self) -> str:
        """What was found, with its figures."""
        count = len(self.members)
        judged = sum(each.judged for each in self.members)
        alike = sum(each.alike for each in self.members)
        expected = sum(each.expected for each in self.members)
        p = "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.3f}"
        if self.arm:
            return (
                f"These {count} accounts favour arm {self.arm} more than tastes here explain: "
                f"{alike:,} of {judged:,} answers, {expected:,.0f} expected ({p})."
            )
        return (
            f"These {count} accounts answered alike more than chance explains: {alike:,} of "
            f"{counted(judged, 'answer')} to items they share, {expected:,.0f} expected ({p})."
        )


@dataclass(frozen=True)
class Taker:
    """Somebody who took part."""

    pseudonym: str
    is_simulated: bool


@dataclass(frozen=True)
class ItemInWords:
    """An item as a person finds it."""

    position: int | None
    criterion: str
    prompt: str


@dataclass(frozen=True)
class RingReport:
    """The rings of a campaign; `reason` says why nothing could be looked for."""

    rings: list[FoundRing]
    n_compared: int
    reason: str

    @property
    def pseudonyms(self) -> list[str]:
        """Everybody in a ring, each once."""
        return sorted({each.pseudonym for ring in self.rings for each in ring.members})


def campaign_rings(campaign: Campaign, answers: AnswerColumns | None = None) -> RingReport:
    """Look for rings among the votes that count; `answers` where they are read already."""
    columns = answer_columns(campaign) if answers is None else answers
    return rings_among(
        columns,
        letters=[arm_letter(each.place) for each in campaign.contenders],
        arms=ArmColumns.of(campaign),
        people=takers(campaign),
        item_in_words=item_in_words,
    )


def takers(campaign: Campaign) -> dict[int, Taker]:
    """Return everybody enrolled, by the annotator's id."""
    enrolled = Enrolment.objects.filter(campaign=campaign).select_related("annotator")
    return {
        each.annotator_id: Taker(each.annotator.pseudonym, each.annotator.is_simulated)
        for each in enrolled
    }


def item_in_words(key: int) -> ItemInWords:
    """Return what an item is called."""
    item = Item.objects.select_related("criterion", "image_set").get(pk=key)
    criterion = item.criterion.label if item.criterion else ""
    return ItemInWords(item.position, criterion, item.image_set.prompt_text)


def rings_among(
    answers: AnswerColumns,
    *,
    letters: list[str],
    arms: ArmColumns,
    people: Mapping[int, Taker],
    item_in_words: Callable[[int], ItemInWords],
) -> RingReport:
    """Look for rings among those of the answers that are votes and count."""
    votes = answers.where(answers.purpose == MAIN).counting()
    if not len(votes):
        return RingReport([], 0, "There is no vote.")
    questions, items = [], []
    for criterion in np.unique(votes.criterion).tolist():
        asked = votes.where(votes.criterion == criterion)
        questions.append(_graded(letters, arms, asked))
        items.append(np.unique(asked.item))
    found = stats.find_rings(questions)
    return RingReport(
        rings=[
            FoundRing(
                arm=str(ring.arm or ""),
                p_value=ring.p_value,
                members=sorted(
                    (_member(each, people) for each in ring.members),
                    key=lambda each: each.pseudonym,
                ),
                example=_example(ring.example, items, people, item_in_words),
            )
            for ring in found.rings
        ],
        n_compared=found.n_compared,
        reason=found.reason,
    )


def _graded(letters: list[str], arms: ArmColumns, votes: AnswerColumns) -> stats.GradedVotes:
    arm, grade = arms.graded(votes)
    people, annotator = np.unique(votes.annotator, return_inverse=True)
    return stats.graded_votes(
        item=votes.item,
        prompt=votes.item,
        annotator=annotator,
        arm=arm,
        grade=grade,
        arms=letters,
        annotators=people.tolist(),
    )


def _member(found: stats.RingMember, people: Mapping[int, Taker]) -> Member:
    who = people[int(str(found.annotator))]
    return Member(
        pseudonym=who.pseudonym,
        is_simulated=who.is_simulated,
        judged=found.judged,
        alike=found.alike,
        expected=found.expected,
        p_value=found.p_value,
    )


def _example(
    found: stats.SharedItem | None,
    items: list[np.ndarray],
    people: Mapping[int, Taker],
    item_in_words: Callable[[int], ItemInWords],
) -> str:
    if found is None:
        return ""
    item = item_in_words(int(items[found.question][found.item]))
    names = sorted(people[int(str(who))].pseudonym for who in found.annotators)
    prompt = f" “{item.prompt}”" if item.prompt else ""
    others = "nobody else judged it"
    if found.others:
        others = f"of {found.others} others {found.others_alike or 'none'} did"
    return (
        f"item #{item.position} ({item.criterion}){prompt}: "
        f"{', '.join(names)} said the same; {others}"
    )
