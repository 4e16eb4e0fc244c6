"""A campaign's way from a draft to a frozen protocol."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import refuse_foreign
from evalplatform.campaigns.criteria import CriterionPlan, check_plans
from evalplatform.campaigns.designs import Design
from evalplatform.campaigns.forms import form_named
from evalplatform.campaigns.models import Arm, Campaign, Criterion
from evalplatform.campaigns.protocol import arm_in_protocol, protocol_hash, protocol_of
from evalplatform.campaigns.rules import Rules
from evalplatform.campaigns.sample_faults import SampleFaults, count_faults
from evalplatform.campaigns.selectors import planned_prompts, planned_sets, shown_sets, wanted_seeds
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.selectors import refuse_retired
from evalplatform.core.errors import BadInputError
from evalplatform.core.version import code_version
from evalplatform.generation.models import Sample, SamplerSettings
from evalplatform.generation.services import enqueue_samples, open_request, plan_samples
from evalplatform.images.models import ImageCollection
from evalplatform.images.selectors import images_for
from evalplatform.images.selectors import refuse_retired as refuse_retired_collection
from evalplatform.promptsets.models import Prompt, PromptSet


def create_campaign(
    *,
    project: Project,
    slug: str,
    arms: Sequence[Checkpoint | ImageCollection],
    prompt_sets: Sequence[PromptSet],
    criteria: Sequence[CriterionPlan],
    settings: dict[str, Any],
    seed: int,
    design: str = "all-pairs",
    prompts_per_set: int | None = None,
    images_per_prompt: int = 1,
    rules: Rules = Rules(),  # noqa: B008 (frozen)
    created_by: User | None = None,
) -> tuple[Campaign, bool]:
    """Create a draft campaign, or return the existing one of that slug if it asks the same.

    `arms` by place; `design` says who meets whom (`campaigns.designs`). Until it opens, shares
    that its rules let through (`samples`) may be given anew.

    Raises `BadInputError` for k < 1, an arm given twice, one that is retired (an existing campaign
    goes on with it) or another project's and not shared, a design or form that does not fit so
    many arms, or a slug already used for another protocol.
    """
    check_plans(criteria)
    _check(arms, prompt_sets, criteria, Design.parse(design))
    with transaction.atomic():
        sampler_settings, _ = SamplerSettings.objects.get_or_create(**settings)
        existing = Campaign.objects.select_for_update().filter(slug=slug).first()
        if existing and existing.project_id != project.pk:
            raise BadInputError(
                f"the name {slug!r} is taken in another project; choose another --name."
            )
        wanted: dict[str, Any] = {
            "settings": sampler_settings,
            "seed": seed,
            "design": design,
            "prompts_per_set": prompts_per_set,
            "images_per_prompt": images_per_prompt,
            "rules": rules.as_dict(),
        }
        if existing:
            # What is not given again stays as it was.
            kept = existing.checked_rules.samples.model_dump(exclude_unset=True)
            wanted["rules"] = rules.with_samples(
                **kept | rules.samples.model_dump(exclude_unset=True)
            ).as_dict()
            if not existing.is_frozen:
                _let_through(existing, wanted["rules"]["samples"])
            _refuse_difference(existing, wanted, arms, prompt_sets, criteria)
            return existing, False
        for maker in arms:
            _refuse_retired(maker)
        for each in [*arms, *prompt_sets]:
            refuse_foreign(project, each)
        try:
            campaign = Campaign.objects.create(
                project=project,
                slug=slug,
                lease_seconds=django_settings.ASSIGNMENT_LEASE_SECONDS,
                created_by=created_by,
                **wanted,
            )
        except IntegrityError as error:
            raise BadInputError(f"campaign {slug!r} is being created elsewhere; retry.") from error
        campaign.prompt_sets.set(prompt_sets)
        Arm.objects.bulk_create(_new_arm(campaign, place, each) for place, each in enumerate(arms))
        Criterion.objects.bulk_create(
            Criterion(campaign=campaign, position=position, **_asked(plan))
            for position, plan in enumerate(criteria)
        )
        prompts = planned_prompts(campaign)
        planned_sets(campaign, prompts)  # refuses arms that never meet
        for arm in campaign.contenders:
            _refuse_gaps(campaign, arm, prompts)
    return campaign, True


def _new_arm(
    campaign: Campaign, place: int, maker: Checkpoint | ImageCollection, **fields: Any
) -> Arm:
    kind = "checkpoint" if isinstance(maker, Checkpoint) else "collection"
    return Arm(campaign=campaign, place=place, **{kind: maker}, **fields)


def _refuse_retired(maker: Checkpoint | ImageCollection) -> None:
    """Look once its row is locked, so that it is not retired between the look and the campaign."""
    if isinstance(maker, Checkpoint):
        refuse_retired(Checkpoint.objects.select_for_update().get(pk=maker.pk))
    else:
        refuse_retired_collection(ImageCollection.objects.select_for_update().get(pk=maker.pk))


def _refuse_gaps(campaign: Campaign, arm: Arm, prompts: Sequence[Prompt]) -> None:
    """Refuse a collection that lacks images of the campaign's prompts: nobody can make them."""
    if arm.collection is None:
        return
    wanted = campaign.images_per_prompt
    there = images_for(arm.collection, prompts)
    lacking = [prompt for prompt in prompts if len(there[prompt.pk]) < wanted]
    if not lacking:
        return
    named = ", ".join(f"“{' '.join(prompt.text.split())[:60]}”" for prompt in lacking[:3])
    sets = {str(each) for each in campaign.prompt_sets.all()}
    elsewhere = str(arm.collection.prompt_set) not in sets
    answers = f" (its images answer {arm.collection.prompt_set})" if elsewhere else ""
    raise BadInputError(
        f"image collection {arm.name!r} has fewer than {wanted} images of {len(lacking):,} of "
        f"{len(prompts):,} prompts{answers}: {named}; import it whole, or use prompts of which it "
        "has them."
    )


def _asked(plan: CriterionPlan) -> dict[str, Any]:
    return asdict(plan) | {"heads": list(plan.heads)}


def plan_opening(*, campaign: Campaign, gold_file: Path | None, opens_when_ready: bool) -> None:
    """Note how `run_eval` goes on once all samples are there; None keeps the file noted before."""
    campaign.opens_when_ready = opens_when_ready
    if gold_file is not None:
        campaign.gold_file = str(gold_file.absolute())
    campaign.save(update_fields=["opens_when_ready", "gold_file"])


def allow(*, campaign: Campaign, **shares: float | None) -> None:
    """Let through these shares of faulty samples (`SampleRules`); None leaves one as it is.

    Raises `BadInputError` once the campaign has opened: its rules are frozen.
    """
    given = {name: value for name, value in shares.items() if value is not None}
    if not given:
        return
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if locked.is_frozen:
            raise BadInputError(
                f"campaign {campaign.slug!r} is {locked.status}: what it lets through is frozen "
                "with its protocol; leave these options out, or choose another --name."
            )
        _let_through(locked, locked.checked_rules.with_samples(**given).as_dict()["samples"])
    campaign.refresh_from_db()


def _let_through(campaign: Campaign, shares: dict[str, float]) -> None:
    campaign.rules = campaign.rules | {"samples": shares}
    campaign.save(update_fields=["rules"])
    campaign.__dict__.pop("checked_rules", None)  # cached


def _check(
    arms: Sequence[Checkpoint | ImageCollection],
    prompt_sets: Sequence[PromptSet],
    criteria: Sequence[CriterionPlan],
    design: Design,
) -> None:
    names = [each.name for each in arms]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInputError(f"{twice!r} cannot be compared with itself; name each arm once.")
    if not prompt_sets:
        raise BadInputError("no prompt set; give at least one with --prompts NAME.")
    several = [plan for plan in criteria if form_named(plan.form).most > 1]
    if not several:
        return
    if len(arms) < 2:
        raise BadInputError(
            f"{several[0].slug!r} is asked as {several[0].form!r}, which compares images of two or "
            f"more arms; {len(arms)} given."
        )
    design.check(names)
    size = design.size or len(arms)
    for plan in several:
        if not form_named(plan.form).takes(size):
            raise BadInputError(
                f"design {design} shows sets of {size} images, and {plan.slug!r} is asked as "
                f"{plan.form!r}; pairs go with all-pairs, against=NAME or random=M, a ranking with "
                "together (3 to 8 arms)."
            )


def _refuse_difference(
    campaign: Campaign,
    wanted: dict[str, Any],
    arms: Sequence[Checkpoint | ImageCollection],
    prompt_sets: Sequence[PromptSet],
    criteria: Sequence[CriterionPlan],
) -> None:
    changed = [name for name, value in wanted.items() if getattr(campaign, name) != value]
    if [arm.maker for arm in campaign.contenders] != list(arms):
        changed.append("arms")
    if set(campaign.prompt_sets.all()) != set(prompt_sets):
        changed.append("prompt sets")
    asked = [_asked(plan) for plan in criteria]
    if [
        {name: getattr(row, name) for name in asked[0]} for row in campaign.criteria.all()
    ] != asked:
        changed.append("criteria, k or forms")
    if changed:
        raise BadInputError(
            f"campaign {campaign.slug!r} exists with a different protocol "
            f"({', '.join(changed)}); choose another --name, or repeat its settings to resume it."
        )


def start_generation(
    *, campaign: Campaign, priority: int | None = None, budget_seconds: int | None = None
) -> list[Sample]:
    """Plan every arm's samples for every prompt, queue what is missing, return them all.

    Priority and budget (seconds of worker time) replace what the campaign's request had.
    """
    wanted = wanted_seeds(campaign, planned_prompts(campaign))
    samples = [
        sample
        for arm in campaign.contenders
        if arm.checkpoint
        for sample in plan_samples(
            checkpoint=arm.checkpoint, settings=campaign.sampler_settings, wanted=wanted
        )
    ]
    request = open_request(
        project=campaign.project,
        name=campaign.slug,
        priority=priority,
        budget_seconds=budget_seconds,
    )
    enqueue_samples(samples=samples, request=request)
    Campaign.objects.filter(pk=campaign.pk, status=Campaign.Status.DRAFT).update(
        status=Campaign.Status.GENERATING
    )
    campaign.refresh_from_db(fields=["status"])
    return samples


def freeze_protocol(*, campaign: Campaign, faults: SampleFaults) -> None:
    """Write the protocol and its hash, and mark the campaign open, in one update.

    `faults`: what is wrong with the images it shows.
    """
    campaign.protocol = protocol_of(campaign) | {"samples": faults.as_dict()}
    campaign.protocol_sha256 = protocol_hash(campaign.protocol)
    campaign.status = Campaign.Status.OPEN
    campaign.opened_at = timezone.now()
    campaign.save(update_fields=["protocol", "protocol_sha256", "status", "opened_at"])


def check_newcomer(campaign: Campaign, maker: Checkpoint | ImageCollection) -> None:
    """Raise `BadInputError` where an arm cannot join a campaign, whatever images it has.

    It is an arm already or retired, the campaign is not open, or shows all its arms together.
    """
    if campaign.status not in (Campaign.Status.OPEN, Campaign.Status.PAUSED):
        raise BadInputError(
            f"campaign {campaign.slug!r} is {campaign.status}; an arm joins one that is open."
        )
    _refuse_retired(maker)
    refuse_foreign(campaign.project, maker)
    if maker in [arm.maker for arm in campaign.contenders]:
        raise BadInputError(f"{maker.name!r} is an arm of {campaign.slug!r} already.")
    if any(criterion.shape.most > 1 for criterion in campaign.criteria.all()):
        Design.parse(campaign.design).refuse_newcomer()


def create_newcomer(
    *, campaign: Campaign, maker: Checkpoint | ImageCollection, now: datetime
) -> Arm:
    """Add an arm to a campaign that is open or paused; its items follow in the same transaction.

    The caller holds the campaign's row lock. Raises `BadInputError` as `check_newcomer` does.
    """
    check_newcomer(campaign, maker)
    arm = _new_arm(campaign, len(campaign.contenders), maker, joined_at=now)
    arm.save()
    _refuse_gaps(campaign, arm, planned_prompts(campaign))
    campaign.__dict__.pop("contenders", None)  # cached
    return arm


def amend_protocol(*, campaign: Campaign, newcomer: Arm, items: int, now: datetime) -> None:
    """Record in the protocol that an arm joined, and under which hash it was frozen before."""
    protocol = dict(campaign.protocol or {})
    amendment = {
        "at": now.isoformat(),
        "what": "arm joined",
        "arm": arm_in_protocol(newcomer),
        "items": items,
        "protocol_sha256_before": campaign.protocol_sha256,
        "code_version": code_version(),
    }
    protocol["amendments"] = [*protocol.get("amendments", []), amendment]
    protocol["arms"] = [*protocol["arms"], arm_in_protocol(newcomer)]
    protocol["samples"] = count_faults(campaign, shown_sets(campaign)).as_dict()
    campaign.protocol, campaign.protocol_sha256 = protocol, protocol_hash(protocol)
    campaign.save(update_fields=["protocol", "protocol_sha256"])


def close_campaign(*, campaign: Campaign) -> bool:
    """Close an open or paused campaign; return False where it was neither."""
    closed = Campaign.objects.filter(
        pk=campaign.pk, status__in=[Campaign.Status.OPEN, Campaign.Status.PAUSED]
    ).update(status=Campaign.Status.CLOSED, closed_at=timezone.now())
    return bool(closed)


def pause_campaign(*, campaign: Campaign) -> bool:
    """Lease no more items; answers to what is shown still count. False if it was not open."""
    paused = Campaign.objects.filter(pk=campaign.pk, status=Campaign.Status.OPEN)
    return bool(paused.update(status=Campaign.Status.PAUSED))


def resume_campaign(*, campaign: Campaign) -> bool:
    """Open a paused campaign again. False if it was not paused."""
    resumed = Campaign.objects.filter(pk=campaign.pk, status=Campaign.Status.PAUSED)
    return bool(resumed.update(status=Campaign.Status.OPEN))
