"""Who could join an open campaign, what it would take, and how far its images are.

All of it is read; `services` writes.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from evalplatform.accounts.projects import usable_in
from evalplatform.campaigns.models import Campaign, Picture
from evalplatform.campaigns.selectors import (
    collections_of_no_series,
    images_of_prompts,
    joining_plan,
    planned_keys,
    planned_prompts,
)
from evalplatform.campaigns.services import refuse_any_newcomer, why_not_joining
from evalplatform.campaigns.services.arms import new_arm
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.generation.awaiting import AwaitedSamples, awaited_samples
from evalplatform.generation.selectors import live_workers
from evalplatform.images.models import ImageCollection
from evalplatform.runs.dry_run import criterion_estimate, sample_estimate
from evalplatform.runs.estimates import RunEstimate, SampleEstimate
from evalplatform.runs.services import arm_named, newcomers_pictures, newcomers_samples
from evalplatform.safety.models import SafetyCheck
from evalplatform.safety.selectors import SafetyProgress, safety_progress

Maker = Checkpoint | ImageCollection


@dataclass(frozen=True)
class Candidate:
    """What a project could let join: `name` as `arm_named` takes it, `hindrance` "" if it can."""

    name: str
    label: str
    hindrance: str


def hindrance_of_all(campaign: Campaign) -> str:
    """Return why no arm at all can join, or ""."""
    try:
        refuse_any_newcomer(campaign)
    except BadInputError as error:
        return str(error)
    return ""


def candidates(campaign: Campaign) -> list[Candidate]:
    """Return what the campaign's project may use and is no arm yet: checkpoints first, by name."""
    makers: list[Maker] = [
        *usable_in(campaign.project, Checkpoint.objects.order_by("name")),
        *collections_of_no_series(
            usable_in(campaign.project, ImageCollection.objects.order_by("name"))
        ),
    ]
    there = [arm.maker for arm in campaign.contenders]
    return [_candidate(campaign, each) for each in makers if each not in there]


def _candidate(campaign: Campaign, maker: Maker) -> Candidate:
    hindrance = why_not_joining(campaign, maker)
    if isinstance(maker, Checkpoint):
        hindrance = hindrance or _why_not_named(maker.name, campaign)
        return Candidate(maker.name, f"{maker.name} · {maker.get_role_display()}", hindrance)
    return Candidate(f"images:{maker.name}", f"{maker.name} · images", hindrance)


def _why_not_named(name: str, campaign: Campaign) -> str:
    """Return why a name cannot be asked for: a collection has it too."""
    try:
        arm_named(name, campaign.project)
    except BadInputError as error:
        return str(error)
    return ""


def joining_estimate(campaign: Campaign, maker: Maker, now: datetime) -> RunEstimate:
    """Return what an arm that joins asks, makes, takes and costs; nothing is stored.

    Sets that the safety filter will leave out are counted. Raises `BadInputError` where the design
    lets none join.
    """
    places = sum(images_of_prompts(campaign, planned_keys(campaign)))
    plan = joining_plan(campaign, new_arm(campaign, len(campaign.contenders), maker), places)
    sizes = Counter(len(one) for sets in plan.walks(places) for here in sets for one in here)
    criteria = tuple(
        criterion_estimate(
            each, sum(count for size, count in sizes.items() if each.shape.takes(size))
        )
        for each in campaign.criteria.all()
    )
    votes = sum(each.votes for each in criteria)
    seconds = sum(each.votes * each.seconds for each in criteria) / votes if votes else None
    quality, pay = campaign.checked_rules.quality, campaign.checked_rules.pay
    samples: tuple[SampleEstimate, ...] = ()
    if isinstance(maker, Checkpoint):
        samples = (sample_estimate(campaign, planned_prompts(campaign), maker),)
    return RunEstimate(
        comparisons=sizes.total(),
        criteria=criteria,
        samples=samples,
        workers=len(live_workers(now)),
        answers=round(votes * (1 + quality.gold_rate + quality.repeat_rate)),
        unit=pay.unit(seconds),
        currency=pay.currency if pay.is_set else "",
        fee_percent=pay.fee_percent,
    )


@dataclass(frozen=True)
class NewcomerProgress(AwaitedSamples):
    """How far the images of an arm are that is to join.

    Of a collection, whose images are there, no samples are awaited.

    Attributes:
        ready_at: when the last of its images was made or checked, once all are there.
        checks: the safety check, once every sample is there; None where none is asked for.
    """

    ready_at: datetime | None = None
    checks: SafetyProgress | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it can join."""
        return self.is_made and (self.checks is None or self.checks.is_complete)

    @property
    def fault(self) -> str:
        """Why it is not ready by waiting alone; "" where it is, or will be."""
        return super().fault or (next(iter(self.checks.failures), "") if self.checks else "")

    @property
    def in_words(self) -> str:
        """How far it is, and what keeps it, in a line."""
        if self.checks is None:
            return super().in_words
        return f"{self.checks.checked:,} of {self.checks.total:,} images are checked for safety."


def newcomers_progress(campaign: Campaign, maker: Maker, now: datetime) -> NewcomerProgress:
    """Return how far the images are, and their safety check once all are there."""
    samples = AwaitedSamples(0, 0)
    if isinstance(maker, Checkpoint):
        made = sample_estimate(campaign, planned_prompts(campaign), maker)
        samples = awaited_samples(
            name=campaign.slug, checkpoint=maker, ready=made.wanted - made.missing,
            total=made.wanted, now=now,
        )  # fmt: skip
    if not samples.is_made:
        return NewcomerProgress(**vars(samples))
    times: list[datetime | None] = []
    if isinstance(maker, Checkpoint):
        last = newcomers_samples(campaign, maker).aggregate(last=Max("generated_at"))["last"]
        times.append(last)
    rules = campaign.checked_rules.safety
    checks = None
    if rules.threshold is not None:
        pictures = newcomers_pictures(campaign, maker)
        checks = safety_progress(rules.detector, pictures)
        times.append(_last_checked(rules.detector, pictures))
    ready_at = max((each for each in times if each), default=None)
    return NewcomerProgress(**vars(samples), ready_at=ready_at, checks=checks)


def _last_checked(detector: str, pictures: list[Picture]) -> datetime | None:
    """Return when the last check of some images was stored, by any version of a detector."""
    hashes = {each.image_sha256 for each in pictures}
    rows = SafetyCheck.objects.filter(detector__name=detector, image_sha256__in=hashes)
    last: datetime | None = rows.aggregate(last=Max("checked_at"))["last"]
    return last
