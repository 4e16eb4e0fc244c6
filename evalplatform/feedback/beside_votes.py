"""A reward beside a campaign's votes: where they agree, what it says itself, and both together.

Never a part of the campaign's results: these are people's alone. What is here is told in its own
words, on the page in a section and in exports in a file of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from django.utils import timezone

from evalplatform import stats
from evalplatform.annotation.answer_columns import AnswerColumns, vote_columns
from evalplatform.campaigns.models import Campaign, Criterion, arm_letter
from evalplatform.feedback.leaks import tuned_arms
from evalplatform.feedback.models import RegisteredReward
from evalplatform.feedback.scored import ScoredImage, images_of, scores_of
from evalplatform.reports.gallery import Gallery
from evalplatform.reports.prompts import Prompts
from evalplatform.reports.stats_votes import of_criterion, pseudonyms

FORMAT = "evalplatform-reward-beside-votes/1"
SAYS = (
    "People's votes on some of the prompts, moved by as much as the reward says that these differ "
    "from the prompts without votes. What is estimated is what people say of all prompts, whatever "
    "the reward is worth; it takes the prompts with votes for a draw from all, as the campaign's "
    "order makes them. It is no result of the campaign: that is people's alone."
)

Floats = npt.NDArray[np.float64]


def beside_votes(campaign: Campaign, reward: RegisteredReward) -> dict[str, Any]:
    """Return everything as plain JSON values; criteria that the reward does not know have a reason.

    `scored` and `images` say how far the scoring is: before its end there are no figures.
    """
    images = images_of(campaign)
    scores = scores_of(reward, images)
    wanted = {each.key for each in images}
    told: dict[str, Any] = {
        "format": FORMAT,
        "campaign": campaign.slug,
        "protocol_sha256": campaign.protocol_sha256,
        "reward": reward.name,
        "reward_sha256": reward.sha256,
        "reward_learned_from_simulated_votes": bool(
            reward.metadata.get("data", {}).get("simulated")
        ),
        "arms_tuned_by_it": tuned_arms(reward, campaign),
        "made_at": timezone.now().isoformat(),
        "votes": 0,
        "simulated_votes": 0,
        "scored": len(scores),
        "images": len(wanted),
        "says": SAYS,
        "criteria": [],
    }
    if not images or len(scores) < len(wanted):
        return told
    votes = vote_columns(campaign)
    told |= {"votes": len(votes), "simulated_votes": int(votes.is_simulated.sum())}
    gallery = Gallery(campaign, Prompts(campaign), pseudonyms(campaign))
    for criterion in campaign.criteria.all():
        if criterion.shape.most < 2:
            continue
        if criterion.slug not in reward.aspects:
            told["criteria"].append(
                {"criterion": criterion.slug, "label": criterion.label, "unknown": True}
            )
            continue
        found = _Scores.of(images, scores, criterion.slug, reward)
        told["criteria"].append(
            _criterion(criterion, of_criterion(votes, criterion), gallery, found)
        )
    return told


@dataclass(frozen=True, eq=False)
class _Scores:
    """One aspect's scores: of the arms by set, and how often the first of two is preferred.

    Attributes:
        sets: (S,) image sets in ascending order; prompt: (S,) their prompts.
        table: (S, M) by the arm's place, NaN where it has no image in the set.
        temperature: a difference over it has the probability as its sigmoid.
    """

    sets: npt.NDArray[np.int64]
    prompt: npt.NDArray[np.int64]
    table: Floats
    temperature: float

    @classmethod
    def of(
        cls,
        images: Sequence[ScoredImage],
        scores: dict[tuple[str, str], dict[str, float]],
        aspect: str,
        reward: RegisteredReward,
    ) -> _Scores:
        sets, row = np.unique([each.image_set for each in images], return_inverse=True)
        table = np.full((len(sets), max(each.arm for each in images) + 1), np.nan)
        table[row, [each.arm for each in images]] = [scores[each.key][aspect] for each in images]
        prompt = np.zeros(len(sets), dtype=np.int64)
        prompt[row] = [each.prompt_id for each in images]
        at = reward.metadata["aspects"].index(aspect)
        temperature = float(reward.metadata["calibration"]["temperature"][at])
        return cls(sets, prompt, table, temperature)

    def of_entries(self, votes: AnswerColumns, graded: stats.GradedVotes) -> Floats:
        """(E,) the score of each image of each vote, in the order of `graded.arm`."""
        row = np.searchsorted(self.sets, votes.image_set)
        found: Floats = self.table[np.repeat(row, graded.sizes), graded.arm]
        return found

    def differences(self, arm: int, other: int) -> tuple[npt.NDArray[np.int64], Floats]:
        """Prompts on which two arms met, and by how much the first is preferred, -1 to 1."""
        difference = self.table[:, arm] - self.table[:, other]
        met = np.isfinite(difference)
        preferred = np.tanh(difference[met] / self.temperature / 2.0)  # 2 sigmoid(x) - 1
        prompts, row = np.unique(self.prompt[met], return_inverse=True)
        return prompts, np.bincount(row, preferred) / np.bincount(row)


def _criterion(
    criterion: Criterion, votes: AnswerColumns, gallery: Gallery, scores: _Scores
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "criterion": criterion.slug,
        "label": criterion.label,
        "agreement": None,
        "one_person": None,
    }
    graded = gallery.graded(votes) if len(votes) else None
    if graded is not None:
        people = stats.one_against_rest(graded)
        judge = stats.judge_against_rest(graded, scores.of_entries(votes, graded))
        made["agreement"] = stats.plain(judge)
        made["one_person"] = stats.plain(people.agreement) if people else None
    made["pairs"] = list(_pairs(votes, graded, scores))
    return made


def _pairs(
    votes: AnswerColumns, graded: stats.GradedVotes | None, scores: _Scores
) -> Iterator[dict[str, Any]]:
    for arm, other in combinations(range(scores.table.shape[1]), 2):
        difference = scores.table[:, arm] - scores.table[:, other]
        met = difference[np.isfinite(difference)]
        if not len(met):
            continue
        counts = {"win": int((met > 0).sum()), "tie": int((met == 0).sum()),
                  "lose": int((met < 0).sum())}  # fmt: skip
        both = None
        pair = votes_on(votes, graded, arm, other) if graded is not None else None
        if pair is not None:
            prompts, preferred = scores.differences(arm, other)
            both = stats.aided_rates(pair, prompt=prompts, predicted=preferred).as_dict()
        yield {
            "arm": arm_letter(arm),
            "other": arm_letter(other),
            "reward_says": counts | {"sets": len(met)},
            "people_and_reward": both,
        }


def votes_on(
    votes: AnswerColumns, graded: stats.GradedVotes, arm: int, other: int
) -> stats.Votes | None:
    """The votes on two arms, seen from the first; None without any."""
    pairs = graded.pairs()
    if pairs is None:
        return None
    straight = (pairs.first == arm) & (pairs.second == other)
    turned = (pairs.first == other) & (pairs.second == arm)
    rows = np.flatnonzero(straight | turned)
    if not len(rows):
        return None
    said = pairs.outcome[rows].astype(np.int64)
    at = pairs.vote[rows]
    return stats.Votes(
        np.where(turned[rows], 2 - said, said), votes.prompt[at], votes.annotator[at],
        votes.item[at],
    )  # fmt: skip
