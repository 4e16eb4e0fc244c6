"""Reading campaigns: which prompts, which images, which sets of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Count, Exists, OuterRef, QuerySet

from evalplatform.accounts.projects import Asking, visible_to
from evalplatform.campaigns.designs import Design, Places
from evalplatform.campaigns.models import Arm, Campaign, Picture
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import Sample
from evalplatform.images.models import ImageCollection
from evalplatform.images.selectors import images_for
from evalplatform.promptsets.models import Prompt, PromptSet


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
            f"no campaign {slug!r}; known: {known}. Create one with `manage.py run_eval`."
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
    chosen: list[Prompt] = []
    images = campaign.chosen.all()
    asks_some = images.exists()
    for prompt_set in campaign.prompt_sets.order_by("name", "version"):
        rows = prompt_set.prompts.order_by("position")
        if asks_some:
            rows = rows.filter(pk__in=images.values("image__prompt"))
        if campaign.filtered_prompts is not None:
            rows = rows.filter(pk__in=campaign.filtered_prompts)
        prompts = list(rows)
        size = campaign.prompts_per_set
        if size is not None and size < len(prompts):
            # Seeded by content, so that the subset is the same on every installation.
            content = hashlib.sha256(f"{campaign.seed}\n{prompt_set.sha256}".encode()).digest()
            rng = np.random.default_rng(int.from_bytes(content[:8], "big"))
            prompts = [prompts[i] for i in sorted(rng.permutation(len(prompts))[:size])]
        chosen.extend(prompts)
    return chosen


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
    chosen = campaign.chosen.values_list("image__prompt").annotate(count=Count("pk"))
    counts = dict(chosen.order_by())
    return [
        (prompt, n)
        for prompt in prompts
        for n in range(counts.get(prompt.pk, campaign.images_per_prompt))
    ]


def planned_sets(campaign: Campaign, prompts: Sequence[Prompt]) -> list[PlannedSet]:
    """Return which arms meet on which prompts, by design; single images where a form asks so."""
    places = image_places(campaign, prompts)
    names = [arm.name for arm in campaign.contenders]
    sizes = [criterion.shape.most for criterion in campaign.criteria.all()]
    found: list[PlannedSet] = []
    if any(size > 1 for size in sizes):
        rng = np.random.default_rng([campaign.seed, 3])  # not the streams of order and sides
        plan = Design.parse(campaign.design).plan(names, len(places), rng)
        found += [
            PlannedSet(prompt, number, each)
            for (prompt, number), sets in zip(places, plan, strict=True)
            for each in sets
        ]
    if 1 in sizes:
        found += [
            PlannedSet(prompt, number, (place,))
            for prompt, number in places
            for place in range(len(names))
        ]
    return found


def joining_sets(campaign: Campaign, newcomer: Arm, prompts: Sequence[Prompt]) -> list[PlannedSet]:
    """Return the sets in which a newcomer, the last of the contenders, meets the others.

    Raises `BadInputError` where the design lets none join.
    """
    places = [(prompt, n) for prompt in prompts for n in range(campaign.images_per_prompt)]
    sizes = [criterion.shape.most for criterion in campaign.criteria.all()]
    design = Design.parse(campaign.design)
    found: list[PlannedSet] = []
    if any(size > 1 for size in sizes):
        names = [arm.name for arm in campaign.contenders]
        rng = np.random.default_rng([campaign.seed, 3, newcomer.place])
        plan = design.joining(names, len(places), rng)
        found += [
            PlannedSet(prompt, number, each)
            for (prompt, number), sets in zip(places, plan, strict=True)
            for each in sets
        ]
    if 1 in sizes:
        found += [PlannedSet(prompt, number, (newcomer.place,)) for prompt, number in places]
    return found


def ready_pictures(
    campaign: Campaign, prompts: Sequence[Prompt]
) -> dict[tuple[int, int, int], Picture]:
    """Return the campaign's images that are there, by (arm's place, prompt, number)."""
    found: dict[tuple[int, int, int], Picture] = dict(ready_samples(campaign, prompts))
    chosen = set(campaign.chosen.values_list("image", flat=True))
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
    ready = Sample.objects.filter(
        settings=campaign.sampler_settings,
        prompt__in=prompts,
        checkpoint__in=places,
        status=Sample.Status.READY,
    )
    by_key = {prompt.pk: prompt for prompt in prompts}
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
    return _with_samples(campaign, prompts, planned_sets(campaign, prompts))[0]


def whole_sets(campaign: Campaign) -> list[ReadySet]:
    """Return every planned set. Raises `BadInputError` while an image is missing."""
    prompts = planned_prompts(campaign)
    sets, missing = _with_samples(campaign, prompts, planned_sets(campaign, prompts))
    if missing or not sets:
        raise BadInputError(
            f"campaign {campaign.slug!r}: {missing:,} of its images are not made yet; "
            f"`manage.py run_eval --resume {campaign.slug}` finishes generation."
        )
    return sets


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


def newcomers_sets(campaign: Campaign, newcomer: Arm) -> list[ReadySet]:
    """Return the sets in which a newcomer meets the others.

    Raises `BadInputError` while one of its images is missing, or where the design lets none join.
    """
    prompts = planned_prompts(campaign)
    sets, missing = _with_samples(campaign, prompts, joining_sets(campaign, newcomer, prompts))
    if missing:
        raise BadInputError(
            f"{newcomer.name!r} cannot join {campaign.slug!r}: {missing:,} of its "
            f"{len(prompts) * campaign.images_per_prompt:,} images are not made; `manage.py "
            f"add_arm {campaign.slug} {newcomer.name}` has them made first."
        )
    return sets


def _with_samples(
    campaign: Campaign, prompts: list[Prompt], sets: Sequence[PlannedSet]
) -> tuple[list[ReadySet], int]:
    pictures = ready_pictures(campaign, prompts)
    arms = campaign.contenders
    wanted = len(arms) * len(image_places(campaign, prompts))
    texts = dict(campaign.chosen.exclude(text="").values_list("image", "text"))
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
    return ready, wanted - len(pictures)


def all_pictures(sets: Sequence[ReadySet]) -> list[Picture]:
    """Return the images of these sets, each once."""
    found = {(type(each), each.pk): each for ready in sets for each in ready.pictures}
    return list(found.values())


def shown_sets(campaign: Campaign) -> list[ReadySet]:
    """Return the sets that a campaign that has opened shows, once each, in their order."""
    sets = campaign.image_sets.main().select_related("prompt")
    found = []
    for each in sets.prefetch_related(
        "images__arm__checkpoint",
        "images__arm__collection",
        "images__sample",
        "images__collected",
    ).order_by("position"):
        images = list(each.images.all())
        assert each.prompt  # image_set_is_gold_or_not
        found.append(
            ReadySet(
                each.prompt, 0,
                tuple(image.arm for image in images if image.arm),
                tuple(image.picture for image in images if image.picture),
            )
        )  # fmt: skip
    return found
