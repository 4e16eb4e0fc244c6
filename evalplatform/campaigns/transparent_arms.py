"""Transparent arms beside opaque ones: the ground that annotators see may tell which is which."""

from collections.abc import Sequence
from typing import Any

from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.object_storage import ObjectStorageError
from evalplatform.core.stored_images import keeps_alpha
from evalplatform.core.transparency import Ground
from evalplatform.generation.models import Sample
from evalplatform.images.models import ImageCollection

_LOOKED_AT = 16  # images of a collection, spread over it; of a checkpoint one tells of all
_SEEN_THROUGH = {Ground.GREY: "neutral grey", Ground.CHECKER: "a checker"}
_KEPT_AS = "transparent_arms"  # in a protocol, only where some are


def transparent_places(campaign: Campaign) -> list[int]:
    """Return the places of the arms whose images are transparent, by a look at a few of each.

    A checkpoint that has made none yet is as its configuration says.
    """
    return [arm.place for arm in campaign.contenders if _is_transparent(arm)]


def transparency_in_protocol(campaign: Campaign) -> dict[str, Any]:
    """Return what a protocol keeps of it: nothing where all arms are opaque."""
    places = transparent_places(campaign)
    return {_KEPT_AS: places} if places else {}


def ground_caution(campaign: Campaign) -> str:
    """Return a line that names the arms that the ground tells apart, and what to do; "" for none.

    Of a campaign that has opened it is what was frozen then.
    """
    ground = Ground(campaign.checked_rules.annotation.ground)
    if ground is Ground.WHITE:  # on which most opaque drawings lie of themselves
        return ""
    frozen = campaign.protocol
    places = transparent_places(campaign) if frozen is None else frozen.get(_KEPT_AS, [])
    clear = [arm for arm in campaign.contenders if arm.place in places]
    opaque = [arm for arm in campaign.contenders if arm.place not in places]
    if not clear or not opaque:
        return ""
    advice = 'set annotation.ground = "white", or compare arms of one kind'
    if frozen is not None:
        advice = f"do not call these votes blind, and ask again in a copy: {advice}"
    return (
        f"images of {_named(clear)} are transparent, those of {_named(opaque)} are not: only the "
        f"former lie on {_SEEN_THROUGH[ground]}, so annotators can tell the arms apart; {advice}."
    )


def _named(arms: Sequence[Arm]) -> str:
    return ", ".join(f"{arm.letter} ({arm.name})" for arm in arms)


def _is_transparent(arm: Arm) -> bool:
    if arm.checkpoint:
        found = _alphas(_made_by(arm.checkpoint))
        return any(found) if found else _paints_alpha(arm.checkpoint)
    return arm.collection is not None and any(_alphas(_spread_over(arm.collection)))


def _made_by(checkpoint: Checkpoint) -> list[str]:
    ready = Sample.objects.filter(checkpoint=checkpoint, status=Sample.Status.READY)
    return list(ready.values_list("image", flat=True)[:1])


def _spread_over(collection: ImageCollection) -> list[str]:
    step = max(1, -(-collection.image_count // _LOOKED_AT))
    places = range(0, collection.image_count, step)
    images = collection.images.order_by("position").filter(position__in=places)
    return list(images.values_list("image", flat=True))


def _alphas(names: Sequence[str]) -> list[bool]:
    """Return whether each image that can be read is transparent."""
    found = []
    for name in names:
        try:
            found.append(keeps_alpha(name))
        except (OSError, ObjectStorageError):  # a caution is no reason to fail
            continue
    return found


def _paints_alpha(checkpoint: Checkpoint) -> bool:
    autoencoder = checkpoint.config.get("autoencoder")
    return isinstance(autoencoder, dict) and autoencoder.get("alpha") is True
