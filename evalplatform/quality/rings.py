"""Accounts of a campaign that answer alike by agreement, as `stats.find_rings` sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalplatform import stats
from evalplatform.annotation.answer_columns import MAIN, AnswerColumns, answer_columns
from evalplatform.annotation.arm_columns import ArmColumns
from evalplatform.annotation.models import Enrolment
from evalplatform.campaigns.models import Campaign, Item, arm_letter


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
            f"{judged:,} answers to items they share, {expected:,.0f} expected ({p})."
        )


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
    votes = columns.where(columns.purpose == MAIN).counting()
    if not len(votes):
        return RingReport([], 0, "There is no vote.")
    people = {
        each.annotator_id: each
        for each in Enrolment.objects.filter(campaign=campaign).select_related("annotator")
    }
    arms = ArmColumns(campaign)
    questions, items = [], []
    for criterion in np.unique(votes.criterion).tolist():
        asked = votes.where(votes.criterion == criterion)
        questions.append(_graded(campaign, arms, asked))
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
                example=_example(ring.example, items, people),
            )
            for ring in found.rings
        ],
        n_compared=found.n_compared,
        reason=found.reason,
    )


def _graded(campaign: Campaign, arms: ArmColumns, votes: AnswerColumns) -> stats.GradedVotes:
    arm, grade = arms.graded(votes)
    people, annotator = np.unique(votes.annotator, return_inverse=True)
    return stats.graded_votes(
        item=votes.item,
        prompt=votes.item,
        annotator=annotator,
        arm=arm,
        grade=grade,
        arms=[arm_letter(each.place) for each in campaign.contenders],
        annotators=people.tolist(),
    )


def _member(found: stats.RingMember, people: dict[int, Enrolment]) -> Member:
    who = people[int(str(found.annotator))].annotator
    return Member(
        pseudonym=who.pseudonym,
        is_simulated=who.is_simulated,
        judged=found.judged,
        alike=found.alike,
        expected=found.expected,
        p_value=found.p_value,
    )


def _example(
    found: stats.SharedItem | None, items: list[np.ndarray], people: dict[int, Enrolment]
) -> str:
    if found is None:
        return ""
    item = Item.objects.select_related("criterion", "image_set").get(
        pk=int(items[found.question][found.item])
    )
    names = sorted(people[int(str(who))].annotator.pseudonym for who in found.annotators)
    prompt = f" “{item.image_set.prompt_text}”" if item.image_set.prompt_text else ""
    others = "nobody else judged it"
    if found.others:
        others = f"of {found.others} others {found.others_alike or 'none'} did"
    criterion = item.criterion.label if item.criterion else ""
    return (
        f"item #{item.position} ({criterion}){prompt}: {', '.join(names)} said the same; {others}"
    )
