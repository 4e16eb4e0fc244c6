"""How many votes each prompt of a campaign will have at the end: what early looks hang on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalplatform.annotation.arm_columns import ArmColumns
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.core.integer_columns import Array, IntegerColumn, read_columns

_SETS = (
    IntegerColumn("image_set", "s.id", "int8"),
    IntegerColumn("prompt", "s.prompt_id", "int8"),
)


@dataclass(frozen=True)
class PlannedVotes:
    """The sets that one criterion asks about, and the prompt of each, by their ids; k votes each.

    A prompt has a set for each of its images, and of two arms those on which they are dealt.
    """

    image_set: Array
    prompt: Array
    k: int

    def on(self, prompts: Array) -> Array:
        """Return how many votes each of these prompts will have on all its sets."""
        return self._counted(self.prompt, prompts)

    def of_two(self, arms: ArmColumns, first: int, second: int, prompts: Array) -> Array:
        """Return how many each of these prompts will have on sets with both arms, by place."""
        return self._counted(self.prompt[arms.show(self.image_set, first, second)], prompts)

    def of_arm(self, arms: ArmColumns, arm: int, prompts: Array) -> Array:
        """Return how many each of these prompts will have on sets with an arm, by its place."""
        return self.of_two(arms, arm, arm, prompts)

    def _counted(self, planned: Array, prompts: Array) -> Array:
        planned = np.sort(planned)
        sides = (np.searchsorted(planned, prompts, side) for side in ("left", "right"))
        before, after = sides
        return self.k * (after - before)


def planned_votes(campaign: Campaign, criterion: Criterion) -> PlannedVotes | None:
    """Return what is planned; None where two arms meet on a prompt in one set, with k votes."""
    if campaign.images_per_prompt == 1 and not campaign.chosen.exists():
        return None
    sets = read_columns(
        _SETS,
        "FROM campaigns_item i JOIN campaigns_imageset s ON s.id = i.image_set_id"
        f" WHERE i.criterion_id = {int(criterion.pk)} AND s.purpose = 'main'",
    )
    return PlannedVotes(sets["image_set"], sets["prompt"], criterion.k)
