"""Reading campaigns: which prompts, which images, which sets of them."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from django.db.models import Count, Exists, OuterRef, QuerySet

from evalplatform.accounts.projects import Asking, visible_to
from evalplatform.campaigns.designs import Design, Places
from evalplatform.campaigns.models import Arm, Campaign, ChosenImage, Picture
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import Sample
from evalplatform.images.models import ImageCollection
from evalplatform.images.selectors import images_for
from evalplatform.promptsets.models import Prompt, PromptSet

T = TypeVar("T")
_SHOWN_AT_A_TIME = 1_000  # sets
_ASKED_BY_KEY = 10_000  # prompts; a statement holds 65,535 values at most


@dataclass(frozen=True)
class PlannedSet:
    """Arms that meet on one prompt. `number` counts the images of an arm and prompt, from 0."""

    prompt: Prompt
    number: int
    places: Places


@dataclass(frozen=True)
class ReadySet:
    """A planned set whose images are all there; `pictures` by place in the set.

    `text` is shown in place of the prompt's, where there is one.
    """

    prompt: Prompt
    number: int
    arms: tuple[Arm, ...]
    pictures: tuple[Picture, ...]
    text: str = ""


def campaign_named(slug: str) -> Campaign:
    """Return the campaign of this slug. Raises `BadInputError` listing the known ones."""
    campaign = Campaign.objects.filter(slug=slug).first()
    if campaign is None:
        known = ", ".join(Campaign.objects.values_list("slug", flat=True)[:20]) or "none yet"
        raise BadInputError(
            f"no campaign {slug!r}; known: {known}. Create one first.",
            by_command="`manage.py run_eval` does it.",
        )
    return campaign


def of_no_series(campaigns: QuerySet[Campaign]) -> QuerySet[Campaign]:
    """Leave out campaigns of a series: there may be thousands, and its own page lists them."""
    return campaigns.filter(leads_on="")


def collections_of_no_series(collections: QuerySet[ImageCollection]) -> QuerySet[ImageCollection]:
    """Leave out collections that were made for campaigns of a series."""
    made = Arm.objects.filter(collection=OuterRef("pk")).exclude(campaign__leads_on="")
    return collections.exclude(Exists(made))


def sets_of_no_series(sets: QuerySet[PromptSet]) -> QuerySet[PromptSet]:
    """Leave out the prompt sets that a series made for its campaigns."""
    in_series = Campaign.objects.exclude(leads_on="").filter(prompt_sets=OuterRef("pk"))
    return sets.exclude(Exists(in_series))


def campaigns_running_on(checkpoint: Checkpoint, user: Asking | None = None) -> list[Campaign]:
    """Return the campaigns that take this checkpoint and are not closed, by name.

    Of those that exist for `user`; None is a command, for which all do.
    """
    taking = Campaign.objects.filter(arms__checkpoint=checkpoint)
    if user is not None:
        taking = visible_to(user, taking)
    return list(taking.exclude(status=Campaign.Status.CLOSED).order_by("slug"))


def planned_prompts(campaign: Campaign) -> list[Prompt]:
    """Return the prompts a campaign uses: what its filter left, or a seeded random subset of it.

    The subset is of so many prompts of each set. A campaign that asks about chosen images uses
    their prompts.
    """
    rows = _prompts_by_set(campaign)
    return [prompt for of, prompts in rows for prompt in _subset(campaign, of, list(prompts))]


def planned_keys(campaign: Campaign) -> list[int]:
    """Return the primary keys of `planned_prompts`, in their order: a small part of the memory."""
    rows = [(of, rows.values_list("pk", flat=True)) for of, rows in _prompts_by_set(campaign)]
    return [key for of, keys in rows for key in _subset(campaign, of, list(keys))]


def _prompts_by_set(campaign: Campaign) -> Iterator[tuple[PromptSet, QuerySet[Prompt]]]:
    """Yield each prompt set and what the filter, or the choice of images, left of it."""
    images = campaign.chosen.all()
    asks_some = images.exists()
    for prompt_set in campaign.prompt_sets.order_by("name", "version"):
        rows = prompt_set.prompts.order_by("position")
        if asks_some:
            rows = rows.filter(pk__in=images.values("image__prompt"))
        if campaign.filtered_prompts is not None:
            rows = rows.filter(pk__in=campaign.filtered_prompts)
        yield prompt_set, rows


def _subset(campaign: Campaign, prompt_set: PromptSet, rows: list[T]) -> list[T]:
    """Return as many rows of a set as the campaign takes, in their order."""
    size = campaign.prompts_per_set
    if size is None or size >= len(rows):
        return rows
    # Seeded by content, so that the subset is the same on every installation.
    content = hashlib.sha256(f"{campaign.seed}\n{prompt_set.sha256}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(content[:8], "big"))
    return [rows[i] for i in sorted(rng.permutation(len(rows))[:size])]


def sample_seed(campaign_seed: int, prompt: Prompt, number: int = 0) -> int:
    """Return the seed (32 bits) of a prompt's samples, the same for every arm.

    It depends on the prompt's text, not its row, so another installation starts from the same
    noise. `number` tells several images of one prompt apart.
    """
    key = f"{campaign_seed}\n{prompt.text}" + (f"\n{number}" if number else "")
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")


def wanted_seeds(campaign: Campaign, prompts: Sequence[Prompt]) -> list[tuple[Prompt, int]]:
    """Return (prompt, seed) of every image that each arm needs."""
    return [
        (prompt, sample_seed(campaign.seed, prompt, number))
        for prompt in prompts
        for number in range(campaign.images_per_prompt)
    ]


def image_places(campaign: Campaign, prompts: Sequence[Prompt]) -> list[tuple[Prompt, int]]:
    """Return (prompt, number) of every image that each arm shows."""
    counts = images_of_prompts(campaign, [prompt.pk for prompt in prompts])
    return [
        (prompt, n) for prompt, count in zip(prompts, counts, strict=True) for n in range(count)
    ]


def images_of_prompts(campaign: Campaign, keys: Sequence[int]) -> list[int]:
    """Return how many images of each of these prompts every arm shows."""
    chosen = _chosen_of(campaign, keys).values_list("image__prompt").annotate(count=Count("pk"))
    counts = dict(chosen.order_by())
    return [counts.get(key, campaign.images_per_prompt) for key in keys]


@dataclass(frozen=True)
class SetPlan:
    """Which sets a design makes of so many prompts' images, counted (prompt by prompt, number).

    Attributes:
        meeting: of each image's place, which arms meet; empty where no criterion asks of several.
        alone: arms whose single images make sets of their own, after all that meet.
    """

    meeting: Sequence[Sequence[Places]]
    alone: tuple[int, ...]

    def walks(self, places: int) -> Iterator[Sequence[Sequence[Places]]]:
        """Yield the sets of each place: of those that meet, then of single images."""
        if self.meeting:
            yield self.meeting
        if self.alone:
            yield [[(arm,) for arm in self.alone]] * places


def set_plan(campaign: Campaign, places: int) -> SetPlan:
    """Return which arms meet by design; single images where a form asks so."""
    names = [arm.name for arm in campaign.contenders]
    sizes = [criterion.shape.most for criterion in campaign.criteria.all()]
    meeting: Sequence[Sequence[Places]] = []
    if any(size > 1 for size in sizes):
        rng = np.random.default_rng([campaign.seed, 3])  # not the streams of order and sides
        meeting = Design.parse(campaign.design).plan(names, places, rng)
    return SetPlan(meeting, tuple(range(len(names))) if 1 in sizes else ())


def joining_plan(campaign: Campaign, newcomer: Arm, places: int) -> SetPlan:
    """Return the sets in which a newcomer, the last of the contenders, meets the others.

    It may be one that is not stored. Raises `BadInputError` where the design lets none join.
    """
    sizes = [criterion.shape.most for criterion in campaign.criteria.all()]
    design = Design.parse(campaign.design)
    meeting: Sequence[Sequence[Places]] = []
    if any(size > 1 for size in sizes):
        names = [arm.name for arm in campaign.contenders[: newcomer.place]] + [newcomer.name]
        rng = np.random.default_rng([campaign.seed, 3, newcomer.place])
        meeting = design.joining(names, places, rng)
    return SetPlan(meeting, (newcomer.place,) if 1 in sizes else ())


def _chosen_of(campaign: Campaign, prompts: Sequence[int]) -> QuerySet[ChosenImage]:
    """Return the chosen images of these planned prompts; where they are many, of all."""
    if not any(arm.collection_id for arm in campaign.contenders):
        return ChosenImage.objects.none()  # images of a collection alone are chosen
    if len(prompts) > _ASKED_BY_KEY:
        return campaign.chosen.all()
    return campaign.chosen.filter(image__prompt__in=prompts)


def planned_sets(campaign: Campaign, prompts: Sequence[Prompt]) -> list[PlannedSet]:
    """Return which arms meet on which prompts, by design; single images where a form asks so."""
    places = image_places(campaign, prompts)
    walks = set_plan(campaign, len(places)).walks(len(places))
    return [each for sets in walks for each in sets_at(places, sets)]


def sets_at(
    places: Sequence[tuple[Prompt, int]], sets: Sequence[Sequence[Places]]
) -> Iterator[PlannedSet]:
    """Yield the planned sets of these (prompt, number), of which `sets` says who meets."""
    for (prompt, number), here in zip(places, sets, strict=True):
        for each in here:
            yield PlannedSet(prompt, number, each)


def ready_pictures(
    campaign: Campaign, prompts: Sequence[Prompt]
) -> dict[tuple[int, int, int], Picture]:
    """Return the campaign's images that are there, by (arm's place, prompt, number)."""
    found: dict[tuple[int, int, int], Picture] = dict(ready_samples(campaign, prompts))
    keys = [prompt.pk for prompt in prompts]
    chosen = set(_chosen_of(campaign, keys).values_list("image", flat=True))
    for arm in campaign.contenders:
        if arm.collection:
            for prompt, images in images_for(arm.collection, prompts).items():
                asked = [each for each in images if each.pk in chosen] if chosen else images
                most = len(asked) if chosen else campaign.images_per_prompt
                for number, image in enumerate(asked[:most]):
                    found[arm.place, prompt, number] = image
    return found


def ready_samples(
    campaign: Campaign, prompts: Sequence[Prompt]
) -> dict[tuple[int, int, int], Sample]:
    """Return the campaign's samples that are made, by (arm's place, prompt, number)."""
    numbers = {
        (prompt.pk, sample_seed(campaign.seed, prompt, number)): number
        for prompt in prompts
        for number in range(campaign.images_per_prompt)
    }
    places = {arm.checkpoint_id: arm.place for arm in campaign.contenders if arm.checkpoint_id}
    by_key = {prompt.pk: prompt for prompt in prompts}
    ready = Sample.objects.filter(
        settings=campaign.sampler_settings,
        prompt__in=by_key,  # keys: of models each is looked into anew
        checkpoint__in=places,
        status=Sample.Status.READY,
    )
    found: dict[tuple[int, int, int], Sample] = {}
    for row in ready.iterator(chunk_size=5000):
        number = numbers.get((row.prompt_id, row.seed))
        if number is not None:
            row.prompt = by_key[row.prompt_id]  # at hand: read no second time
            found[places[row.checkpoint_id], row.prompt_id, number] = row
    return found


def ready_sets(campaign: Campaign) -> list[ReadySet]:
    """Return the planned sets of which every image is made, in the order of the prompts."""
    prompts = planned_prompts(campaign)
    return with_samples(campaign, prompts, planned_sets(campaign, prompts))[0]


def whole_sets(campaign: Campaign) -> list[ReadySet]:
    """Return every planned set. Raises `BadInputError` while an image is missing."""
    prompts = planned_prompts(campaign)
    sets, missing = with_samples(campaign, prompts, planned_sets(campaign, prompts))
    if missing or not sets:
        raise images_missing(campaign, missing)
    return sets


def images_missing(campaign: Campaign, missing: int) -> BadInputError:
    """Return the error that so many images are not made yet."""
    return BadInputError(
        f"campaign {campaign.slug!r}: {missing:,} of its images are not made yet; finish their "
        "generation first.",
        by_command=f"`manage.py run_eval --resume {campaign.slug}` does it.",
    )


def whole_prompts(campaign: Campaign) -> list[ReadySet]:
    """Return each prompt's images of every arm, whether they meet or not, where all are made."""
    prompts, arms = planned_prompts(campaign), campaign.contenders
    pictures = ready_pictures(campaign, prompts)
    found = []
    for prompt, number in image_places(campaign, prompts):
        keys = [(arm.place, prompt.pk, number) for arm in arms]
        if all(key in pictures for key in keys):
            found.append(
                ReadySet(prompt, number, tuple(arms), tuple(pictures[key] for key in keys))
            )
    return found


def with_samples(
    campaign: Campaign, prompts: Sequence[Prompt], sets: Iterable[PlannedSet]
) -> tuple[list[ReadySet], int]:
    """Return those of some prompts' sets whose images are all there, and how many images lack."""
    pictures = ready_pictures(campaign, prompts)
    wanted = len(campaign.contenders) * len(image_places(campaign, prompts))
    return sets_of_pictures(campaign, prompts, sets, pictures), wanted - len(pictures)


def sets_of_pictures(
    campaign: Campaign,
    prompts: Sequence[Prompt],
    sets: Iterable[PlannedSet],
    pictures: Mapping[tuple[int, int, int], Picture],
) -> list[ReadySet]:
    """Return those of some prompts' sets whose images are all among `pictures`."""
    arms = campaign.contenders
    chosen = _chosen_of(campaign, [prompt.pk for prompt in prompts])
    texts = dict(chosen.exclude(text="").values_list("image", "text"))
    ready = []
    for planned in sets:
        keys = [(place, planned.prompt.pk, planned.number) for place in planned.places]
        if all(key in pictures for key in keys):
            shown = tuple(pictures[key] for key in keys)
            ready.append(
                ReadySet(
                    planned.prompt,
                    planned.number,
                    tuple(arms[place] for place in planned.places),
                    shown,
                    texts.get(shown[0].pk, "") if texts else "",
                )
            )
    return ready


def all_pictures(sets: Sequence[ReadySet]) -> list[Picture]:
    """Return the images of these sets, each once."""
    found = {(type(each), each.pk): each for ready in sets for each in ready.pictures}
    return list(found.values())


def shown_sets(campaign: Campaign) -> Iterator[ReadySet]:
    """Yield the sets that a campaign that has opened shows, once each, in their order."""
    sets = campaign.image_sets.main().select_related("prompt").order_by("position")
    images = ("images__arm", "images__sample", "images__collected")
    for each in sets.prefetch_related(*images).iterator(chunk_size=_SHOWN_AT_A_TIME):
        shown = list(each.images.all())
        assert each.prompt  # image_set_is_gold_or_not
        yield ReadySet(
            each.prompt, 0,
            tuple(image.arm for image in shown if image.arm),
            tuple(image.picture for image in shown if image.picture),
        )  # fmt: skip
