"""The worked examples an annotator reads before they agree to take part."""

import uuid
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext

from evalplatform.campaigns.models import Campaign, GoldPair


def examples_for(campaign: Campaign) -> list[dict[str, Any]]:
    """Return the campaign's example pairs, criterion by criterion, as a page shows them.

    Keys: `criterion_label`, `question`, `prompt` (None where it is hidden), `left` and `right`
    (image addresses), `better` ("left" or "right") and `why`.
    """
    examples = campaign.gold_pairs.filter(purpose=GoldPair.Purpose.EXAMPLE)
    return [
        {
            "criterion_label": pair.criterion.get_kind_display(),
            "question": gettext(pair.criterion.question),
            "prompt": pair.prompt_text if pair.criterion.shows_prompt else None,
            "left": reverse("annotation:example", args=[pair.public_id, "left"]),
            "right": reverse("annotation:example", args=[pair.public_id, "right"]),
            "better": better_side(pair),
            "why": gettext(pair.why),
        }
        for pair in examples.select_related("criterion").order_by("criterion__position", "position")
    ]


def better_side(pair: GoldPair) -> str:
    """Return the side on which a page shows the better image: as its random id falls."""
    return "left" if pair.public_id.int % 2 == 0 else "right"


def example_image(public_id: uuid.UUID, side: str) -> str | None:
    """Return the storage name of an example's `left` or `right` image.

    None for every other side and for gold pairs that are no examples: those stay unseen.
    """
    pair = GoldPair.objects.filter(public_id=public_id, purpose=GoldPair.Purpose.EXAMPLE).first()
    if pair is None or side not in ("left", "right"):
        return None
    return pair.better_image if side == better_side(pair) else pair.worse_image
