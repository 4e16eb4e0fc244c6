"""Gold images: of the size annotators see anyway, stored under names that say nothing."""

import uuid
from collections import Counter
from collections.abc import Sequence

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from evalplatform.campaigns.images import Size, shown_size
from evalplatform.core.stored_images import encode_image
from evalplatform.generation.models import Sample


def usual_size(pairs: Sequence[tuple[Sample, Sample]]) -> Size:
    """Return the size at which most pairs of a campaign are shown."""
    return Counter(shown_size(*pair) for pair in pairs).most_common(1)[0][0]


def store_gold_image(image: Image.Image) -> str:
    """Store `image` as bare PNG under a random name and return that name."""
    return default_storage.save(f"gold/{uuid.uuid4().hex}.png", ContentFile(encode_image(image)))
