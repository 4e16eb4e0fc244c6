"""What a protocol holds: all that is fixed before the first vote."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from evalplatform.campaigns.crowd_rules import UNSIGNED, Signed
from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.campaigns.prompt_filter import prompts_hash
from evalplatform.campaigns.rules import Door
from evalplatform.campaigns.selectors import planned_keys
from evalplatform.campaigns.walking import walk_prompts
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.version import code_version

# Part of the protocol: what is not a setting but a rule of this code, in words.
RULES = {
    "image_order": (
        "planned per slot; of the k slots of a pair, each image is left in k//2 or k-k//2, each in "
        "one of two pairs in a row, which one at random; of a ranking, by rows of a Latin square"
    ),
    "serve_order": (
        "what came back (skipped, lease run out, vote excluded) first, then criterion by "
        "criterion; within one, items in seeded random order, through which each annotator goes "
        "from a seeded place by a seeded stride of their own, round and round (or from the first "
        "to the next: rules.annotation.start)"
    ),
    "shown_size": "all images of a set are shown at the smallest one's size",
    "shown_files": (
        "copies padded to one length, those of each smaller width too; where checks are mixed in, "
        "none is shown again"
    ),
    "transparency": "files that are sent are opaque: images lie on rules.annotation.ground",
    "verdict": "what more than half of the k votes say; otherwise no majority",
}

_OF_A_CHECKPOINT = ("role", "family", "parent_sha256")
OF_A_PROMPT_SET = ("name", "version", "sha256")
OF_A_CRITERION = (
    "slug", "label", "question", "instructions", "shows_prompt", "form", "heads", "gold", "k",
    "translations",
)  # fmt: skip
_OF_A_COLLECTION = ("model", "licence", "source", "image_count")


def arm_in_protocol(arm: Arm) -> dict[str, Any]:
    """Return what a protocol keeps of an arm."""
    facts: dict[str, Any] = {"place": arm.place, "name": arm.name, "sha256": arm.sha256}
    if arm.checkpoint:
        return facts | {"kind": "checkpoint"} | _checkpoint_in_protocol(arm.checkpoint)
    if arm.maker is None:
        return facts | {"kind": "model"}
    return facts | {"kind": "collection"} | facts_of(arm.collection, _OF_A_COLLECTION)


def _checkpoint_in_protocol(checkpoint: Checkpoint) -> dict[str, Any]:
    made_from = {"made_from": checkpoint.made_from} if checkpoint.made_from else {}
    return facts_of(checkpoint, _OF_A_CHECKPOINT) | made_from


def facts_of(row: object, names: Sequence[str]) -> dict[str, Any]:
    """Return some attributes of a row by name."""
    return {name: getattr(row, name) for name in names}


def protocol_of(campaign: Campaign) -> dict[str, Any]:
    """Return the protocol of a campaign as it stands, without the faults of its images."""
    return {
        "arms": [arm_in_protocol(arm) for arm in campaign.contenders],
        "design": campaign.design,
        "prompt_sets": [
            facts_of(each, OF_A_PROMPT_SET)
            for each in campaign.prompt_sets.order_by("name", "version")
        ],
        "prompt_filter": campaign.prompt_filter,
        "prompts_per_set": campaign.prompts_per_set,
        "prompts": _prompts(campaign),
        **_chosen(campaign),
        "images_per_prompt": campaign.images_per_prompt,
        "criteria": [facts_of(each, OF_A_CRITERION) for each in campaign.criteria.all()],
        **sampler_in_protocol(campaign),
        "seed": campaign.seed,
        "lease_seconds": campaign.lease_seconds,
        "rules": RULES | _crowd_ids(campaign) | campaign.checked_rules.as_dict(),
        "shown_widths": list(campaign.shown_widths),
        **_safety(campaign),
        "gold": [
            {"criterion": each.criterion.slug, "purpose": each.purpose, "origin": each.origin}
            for each in campaign.image_sets.gold().select_related("criterion")
            if each.criterion
        ],
        "code_version": code_version(),
    }  # fmt: skip


def sampler_in_protocol(campaign: Campaign) -> dict[str, Any]:
    """Say how samples are made; nothing where no arm is a checkpoint, as nothing is sampled."""
    if not any(arm.checkpoint_id for arm in campaign.contenders):
        return {}
    return {"sampler_settings": campaign.sampler_settings.as_dict()}


def _prompts(campaign: Campaign) -> dict[str, Any]:
    """Say which prompts came of sets, filter and subset: how many, and the hash of their keys."""
    keys = planned_keys(campaign)
    sets = {each.pk: each for each in campaign.prompt_sets.all()}
    return {"count": len(keys), "sha256": prompts_hash(walk_prompts(keys), sets)}


def _crowd_ids(campaign: Campaign) -> dict[str, str]:
    """Say what an id of a crowd platform proves; nothing where none lets anybody in."""
    rules = campaign.checked_rules
    if rules.annotation.door is not Door.CROWD:
        return {}
    is_signed = rules.crowd.signed is not Signed.NO
    return {"crowd_ids": "signed" if is_signed else UNSIGNED}


def _chosen(campaign: Campaign) -> dict[str, Any]:
    """Say which images are asked about: how many, and the hash of them and of texts shown.

    Nothing where all images of the arms are.
    """
    rows = campaign.chosen.order_by("image__image_sha256", "text")
    keys = [f"{sha}\t{text}\n" for sha, text in rows.values_list("image__image_sha256", "text")]
    if not keys:
        return {}
    digest = hashlib.sha256("".join(keys).encode()).hexdigest()
    return {"chosen_images": {"count": len(keys), "sha256": digest}}


def _safety(campaign: Campaign) -> dict[str, Any]:
    """What the safety filter did; nothing where it is off."""
    if campaign.safety_detector is None:
        return {}
    did = {
        "threshold": campaign.checked_rules.safety.threshold,
        "withheld_images": campaign.withheld.count(),
        "sets_left_out": campaign.sets_left_out,
    }
    return {"safety_filter": campaign.safety_detector.as_dict() | did}


def protocol_hash(protocol: dict[str, Any]) -> str:
    """Return the hash of a protocol, whatever the order of its keys."""
    canonical = json.dumps(protocol, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
