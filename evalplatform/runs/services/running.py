"""From checkpoints to an open campaign: started, advanced as far as workers are, opened.

Every step is a row in the database, so a run that was interrupted is advanced again by whoever
asks: the command `run_eval`, a page, another program.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import usable_in
from evalplatform.annotation.services import join_arm, open_campaign
from evalplatform.campaigns.holding import why_held
from evalplatform.campaigns.models import Arm, Campaign, ImageSet, Picture
from evalplatform.campaigns.selectors import (
    all_pictures,
    planned_prompts,
    ready_sets,
    wanted_seeds,
)
from evalplatform.campaigns.services import (
    allow,
    check_newcomer,
    create_campaign,
    plan_opening,
    start_generation,
)
from evalplatform.campaigns.walking import wanted_parts
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.selectors import usable_checkpoints
from evalplatform.core.errors import BadInputError
from evalplatform.core.telling import tell_nobody
from evalplatform.generation.models import Sample
from evalplatform.generation.sample_keys import SampleKeys, rows_of
from evalplatform.generation.services import (
    enqueue_samples,
    open_request,
    plan_keys,
    plan_samples,
)
from evalplatform.images.models import ImageCollection
from evalplatform.images.selectors import collection_named, images_for, usable_collections
from evalplatform.promptsets.selectors import prompt_set_named
from evalplatform.quality.services import criteria_with_gold, import_gold, make_gold
from evalplatform.runs.checking import look_at_checks
from evalplatform.runs.generation import look_at_samples, note_on, tend
from evalplatform.runs.run_plans import RunPlan
from evalplatform.runs.states import RunProgress, RunState
from evalplatform.safety.services import request_checks

CHECKS_PER_CRITERION = 20  # an annotator meets each gold once
Progress = Callable[[int, int], None]


def start_run(
    *, project: Project, plan: RunPlan, created_by: User | None = None
) -> tuple[Campaign, bool]:
    """Create the campaign and ask the workers for its samples; return it, and whether it is new.

    All or nothing. Asked the same again, it goes on with what is there. Raises `BadInputError` for
    unknown names, and as `create_campaign` does.
    """
    with transaction.atomic():
        campaign, is_new = _create(project, plan, created_by)
        plan_opening(
            campaign=campaign,
            gold_file=plan.gold_file,
            opens_when_ready=plan.opens_when_ready,
        )
        request_samples(
            campaign=campaign, priority=plan.priority, budget_seconds=plan.budget_seconds
        )
    return campaign, is_new


def _create(project: Project, plan: RunPlan, created_by: User | None) -> tuple[Campaign, bool]:
    return create_campaign(
        project=project,
        slug=plan.name,
        arms=[arm_named(name, project) for name in plan.arms],
        prompt_sets=[prompt_set_named(name, project) for name in dict.fromkeys(plan.prompt_sets)],
        criteria=plan.criteria,
        design=plan.design,
        rules=plan.rules,
        seed=plan.seed,
        prompt_filter=plan.prompt_filter,
        prompts_per_set=plan.prompts_per_set,
        images_per_prompt=plan.images_per_prompt,
        settings=plan.settings,
        created_by=created_by,
    )


@contextmanager
def rehearsed_run(*, project: Project, plan: RunPlan) -> Iterator[Campaign]:
    """Give the campaign that `start_run` would create; it is taken back at the end.

    So an estimate counts what will be there, and refuses what would be refused. Nothing is asked
    of the workers. Raises as `create_campaign` does.
    """
    with transaction.atomic():
        # A name of its own: one that is taken is another matter.
        rehearsal = replace(plan, name=f"rehearsal-{secrets.token_hex(8)}")
        campaign, _ = _create(project, rehearsal, None)
        try:
            yield campaign
        finally:
            transaction.set_rollback(True)


def resume_run(
    *,
    campaign: Campaign,
    opens_when_ready: bool | None = None,
    allowances: dict[str, float | None] | None = None,
    priority: int | None = None,
    budget_seconds: int | None = None,
) -> None:
    """Go on with a run as it was asked; what is given here is said anew, None leaves it.

    Raises `BadInputError` for shares that are frozen with the protocol.
    """
    with transaction.atomic():
        allow(campaign=campaign, **(allowances or {}))
        if opens_when_ready is not None:
            plan_opening(campaign=campaign, gold_file=None, opens_when_ready=opens_when_ready)
        request_samples(campaign=campaign, priority=priority, budget_seconds=budget_seconds)


def request_samples(
    *, campaign: Campaign, priority: int | None = None, budget_seconds: int | None = None
) -> SampleKeys:
    """Ask the workers for what is missing and return all samples; none once it has opened."""
    if campaign.is_frozen:
        return SampleKeys([])
    return start_generation(campaign=campaign, priority=priority, budget_seconds=budget_seconds)


def advance_run(*, campaign: Campaign, now: datetime) -> RunProgress:
    """Bring a run as far as it can go now and return where it stands; it never waits.

    Raises `GenerationStoppedError` or `SafetyCheckFailedError` where workers gave up, and
    `BadInputError` where gold cannot be made.
    """
    if campaign.status == Campaign.Status.CLOSED:
        return RunProgress(RunState.CLOSED)
    if campaign.is_frozen:
        return RunProgress(RunState.OPEN)
    samples = request_samples(campaign=campaign)
    made = look_at_samples(samples, campaign.slug, now)
    if not made.is_complete:
        tend(samples, campaign.slug)
        note = note_on(campaign.slug, now, patient=False)
        return RunProgress(RunState.GENERATING, made.ready, made.total, note)
    checked = look_at_checks(campaign, all_pictures(ready_sets(campaign)), now)
    if checked and not checked.is_complete:
        return RunProgress(RunState.CHECKING, checked.checked, checked.total)
    if reason := why_held(campaign, ready_sets(campaign)):
        return RunProgress(RunState.HELD, note=str(reason))
    prepare_gold(campaign=campaign)
    return RunProgress(RunState.READY)


def prepare_gold(*, campaign: Campaign) -> list[str]:
    """Take the gold of the campaign's file, and make what its rules need besides, and examples.

    Returns a line for each criterion of which no example could be made. Raises `BadInputError`
    where the rules need gold that cannot be made.
    """
    if campaign.gold_file:
        import_gold(campaign=campaign, path=Path(campaign.gold_file))
    quality = campaign.checked_rules.quality
    makers = max(1, len(criteria_with_gold(campaign)))
    needed: dict[str, int] = {
        ImageSet.Purpose.QUALIFICATION: -(-quality.qualification_gold // makers),
        ImageSet.Purpose.CHECK: CHECKS_PER_CRITERION if quality.gold_rate else 0,
    }
    if any(needed.values()):
        make_gold(campaign=campaign, counts=needed)
    lacking = []
    for criterion in campaign.criteria.all():
        try:
            make_gold(campaign=campaign, counts={ImageSet.Purpose.EXAMPLE: 1}, criteria=[criterion])
        except BadInputError as error:  # the page explains itself without one too
            lacking.append(f"no example for the welcome page: {error}")
    return lacking


def open_run(
    *,
    campaign: Campaign,
    on_packed: Progress = tell_nobody,
    on_images: Progress = tell_nobody,
    on_slots: Progress = tell_nobody,
) -> bool:
    """Open a run that is READY to annotators; False if it was open already.

    Progress is told as (done, total). Raises `BadInputError` as `open_campaign` does.
    """
    return open_campaign(
        campaign=campaign, on_packed=on_packed, on_images=on_images, on_progress=on_slots
    )


def arm_named(name: str, project: Project) -> Checkpoint | ImageCollection:
    """Return the checkpoint or image collection of this name that a project may use.

    `images:NAME` is always a collection. Raises `BadInputError` listing the usable ones for
    neither, or where both are.
    """
    _, prefix, bare = name.rpartition("images:")
    if prefix:
        return collection_named(bare, project)
    collection = usable_in(project, ImageCollection.objects.filter(name=name)).first()
    checkpoint = usable_in(project, Checkpoint.objects.filter(name=name)).first()
    if checkpoint and collection:
        raise BadInputError(
            f"{name!r} names a checkpoint and an image collection; write images:{name} for the "
            "collection, or rename one."
        )
    found = checkpoint or collection
    if found is None:
        usable = [*usable_checkpoints(project), *usable_collections(project)]
        raise BadInputError(
            f"no checkpoint or image collection {name!r}; usable: "
            f"{', '.join(usable) or 'none yet'}. Register or import it first.",
            by_command="`manage.py register_checkpoint DIRECTORY` or `manage.py import_images` "
            "does it.",
        )
    return found


def request_newcomer(*, campaign: Campaign, maker: Checkpoint | ImageCollection) -> SampleKeys:
    """Ask the workers for the samples of a checkpoint that is to join an open campaign.

    Returns them all; none of a collection. Raises `BadInputError` where it could not join, before
    anything is asked.
    """
    with transaction.atomic():
        check_newcomer(campaign, maker)
        if isinstance(maker, ImageCollection):
            return SampleKeys([])
        samples = plan_keys(
            checkpoint=maker,
            settings=campaign.sampler_settings,
            parts=wanted_parts(campaign),
        )
        enqueue_samples(
            samples=samples, request=open_request(project=campaign.project, name=campaign.slug)
        )
    return samples


def newcomers_pictures(campaign: Campaign, maker: Checkpoint | ImageCollection) -> list[Picture]:
    """Return the images with which a newcomer would join, as far as they are there."""
    prompts = planned_prompts(campaign)
    if isinstance(maker, ImageCollection):
        found = images_for(maker, prompts)
        return [each for images in found.values() for each in images[: campaign.images_per_prompt]]
    wanted = wanted_seeds(campaign, prompts)
    samples = plan_samples(checkpoint=maker, settings=campaign.sampler_settings, wanted=wanted)
    return [each for each in samples if each.status == Sample.Status.READY]


def newcomers_samples(campaign: Campaign, checkpoint: Checkpoint) -> QuerySet[Sample]:
    """Return the samples of `newcomers_pictures`, not loaded: they are held by their keys."""
    keys = plan_keys(
        checkpoint=checkpoint, settings=campaign.sampler_settings, parts=wanted_parts(campaign)
    )
    return rows_of(keys).filter(status=Sample.Status.READY)


def ask_newcomers_checks(
    *, campaign: Campaign, maker: Checkpoint | ImageCollection, now: datetime
) -> None:
    """Have a newcomer's images that are there checked for safety, where the rules ask for it.

    What failed before is tried again.
    """
    rules = campaign.checked_rules.safety
    if rules.threshold is not None:
        pictures = newcomers_pictures(campaign, maker)
        request_checks(pictures=pictures, detector=rules.detector, now=now)


def add_arm(
    *,
    campaign: Campaign,
    maker: Checkpoint | ImageCollection,
    now: datetime,
    on_packed: Progress = tell_nobody,
    on_images: Progress = tell_nobody,
    on_slots: Progress = tell_nobody,
    made: Callable[[Arm], None] = tell_nobody,
) -> Arm:
    """Let an arm whose images are there join an open campaign; all or nothing.

    `made` is told the arm, in the transaction that makes it.
    Raises `BadInputError` as `annotation.services.join_arm` does.
    """
    return join_arm(
        campaign=campaign, maker=maker, now=now, on_packed=on_packed, on_images=on_images,
        on_progress=on_slots, made=made,
    )  # fmt: skip
