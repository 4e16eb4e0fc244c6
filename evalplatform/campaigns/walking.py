"""All sets of a campaign, some prompts at a time: who opens 100,000 items holds few at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain

from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.campaigns.selectors import (
    ReadySet,
    SetPlan,
    images_missing,
    images_of_prompts,
    joining_plan,
    planned_keys,
    set_plan,
    sets_at,
    wanted_seeds,
    with_samples,
)
from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.models import Prompt

_PROMPTS_AT_A_TIME = 500


@dataclass(frozen=True)
class SetBatch:
    """Sets in a row, and how many of their images are missing."""

    sets: list[ReadySet]
    missing: int


class SetWalk:
    """The planned sets of a campaign, in their order; every walk reads them anew."""

    def __init__(
        self,
        campaign: Campaign,
        plan: Callable[[int], SetPlan],
        refusal: Callable[[int], BadInputError],
    ) -> None:
        self._campaign = campaign
        self._keys = planned_keys(campaign)
        counts = images_of_prompts(campaign, self._keys)
        self._begins = [0, *accumulate(counts)]  # of each prompt, among all places of images
        self._plan = plan(self._begins[-1])
        self.refusal = refusal  # where so many images are missing

    def __iter__(self) -> Iterator[SetBatch]:
        """Yield the sets by the batch; each missing image is counted once."""
        for walk, by_place in enumerate(self._plan.walks(self._begins[-1])):
            for start in range(0, len(self._keys), _PROMPTS_AT_A_TIME):
                end = min(start + _PROMPTS_AT_A_TIME, len(self._keys))
                prompts = prompts_of(self._keys[start:end])
                places = [
                    (prompt, number)
                    for at, prompt in enumerate(prompts, start)
                    for number in range(self._begins[at + 1] - self._begins[at])
                ]
                here = by_place[self._begins[start] : self._begins[end]]
                sets, missing = with_samples(self._campaign, prompts, sets_at(places, here))
                yield SetBatch(sets, 0 if walk else missing)


def prompts_of(keys: list[int]) -> list[Prompt]:
    """Return the prompts of these primary keys, in their order."""
    found = Prompt.objects.in_bulk(keys)
    return [found[key] for key in keys]


def prompt_batches(keys: list[int]) -> Iterator[list[Prompt]]:
    """Yield the prompts of these primary keys by the batch, in their order."""
    for start in range(0, len(keys), _PROMPTS_AT_A_TIME):
        yield prompts_of(keys[start : start + _PROMPTS_AT_A_TIME])


def wanted_parts(campaign: Campaign) -> Iterator[list[tuple[Prompt, int]]]:
    """Yield (prompt, seed) of every image that each arm needs, by the batch of prompts."""
    for prompts in prompt_batches(planned_keys(campaign)):
        yield wanted_seeds(campaign, prompts)


def walk_prompts(keys: list[int]) -> Iterator[Prompt]:
    """Yield the prompts of these primary keys, in their order."""
    return chain.from_iterable(prompt_batches(keys))


def walk_sets(campaign: Campaign) -> SetWalk:
    """Return every planned set."""
    return SetWalk(
        campaign,
        lambda places: set_plan(campaign, places),
        lambda missing: images_missing(campaign, missing),
    )


def walk_newcomers_sets(campaign: Campaign, newcomer: Arm) -> SetWalk:
    """Return the sets in which a newcomer meets the others.

    Raises `BadInputError` where the design lets none join.
    """
    wanted = len(planned_keys(campaign)) * campaign.images_per_prompt
    return SetWalk(
        campaign,
        lambda places: joining_plan(campaign, newcomer, places),
        lambda missing: BadInputError(
            f"{newcomer.name!r} cannot join {campaign.slug!r}: {missing:,} of its {wanted:,} "
            "images are not made; have them made first.",
            by_command=f"`manage.py add_arm {campaign.slug} {newcomer.name}` does it.",
        ),
    )
