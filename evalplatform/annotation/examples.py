"""The worked examples an annotator reads before they agree to take part."""

import uuid
from typing import Any

import numpy as np
from django.urls import reverse
from django.utils.translation import get_language, gettext

from evalplatform.campaigns.forms.single import RATING
from evalplatform.campaigns.models import Campaign, Criterion, ImageSet
from evalplatform.campaigns.packing import FULL, name_at


def examples_for(campaign: Campaign) -> list[dict[str, Any]]:
    """Return the campaign's examples, criterion by criterion, as a page shows them.

    Keys: `criterion_label`, `question`, `prompt` (None where it is hidden), `images` (in the order
    shown, of each its `url`, the `verdict` on it, in words, "" where nothing is said of it, and
    whether it `is_good`, None likewise) and `why`.
    """
    examples = campaign.image_sets.filter(purpose=ImageSet.Purpose.EXAMPLE)
    found = []
    for each in examples.select_related("criterion").order_by("criterion__position", "position"):
        criterion, expected = each.criterion, each.expected
        assert criterion  # image_set_is_gold_or_not
        assert expected
        found.append(
            {
                "criterion_label": criterion.label,
                "question": criterion.in_language(get_language() or "").question,
                "prompt": each.prompt_text if criterion.shows_prompt else None,
                "images": [
                    {
                        "url": reverse("annotation:example", args=[each.public_id, position]),
                        "is_good": is_good,
                        "verdict": verdict,
                    }
                    for position, place in enumerate(example_order(each))
                    for is_good, verdict in [_said(criterion, expected, place)]
                ],
                "why": gettext(each.why) if each.why else "",
            }
        )
    return found


def examples_beside(campaign: Campaign) -> list[dict[str, Any]]:
    """Return the examples that stay in sight of who judges: where one thing is asked of images
    alone. Pairs and rankings need the room, and several criteria have examples of each.
    """
    criteria = list(campaign.criteria.all())
    alone = len(criteria) == 1 and criteria[0].shape.most == 1
    return examples_for(campaign) if alone else []


def _said(criterion: Criterion, expected: list[int], place: int) -> tuple[bool | None, str]:
    """Return whether the image at a place is good and what is said of it, where anything is."""
    grade = expected[place]
    if len(expected) > 1:
        return (True, gettext("Better here")) if grade == max(expected) else (None, "")
    is_good = grade > criterion.shape.worst
    if criterion.form == RATING.name:
        ends = {min(RATING.scale): gettext("worst"), max(RATING.scale): gettext("best")}
        return is_good, f"{grade} ({ends[grade]})" if grade in ends else str(grade)
    return is_good, gettext("Kept") if is_good else gettext("Rejected")


def example_order(example: ImageSet) -> list[int]:
    """Return which place stands at each position of an example: as its random id falls."""
    count = len(example.expected or ())
    return [int(place) for place in np.random.default_rng(example.public_id.int).permutation(count)]


def example_image(public_id: uuid.UUID, position: int, width: int = FULL) -> str | None:
    """Return the storage name of an example's image at a position, or of its smaller copy.

    None where there is none, and for gold that is no example: that stays unseen.
    """
    examples = ImageSet.objects.filter(purpose=ImageSet.Purpose.EXAMPLE).select_related("campaign")
    example = examples.filter(public_id=public_id).first()
    if example is None:
        return None
    order = example_order(example)
    if position >= len(order) or not (width == FULL or width in example.campaign.shown_widths):
        return None
    return name_at(example.images.get(place=order[position]).copies[0], width)
