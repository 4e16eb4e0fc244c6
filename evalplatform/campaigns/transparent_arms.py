"""Transparent arms beside opaque ones: the ground that annotators see may tell which is which."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.core.object_storage import ObjectStorageError
from evalplatform.core.stored_images import keeps_alpha
from evalplatform.core.transparency import Ground
from evalplatform.generation.models import Sample
from evalplatform.images.models import ImageCollection

_LOOKED_AT = 16  # images of a collection, spread over it; of a checkpoint the first tells of all
_SEEN_THROUGH = {Ground.GREY: "neutral grey", Ground.CHECKER: "a checker"}
_KEPT_AS = "transparent_arms"  # in a protocol, only where some are
Look = Callable[[Sequence[str]], Iterator[bool]]


def transparency_in_protocol(arms: Sequence[Arm], frozen: dict[str, Any]) -> dict[str, Any]:
    """Return what a protocol keeps of these arms, and of those it has: nothing of opaque ones.

    What is frozen is not looked at again. Raises `ObjectStorageError` or `OSError` where the store
    is away, `BadInputError` where the images of an arm are missing: what cannot be seen is not
    frozen as opaque.
    """
    found = [arm.place for arm in arms if _is_transparent(arm, _alphas)]
    places = [*frozen.get(_KEPT_AS, []), *found]
    return {_KEPT_AS: places} if places else {}


def transparency_once_joined(
    arms: Sequence[Arm], newcomer: Arm, frozen: dict[str, Any]
) -> dict[str, Any]:
    """Return what a protocol keeps of all these arms, of which one has just joined.

    A protocol that keeps nothing may be of a version that looked at none, so all are looked at.
    Raises as `transparency_in_protocol` does.
    """
    return transparency_in_protocol([newcomer] if _KEPT_AS in frozen else arms, frozen)


def ground_caution(campaign: Campaign) -> str:
    """Return a line that names the arms that the ground tells apart, and what to do; "" for none.

    Of a campaign that has opened it is what was frozen then.
    """
    ground = Ground(campaign.checked_rules.annotation.ground)
    if ground is Ground.WHITE:  # on which most opaque drawings lie of themselves
        return ""
    frozen = campaign.protocol
    places = _seen_places(campaign) if frozen is None else frozen.get(_KEPT_AS, [])
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


def _seen_places(campaign: Campaign) -> list[int]:
    return [arm.place for arm in campaign.contenders if _is_transparent(arm, _readable_alphas)]


def _is_transparent(arm: Arm, look: Look) -> bool:
    """Look at a few images; a checkpoint without any is as its configuration says."""
    if arm.checkpoint:
        found = next(look(_made_by(arm.checkpoint)), None)
        return _paints_alpha(arm.checkpoint) if found is None else found
    return arm.collection is not None and any(look(_spread_over(arm.collection)))


def _made_by(checkpoint: Checkpoint) -> list[str]:
    ready = Sample.objects.filter(checkpoint=checkpoint, status=Sample.Status.READY)
    return list(ready.values_list("image", flat=True)[:_LOOKED_AT])


def _spread_over(collection: ImageCollection) -> list[str]:
    step = max(1, -(-collection.image_count // _LOOKED_AT))
    places = range(0, collection.image_count, step)
    images = collection.images.order_by("position").filter(position__in=places)
    return list(images.values_list("image", flat=True))


def _alphas(names: Sequence[str]) -> Iterator[bool]:
    """Yield whether each image that is there is transparent; raise where none is there."""
    missing = 0
    for name in names:
        try:
            found = keeps_alpha(name)
        except FileNotFoundError:
            missing += 1
        else:
            yield found
    if names and missing == len(names):
        raise BadInputError(
            f"the image {names[0]} is missing in object storage; bring it back from a copy, or "
            "have it made again for a campaign of another name."
        )


def _readable_alphas(names: Sequence[str]) -> Iterator[bool]:
    """Yield whether each image that can be read is transparent."""
    for name in names:
        try:
            found = keeps_alpha(name)
        except (OSError, ObjectStorageError):  # a caution is no reason to fail
            continue
        yield found


def _paints_alpha(checkpoint: Checkpoint) -> bool:
    autoencoder = checkpoint.config.get("autoencoder")
    return isinstance(autoencoder, dict) and autoencoder.get("alpha") is True
