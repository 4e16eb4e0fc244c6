"""All gold pairs of a campaign on one page, for a person to look at before it opens."""

import base64
import io

from django.core.files.storage import default_storage
from django.template.loader import render_to_string
from PIL import Image

from evalplatform.campaigns.models import Campaign

_SIDE = 256  # pixels at most: to look at, not to judge


def gold_sheet(campaign: Campaign) -> str:
    """Return one HTML file with every gold pair inside it, the better image on the left."""
    pairs = campaign.gold_pairs.select_related("criterion").order_by(
        "criterion__position", "purpose", "position"
    )
    return render_to_string(
        "quality/gold_sheet.html",
        {
            "campaign": campaign,
            "pairs": [
                {
                    "criterion": pair.criterion.get_kind_display(),
                    "purpose": pair.purpose,
                    "position": pair.position,
                    "prompt": pair.prompt_text if pair.criterion.shows_prompt else "",
                    "better": _thumbnail(pair.better_image),
                    "worse": _thumbnail(pair.worse_image),
                }
                for pair in pairs
            ],
        },
    )


def _thumbnail(name: str) -> str:
    with default_storage.open(name) as file, Image.open(file) as image:
        image.thumbnail((_SIDE, _SIDE))
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
