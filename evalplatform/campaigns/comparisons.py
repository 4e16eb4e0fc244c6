"""Making a campaign's comparisons when it opens."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from evalplatform.campaigns.copies import CopyStore
from evalplatform.campaigns.models import Campaign, Comparison, GoldPair
from evalplatform.campaigns.safety import refuse_unsafe_gold, screen, store_screening
from evalplatform.campaigns.sample_faults import refuse_faults
from evalplatform.campaigns.selectors import planned_prompts, sample_pairs
from evalplatform.campaigns.showing import store_shown_images
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import Sample


def create_comparisons(*, campaign: Campaign, copies: CopyStore) -> list[Comparison]:
    """Create a comparison for every (criterion, prompt), in seeded random order per criterion.

    Where the rules ask for the safety filter, prompts with an unsafe sample get a `FilteredPair`
    instead. What annotators are sent, gold pairs included, is stored through `copies`. The caller
    holds the campaign's row lock. Raises `BadInputError` while samples or their safety scores are
    missing.
    """
    pairs = sample_pairs(campaign)
    missing = len(planned_prompts(campaign)) - len(pairs)
    if missing:
        raise BadInputError(
            f"campaign {campaign.slug!r} cannot open: {missing} prompts still lack a sample; "
            f"`manage.py run_eval --resume {campaign.slug}` finishes generation."
        )
    screened = screen(campaign, pairs)
    refuse_faults(campaign, screened.passed)
    refuse_unsafe_gold(campaign, screened.filtered)
    store_screening(campaign=campaign, screened=screened)
    comparisons = _ordered(campaign, screened.passed)
    store_shown_images(campaign=campaign, comparisons=comparisons, copies=copies)
    Campaign.objects.filter(pk=campaign.pk).update(
        comparison_count=len(comparisons), outline=_outline(campaign, comparisons)
    )
    return Comparison.objects.bulk_create(comparisons, batch_size=1000)


def _ordered(campaign: Campaign, pairs: Sequence[tuple[Sample, Sample]]) -> list[Comparison]:
    rng = np.random.default_rng(campaign.seed)
    comparisons: list[Comparison] = []
    for criterion in campaign.criteria.all():
        for index in rng.permutation(len(pairs)):
            sample_a, sample_b = pairs[index]
            comparisons.append(
                Comparison(
                    campaign=campaign,
                    criterion=criterion,
                    prompt_id=sample_a.prompt_id,
                    sample_a=sample_a,
                    sample_b=sample_b,
                    position=len(comparisons),
                )
            )
    return comparisons


def _outline(campaign: Campaign, comparisons: Sequence[Comparison]) -> list[list[int]]:
    """Return [criterion, where its comparisons end, its hidden gold pairs] in the walk's order."""
    checks = campaign.gold_pairs.filter(purpose=GoldPair.Purpose.CHECK)
    gold = Counter(checks.values_list("criterion", flat=True))
    ends = {each.criterion_id: each.position + 1 for each in comparisons}  # the last one stays
    return [[criterion, end, gold[criterion]] for criterion, end in ends.items()]
