"""A campaign's way from a draft to a frozen protocol."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from evalplatform.accounts.models import User
from evalplatform.campaigns.criteria import CRITERIA, CriterionPlan, check_plans
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.campaigns.rules import Rules
from evalplatform.campaigns.sample_faults import count_faults
from evalplatform.campaigns.selectors import (
    compared_pairs,
    planned_prompts,
    sample_seed,
)
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.selectors import refuse_retired
from evalplatform.core.errors import BadInputError
from evalplatform.core.version import code_version
from evalplatform.generation.models import Sample, SamplerSettings
from evalplatform.generation.services import enqueue_samples, open_request, plan_samples
from evalplatform.promptsets.models import PromptSet

# Part of the protocol: what is not a setting but a rule of this code, in words.
RULES = {
    "side_order": (
        "planned per slot; of k slots, A is left in k//2 or k-k//2, each in one of two comparisons "
        "in a row, which one at random"
    ),
    "serve_order": (
        "what came back (skipped, lease run out, vote excluded) first, then criterion by "
        "criterion; within one, comparisons in seeded random order, the same for everybody"
    ),
    "shown_size": "both images of a comparison are shown at the smaller one's size",
    "shown_files": "copies padded to one length; where checks are mixed in, none is shown again",
    "verdict": "what more than half of the k votes say; otherwise no majority",
}


def create_campaign(
    *,
    slug: str,
    checkpoint_a: Checkpoint,
    checkpoint_b: Checkpoint,
    prompt_sets: Sequence[PromptSet],
    criteria: Sequence[CriterionPlan],
    settings: dict[str, Any],
    seed: int,
    prompts_per_set: int | None = None,
    rules: Rules = Rules(),  # noqa: B008 (frozen)
    created_by: User | None = None,
) -> tuple[Campaign, bool]:
    """Create a draft campaign, or return the existing one of that slug if it asks the same.

    Until it opens, shares that its rules let through (`samples`) may be given anew.
    Raises `BadInputError` for k < 1, a checkpoint against itself, one that is retired (an existing
    campaign goes on with it), or a slug already used for another protocol.
    """
    _check(checkpoint_a, checkpoint_b, prompt_sets)
    check_plans(criteria)
    with transaction.atomic():
        sampler_settings, _ = SamplerSettings.objects.get_or_create(**settings)
        existing = Campaign.objects.select_for_update().filter(slug=slug).first()
        wanted: dict[str, Any] = {
            "checkpoint_a": checkpoint_a,
            "checkpoint_b": checkpoint_b,
            "settings": sampler_settings,
            "seed": seed,
            "prompts_per_set": prompts_per_set,
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
            _refuse_difference(existing, wanted, prompt_sets, criteria)
            return existing, False
        # Locked, so that none is retired between the look and the campaign.
        for checkpoint in Checkpoint.objects.select_for_update().filter(
            pk__in=[checkpoint_a.pk, checkpoint_b.pk]
        ):
            refuse_retired(checkpoint)
        try:
            campaign = Campaign.objects.create(
                slug=slug,
                lease_seconds=django_settings.ASSIGNMENT_LEASE_SECONDS,
                created_by=created_by,
                **wanted,
            )
        except IntegrityError as error:
            raise BadInputError(f"campaign {slug!r} is being created elsewhere; retry.") from error
        campaign.prompt_sets.set(prompt_sets)
        for position, plan in enumerate(criteria):
            definition = CRITERIA[plan.kind]
            Criterion.objects.create(
                campaign=campaign,
                kind=plan.kind,
                question=definition.question,
                shows_prompt=definition.shows_prompt,
                answers=plan.answers,
                k=plan.k,
                position=position,
            )
    return campaign, True


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


def _check(a: Checkpoint, b: Checkpoint, prompt_sets: Sequence[PromptSet]) -> None:
    if a.pk == b.pk:
        raise BadInputError(
            f"checkpoint {a.name!r} cannot be compared with itself; name two different ones."
        )
    if not prompt_sets:
        raise BadInputError("no prompt set; give at least one with --prompts NAME.")


def _refuse_difference(
    campaign: Campaign,
    wanted: dict[str, Any],
    prompt_sets: Sequence[PromptSet],
    criteria: Sequence[CriterionPlan],
) -> None:
    changed = [name for name, value in wanted.items() if getattr(campaign, name) != value]
    if set(campaign.prompt_sets.all()) != set(prompt_sets):
        changed.append("prompt sets")
    existing = [CriterionPlan(row.kind, row.k, row.answers) for row in campaign.criteria.all()]
    if existing != list(criteria):
        changed.append("criteria, k or answers")
    if changed:
        raise BadInputError(
            f"campaign {campaign.slug!r} exists with a different protocol "
            f"({', '.join(changed)}); choose another --name, or repeat its settings to resume it."
        )


def start_generation(
    *, campaign: Campaign, priority: int | None = None, budget_seconds: int | None = None
) -> list[Sample]:
    """Plan both checkpoints' samples for every prompt, queue what is missing, return them all.

    Priority and budget (seconds of worker time) replace what the campaign's request had.
    """
    prompts = planned_prompts(campaign)
    wanted = [(prompt, sample_seed(campaign.seed, prompt)) for prompt in prompts]
    samples = [
        sample
        for checkpoint in (campaign.checkpoint_a, campaign.checkpoint_b)
        for sample in plan_samples(checkpoint=checkpoint, settings=campaign.settings, wanted=wanted)
    ]
    request = open_request(name=campaign.slug, priority=priority, budget_seconds=budget_seconds)
    enqueue_samples(samples=samples, request=request)
    Campaign.objects.filter(pk=campaign.pk, status=Campaign.Status.DRAFT).update(
        status=Campaign.Status.GENERATING
    )
    campaign.refresh_from_db(fields=["status"])
    return samples


def freeze_protocol(*, campaign: Campaign) -> None:
    """Write the protocol and its hash, and mark the campaign open, in one update."""
    protocol = _protocol(campaign)
    canonical = json.dumps(protocol, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    campaign.protocol = protocol
    campaign.protocol_sha256 = hashlib.sha256(canonical.encode()).hexdigest()
    campaign.status = Campaign.Status.OPEN
    campaign.opened_at = timezone.now()
    campaign.save(update_fields=["protocol", "protocol_sha256", "status", "opened_at"])


def _protocol(campaign: Campaign) -> dict[str, Any]:
    def checkpoint(row: Checkpoint) -> dict[str, str | None]:
        return {
            "name": row.name,
            "role": row.role,
            "family": row.family,
            "sha256": row.sha256,
            "parent_sha256": row.parent_sha256,
        }

    return {
        "checkpoints": {
            "a": checkpoint(campaign.checkpoint_a),
            "b": checkpoint(campaign.checkpoint_b),
        },
        "prompt_sets": [
            {"name": each.name, "version": each.version, "sha256": each.sha256}
            for each in campaign.prompt_sets.order_by("name", "version")
        ],
        "prompts_per_set": campaign.prompts_per_set,
        "criteria": [
            {
                "kind": each.kind,
                "question": each.question,
                "shows_prompt": each.shows_prompt,
                "answers": each.answers,
                "k": each.k,
            }
            for each in campaign.criteria.all()
        ],
        "sampler_settings": campaign.settings.as_dict(),
        "seed": campaign.seed,
        "lease_seconds": campaign.lease_seconds,
        "rules": RULES | campaign.checked_rules.as_dict(),
        **_safety(campaign),
        "samples": count_faults(compared_pairs(campaign)).as_dict(),
        "gold_pairs": [
            {"criterion": each.criterion.kind, "purpose": each.purpose, "origin": each.origin}
            for each in campaign.gold_pairs.select_related("criterion")
        ],
        "code_version": code_version(),
    }


def _safety(campaign: Campaign) -> dict[str, Any]:
    """What the safety filter did; nothing where it is off."""
    if campaign.safety_detector is None:
        return {}
    did = {
        "threshold": campaign.checked_rules.safety.threshold,
        "filtered_prompts": campaign.filtered_pairs.count(),
    }
    return {"safety_filter": campaign.safety_detector.as_dict() | did}


def close_campaign(*, campaign: Campaign) -> bool:
    """Close an open or paused campaign; return False where it was neither."""
    closed = Campaign.objects.filter(
        pk=campaign.pk, status__in=[Campaign.Status.OPEN, Campaign.Status.PAUSED]
    ).update(status=Campaign.Status.CLOSED, closed_at=timezone.now())
    return bool(closed)


def pause_campaign(*, campaign: Campaign) -> bool:
    """Lease no more pairs; answers to pairs already shown still count. False if it was not open."""
    paused = Campaign.objects.filter(pk=campaign.pk, status=Campaign.Status.OPEN)
    return bool(paused.update(status=Campaign.Status.PAUSED))


def resume_campaign(*, campaign: Campaign) -> bool:
    """Open a paused campaign again. False if it was not paused."""
    resumed = Campaign.objects.filter(pk=campaign.pk, status=Campaign.Status.PAUSED)
    return bool(resumed.update(status=Campaign.Status.OPEN))
