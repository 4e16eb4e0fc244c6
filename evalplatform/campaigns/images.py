"""The size at which a set is shown: one for all its images, whatever made them.

Where their sizes differ, the size would tell which arm made which: what is larger in area is then
shown as a copy of the smallest one's size. What is stored for annotators: copies.py.
"""

from collections.abc import Sequence

from django.core.files.storage import default_storage
from PIL import Image, ImageOps

from evalplatform.campaigns.models import Picture
from evalplatform.core.transparency import GREY, Ground, has_alpha, on_ground

Size = tuple[int, int]


def shown_size(samples: Sequence[Picture]) -> Size:
    """Return the (width, height) at which these are shown together: the smallest one's."""
    return min((size_of(each) for each in samples), key=lambda size: size[0] * size[1])


def size_of(sample: Picture) -> Size:
    return int(sample.width or 1), int(sample.height or 1)


def open_sample(sample: Picture, size: Size, ground: Ground) -> Image.Image:
    """Return a sample's image as it is shown at this size."""
    return open_stored(sample.image, size, ground)


def open_stored(name: str, size: Size | None, ground: Ground) -> Image.Image:
    """Return a stored image as it is shown at this size; None: at its own."""
    with default_storage.open(name) as file, Image.open(file) as image:
        return on_ground(image, ground) if size is None else fit_on_grey(image, size, ground)


def fit_on_grey(image: Image.Image, size: Size, ground: Ground = Ground.GREY) -> Image.Image:
    """Return `image` upright and opaque, scaled into `size` in the middle of neutral grey.

    `ground` is what is seen through it where it is transparent.
    """
    upright = ImageOps.exif_transpose(image)
    upright = upright.convert("RGBA" if has_alpha(upright) else "RGB")
    if upright.size != size:
        upright = ImageOps.contain(upright, size, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", size, GREY)
    place = ((size[0] - upright.width) // 2, (size[1] - upright.height) // 2)
    canvas.paste(on_ground(upright, ground), place)
    return canvas
