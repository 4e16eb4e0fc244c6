"""Reading campaigns."""

import hashlib

import numpy as np
from django.db.models import Q

from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import Sample
from evalplatform.promptsets.models import Prompt


def campaign_named(slug: str) -> Campaign:
    """Return the campaign of this slug. Raises `BadInputError` listing the known ones."""
    campaign = Campaign.objects.filter(slug=slug).first()
    if campaign is None:
        known = ", ".join(Campaign.objects.values_list("slug", flat=True)[:20]) or "none yet"
        raise BadInputError(
            f"no campaign {slug!r}; known: {known}. Create one with `manage.py run_eval`."
        )
    return campaign


def campaigns_running_on(checkpoint: Checkpoint) -> list[Campaign]:
    """Return the campaigns that take this checkpoint and are not closed, by name."""
    taking = Campaign.objects.filter(Q(checkpoint_a=checkpoint) | Q(checkpoint_b=checkpoint))
    return list(taking.exclude(status=Campaign.Status.CLOSED).order_by("slug"))


def planned_prompts(campaign: Campaign) -> list[Prompt]:
    """Return the prompts a campaign uses: every one, or a seeded random subset of each set."""
    chosen: list[Prompt] = []
    for prompt_set in campaign.prompt_sets.order_by("name", "version"):
        prompts = list(prompt_set.prompts.order_by("position"))
        size = campaign.prompts_per_set
        if size is not None and size < len(prompts):
            # Seeded by content, so that the subset is the same on every installation.
            content = hashlib.sha256(f"{campaign.seed}\n{prompt_set.sha256}".encode()).digest()
            rng = np.random.default_rng(int.from_bytes(content[:8], "big"))
            prompts = [prompts[i] for i in sorted(rng.permutation(len(prompts))[:size])]
        chosen.extend(prompts)
    return chosen


def sample_seed(campaign_seed: int, prompt: Prompt) -> int:
    """Return the seed (32 bits) of a prompt's samples, the same for both checkpoints.

    It hangs on the prompt's text, not its row, so another installation draws the same noise.
    """
    digest = hashlib.sha256(f"{campaign_seed}\n{prompt.text}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def ready_samples(campaign: Campaign, prompts: list[Prompt]) -> dict[tuple[int, int], Sample]:
    """Return those of the campaign's samples that are made, by checkpoint and prompt."""
    seeds = {prompt.pk: sample_seed(campaign.seed, prompt) for prompt in prompts}
    ready = Sample.objects.filter(
        settings=campaign.settings,
        prompt__in=prompts,
        checkpoint__in=[campaign.checkpoint_a_id, campaign.checkpoint_b_id],
        status=Sample.Status.READY,
    ).select_related("prompt")
    return {
        (row.checkpoint_id, row.prompt_id): row for row in ready if seeds[row.prompt_id] == row.seed
    }


def sample_pairs(campaign: Campaign) -> list[tuple[Sample, Sample]]:
    """Return (sample of A, sample of B) for each planned prompt where both are ready."""
    prompts = planned_prompts(campaign)
    by_key = ready_samples(campaign, prompts)
    return [
        (
            by_key[campaign.checkpoint_a_id, prompt.pk],
            by_key[campaign.checkpoint_b_id, prompt.pk],
        )
        for prompt in prompts
        if (campaign.checkpoint_a_id, prompt.pk) in by_key
        and (campaign.checkpoint_b_id, prompt.pk) in by_key
    ]


def compared_pairs(campaign: Campaign) -> list[tuple[Sample, Sample]]:
    """Return (sample of A, sample of B) of every prompt that a campaign shows, once each."""
    comparisons = campaign.comparisons.filter(criterion=campaign.criteria.first())
    return [
        (each.sample_a, each.sample_b)
        for each in comparisons.select_related("sample_a", "sample_b")
    ]
