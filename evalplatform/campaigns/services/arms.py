"""Making arms, and what cannot be one."""

from typing import Any

from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.campaigns.selectors import planned_keys
from evalplatform.campaigns.walking import prompt_batches
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.selectors import refuse_retired_checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.images.models import ImageCollection
from evalplatform.images.selectors import images_for, refuse_retired_collection


def new_arm(
    campaign: Campaign, place: int, maker: Checkpoint | ImageCollection, **fields: Any
) -> Arm:
    """Return an arm, not stored yet, of a checkpoint or a collection."""
    kind = "checkpoint" if isinstance(maker, Checkpoint) else "collection"
    return Arm(campaign=campaign, place=place, **{kind: maker}, **fields)


def refuse_retired_maker(maker: Checkpoint | ImageCollection) -> None:
    """Raise `BadInputError` for what was retired.

    It looks once the row is locked, so that nothing is retired between the look and the campaign.
    """
    if isinstance(maker, Checkpoint):
        refuse_retired(Checkpoint.objects.select_for_update().get(pk=maker.pk))
    else:
        refuse_retired(ImageCollection.objects.select_for_update().get(pk=maker.pk))


def refuse_retired(maker: Checkpoint | ImageCollection) -> None:
    """Raise `BadInputError` for what was retired when its row was read; nothing is locked."""
    if isinstance(maker, Checkpoint):
        refuse_retired_checkpoint(maker)
    else:
        refuse_retired_collection(maker)


def refuse_gaps(campaign: Campaign, arm: Arm) -> None:
    """Raise `BadInputError` for a collection that lacks images: nobody can make them."""
    if arm.collection is None:
        return
    wanted, prompts, lacking = campaign.images_per_prompt, 0, list[str]()
    for some in prompt_batches(planned_keys(campaign)):
        there = images_for(arm.collection, some)
        prompts += len(some)
        lacking += [prompt.text for prompt in some if len(there[prompt.pk]) < wanted]
    if not lacking:
        return
    named = ", ".join(f"“{' '.join(text.split())[:60]}”" for text in lacking[:3])
    sets = {str(each) for each in campaign.prompt_sets.all()}
    elsewhere = str(arm.collection.prompt_set) not in sets
    answers = f" (its images answer {arm.collection.prompt_set})" if elsewhere else ""
    too_few = "no image" if wanted == 1 else f"fewer than {wanted} images"
    raise BadInputError(
        f"image collection {arm.name!r} has {too_few} of {len(lacking):,} of "
        f"{prompts:,} prompts{answers}: {named}; import it whole, or use prompts of which it "
        "has them."
    )
