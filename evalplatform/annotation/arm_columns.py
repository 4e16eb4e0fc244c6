"""Which arm's image stands at which place of a campaign's image sets."""

from __future__ import annotations

import numpy as np

from evalplatform.annotation.answer_columns import AnswerColumns, grades_of, order_of
from evalplatform.campaigns.models import Campaign
from evalplatform.core.integer_columns import Array, IntegerColumn, read_columns

NOWHERE = -1  # in place of an arm, beyond the images of a smaller set
_SHOWN = (
    IntegerColumn("image_set", "m.image_set_id", "int8"),
    IntegerColumn("place", "m.place", "int2"),
    IntegerColumn("arm", "r.place", "int2"),
)


class ArmColumns:
    """The arms of a campaign's main sets; entry i of each column is of one image."""

    def __init__(self, image_set: Array, place: Array, arm: Array) -> None:
        self._sets, row = np.unique(image_set, return_inverse=True)
        most = int(place.max(initial=-1)) + 1
        self._shown = np.full((len(self._sets), most), NOWHERE, dtype=np.int64)
        self._shown[row, place] = arm
        self._sizes = (self._shown != NOWHERE).sum(axis=1)

    @classmethod
    def of(cls, campaign: Campaign) -> ArmColumns:
        """Read those of a campaign."""
        shown = read_columns(
            _SHOWN,
            "FROM campaigns_imageset i JOIN campaigns_shownimage m ON m.image_set_id = i.id"
            " JOIN campaigns_arm r ON r.id = m.arm_id"
            f" WHERE i.campaign_id = {int(campaign.pk)} AND i.purpose = 'main'",
        )
        return cls(shown["image_set"], shown["place"], shown["arm"])

    def show(self, image_sets: Array, first: int, second: int) -> Array:
        """Which of these sets show both of two arms, by their places in the campaign."""
        shown = self._shown[np.searchsorted(self._sets, image_sets)]
        both: Array = (shown == first).any(axis=1) & (shown == second).any(axis=1)
        return both

    def graded(self, votes: AnswerColumns) -> tuple[Array, Array]:
        """The place of each arm in the campaign, NOWHERE beyond a set, and its grade, by vote."""
        at = np.searchsorted(self._sets, votes.image_set)
        arm, sizes = self._shown[at], self._sizes[at]
        grade = np.zeros_like(arm)
        for n in np.unique(sizes).tolist():
            rows = sizes == n
            grade[rows, :n] = grades_of(votes.said[rows], n)
        return arm, grade

    def shown_at(self, votes: AnswerColumns) -> Array:
        """The position at which each image was shown, from 0: vote by vote, place by place.

        Only where the order of showing is known (`Campaign.knows_sides`).
        """
        at = np.searchsorted(self._sets, votes.image_set)
        arm, sizes = self._shown[at], self._sizes[at]
        shown = np.zeros_like(arm)
        for n in np.unique(sizes).tolist():
            rows = sizes == n
            shown[rows, :n] = np.argsort(order_of(votes.order[rows], n), axis=1)
        found: Array = shown[arm != NOWHERE]
        return found
