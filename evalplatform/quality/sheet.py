"""All gold of a campaign on one page, for a person to look at before it opens."""

import base64
import io

from django.core.files.storage import default_storage
from django.template.loader import render_to_string
from PIL import Image

from evalplatform.campaigns.models import Campaign

_SIDE = 256  # pixels at most: to look at, not to judge


def gold_sheet(campaign: Campaign) -> str:
    """Return one HTML file with all gold inside it, the best image of each first."""
    gold = campaign.image_sets.gold().select_related("criterion").prefetch_related("images")
    return render_to_string(
        "quality/gold_sheet.html",
        {
            "campaign": campaign,
            "sets": [
                {
                    "criterion": each.criterion.label,
                    "purpose": each.purpose,
                    "position": each.position,
                    "prompt": each.prompt_text if each.criterion.shows_prompt else "",
                    "images": [
                        (_thumbnail(name), grade)
                        for name, grade in zip(each.files, each.expected or (), strict=True)
                    ],
                }
                for each in gold.order_by("criterion__position", "purpose", "position")
                if each.criterion
            ],
        },
    )


def _thumbnail(name: str) -> str:
    with default_storage.open(name) as file, Image.open(file) as image:
        image.thumbnail((_SIDE, _SIDE))
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
