"""Gold images: of the size annotators see anyway, stored under names that say nothing."""

import uuid
from collections import Counter
from collections.abc import Sequence

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from evalplatform.campaigns.images import Size, shown_size
from evalplatform.campaigns.selectors import ReadySet
from evalplatform.core.stored_images import encode_image


def usual_size(sets: Sequence[ReadySet]) -> Size:
    """Return the size at which most of a campaign's sets are shown; there is at least one."""
    return Counter(shown_size(each.pictures) for each in sets).most_common(1)[0][0]


def store_gold_image(image: Image.Image) -> str:
    """Store `image` as bare PNG under a random name and return that name."""
    return default_storage.save(f"gold/{uuid.uuid4().hex}.png", ContentFile(encode_image(image)))
