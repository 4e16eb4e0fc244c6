"""What annotators were shown: images of one colour, the same image twice, prompts that were cut."""

from collections.abc import Iterator
from typing import Any

from django.db.models import F

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.sample_faults import READ_RULE, frozen_faults, is_identical
from evalplatform.generation.models import Sample

IN_FULL = "read in full by both"
NOTE = (
    f"Text encoders cut what is longer than they read. {READ_RULE} Tokens: start and end marks "
    "among them."
)


def read_in_full_by_both(campaign: Campaign) -> set[int]:
    """Return the ids of the prompts that both checkpoints are known to have read in full."""
    read = {
        f"sample_{side}__tokens_read": F(f"sample_{side}__prompt_tokens") for side in ("a", "b")
    }
    return set(campaign.comparisons.filter(**read).values_list("prompt_id", flat=True))


def samples_json(campaign: Campaign) -> dict[str, Any] | None:
    """Return what was counted as the campaign opened, as JSON values; None before that."""
    faults = frozen_faults(campaign)
    if faults is None:
        return None
    sides = {
        key: each.as_dict() | {"share_read_of_cut": each.share_read_of_cut}
        for key, each in (("a", faults.a), ("b", faults.b))
    }
    let_through = campaign.checked_rules.samples.model_dump()
    return faults.as_dict() | sides | let_through | {"note": NOTE}


def samples_context(campaign: Campaign) -> dict[str, Any] | None:
    """Return what `reports/_shown.html` shows; None before the campaign opens."""
    faults = frozen_faults(campaign)
    if faults is None:
        return None
    return {
        "sides": faults.sides,
        "pairs": faults.pairs,
        "identical": faults.identical,
        "in_full_by_both": faults.read_in_full_by_both,
        "are_cut": faults.some_are_cut,
        "note": NOTE,
    }


def sample_records(campaign: Campaign) -> Iterator[dict[str, Any]]:
    """Yield one record for each prompt that annotators were shown, with both its samples."""
    first = campaign.comparisons.filter(criterion=campaign.criteria.first())
    for each in first.select_related("prompt__prompt_set", "sample_a", "sample_b"):
        prompt, both = each.prompt, (each.sample_a, each.sample_b)
        yield {
            "prompt_set": prompt.prompt_set.name,
            "prompt_set_version": prompt.prompt_set.version,
            "prompt_position": prompt.position,
            "prompt_text": prompt.text,
            "read_in_full_by_both": in_full_cell(*both),
            "identical": int(is_identical(both)),
            "seed": each.sample_a.seed,
            **_side("a", each.sample_a),
            **_side("b", each.sample_b),
        }


def in_full_cell(sample_a: Sample, sample_b: Sample) -> int | str:
    """Return 1 where both read the prompt in full, 0 where one cut it, "" where unknown."""
    known = {sample_a.reads_in_full, sample_b.reads_in_full}
    if False in known:
        return 0
    return "" if None in known else 1


def _side(side: str, sample: Sample) -> dict[str, Any]:
    found = {
        "sample": sample.pk,
        "sha256": sample.image_sha256,
        "one_colour": int(sample.is_constant),
        "prompt_tokens": "" if sample.prompt_tokens is None else sample.prompt_tokens,
        "tokens_read": "" if sample.tokens_read is None else sample.tokens_read,
    }
    return {f"{name}_{side}": value for name, value in found.items()}
