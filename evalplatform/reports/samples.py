"""What annotators were shown: images of one colour, the same image twice, prompts that were cut."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from evalplatform.campaigns.models import Campaign, ImageSet, ShownImage, arm_letter
from evalplatform.campaigns.sample_faults import READ_RULE, frozen_faults
from evalplatform.campaigns.transparent_arms import ground_caution
from evalplatform.reports.conditions import imported_arms

NOTE = (
    f"Text encoders cut what is longer than they read. {READ_RULE} Tokens: start and end marks "
    "among them."
)


def _shown(campaign: Campaign) -> Any:
    """The images of arms that the campaign asks about."""
    return ShownImage.objects.order_by().filter(
        image_set__campaign=campaign, image_set__purpose=ImageSet.Purpose.MAIN, arm__isnull=False
    )


def read_in_full_by_all(campaign: Campaign) -> set[int]:
    """Return the ids of the prompts of which every image shown is known to be of the whole."""
    shown = _shown(campaign)
    is_read = Q(sample__tokens_read=F("sample__prompt_tokens"))
    whole = set(shown.filter(is_read).values_list("image_set__prompt_id", flat=True).distinct())
    if not whole:
        return set()
    unread = shown.filter(~is_read | Q(sample__tokens_read=None))
    return whole - set(unread.values_list("image_set__prompt_id", flat=True).distinct())


def in_full(campaign: Campaign) -> str:
    """What a group of prompts is called that every arm has read in full."""
    return f"read in full by {'both' if campaign.is_duel else 'all'}"


def samples_json(campaign: Campaign) -> dict[str, Any] | None:
    """Return what was counted as the campaign opened, as JSON values; None before that."""
    faults = frozen_faults(campaign)
    if faults is None:
        return None
    arms = [
        {"arm": letter} | each.as_dict() | {"share_read_of_cut": each.share_read_of_cut}
        for letter, each in faults.by_letter
    ]
    let_through = campaign.checked_rules.samples.model_dump()
    return faults.as_dict() | {"arms": arms} | let_through | {"note": NOTE}


def samples_context(campaign: Campaign) -> dict[str, Any] | None:
    """Return what `reports/_shown.html` shows; None before the campaign opens."""
    faults = frozen_faults(campaign)
    if faults is None:
        return None
    imported = imported_arms(campaign)
    return {
        "arms": [(letter, each, letter in imported) for letter, each in faults.by_letter],
        "are_sampled": len(imported) < len(faults.arms),  # some of them
        "all_are_sampled": not imported,
        "is_duel": len(faults.arms) == 2,
        "prompts": faults.prompts,
        "sets": faults.sets,
        "identical": faults.identical,
        "in_full_by_all": faults.read_in_full_by_all,
        "are_cut": faults.some_are_cut,
        "note": NOTE,
        "ground": ground_caution(campaign),
    }


def sample_records(campaign: Campaign) -> Iterator[dict[str, Any]]:
    """Yield one record for each image that annotators were shown, in the order of the prompts."""
    fields = ("seed", "image_sha256", "pixels_sha256", "is_constant")
    rows = (
        _shown(campaign)
        .filter(Q(sample__isnull=False) | Q(collected__isnull=False))
        .annotate(**{f"of_{name}": Coalesce(f"sample__{name}", f"collected__{name}")
                     for name in fields})
        .order_by("image_set__prompt__prompt_set", "image_set__prompt__position", "of_seed",
                  "arm__place")
        .values_list("sample", "collected", "image_set__prompt", "arm__place",
                     "image_set__prompt__prompt_set__name",
                     "image_set__prompt__prompt_set__version", "image_set__prompt__position",
                     "image_set__prompt__text", "sample__prompt_tokens", "sample__tokens_read",
                     *(f"of_{name}" for name in fields))
        .annotate(sets=ArrayAgg("image_set", distinct=True, order_by="image_set"))
    )  # fmt: skip
    known, names = list(rows), [arm.name for arm in campaign.contenders]
    same = defaultdict(list)
    for row in known:
        same[row[2], row[12]].append(row[3])
    for (sample, collected, prompt, place, set_name, version, position, text, tokens, read, seed,
         sha256, pixels, is_constant, sets) in known:  # fmt: skip
        others = [arm_letter(each) for each in same[prompt, pixels] if each != place]
        yield {
            "prompt_set": set_name,
            "prompt_set_version": version,
            "prompt_position": position,
            "prompt_text": text,
            "image_sets": " ".join(map(str, sets)),
            "arm": arm_letter(place),
            "arm_name": names[place],
            "sample": sample or "",
            "collected_image": collected or "",
            "sha256": sha256,
            "seed": "" if seed is None else seed,
            "same_pixels_as": " ".join(others),
            "one_colour": int(is_constant),
            "prompt_tokens": "" if tokens is None else tokens,
            "tokens_read": "" if read is None else read,
            "read_in_full": "" if None in (tokens, read) else int(tokens == read),
        }
