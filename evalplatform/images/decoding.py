"""Reading image files that somebody else made: upright 8-bit RGB or RGBA, or a reason why not.

Files are not trusted. Their size is bounded before they are read, their pixels before they are
decoded, and only formats of single pictures are tried.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from evalplatform.core.transparency import has_alpha
from evalplatform.images.faults import RowError

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "GIF", "TIFF")
MOST_PIXELS = 64_000_000
MOST_BYTES = 128 * 2**20
_WHITE = (255, 255, 255)
_PLAIN = {"RGB", "L", "1", "P", "YCbCr", "CMYK", "RGBX"}
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def read_file(path: Path) -> bytes:
    """Return an image file's bytes. Raises `RowError` where it is none or too large."""
    if not path.is_file():
        raise RowError("unreadable", f"there is no file {path}{_without_its_folder(path)}")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise RowError("unreadable", f"{path} cannot be opened ({error.strerror})") from error
    return content


def _without_its_folder(path: Path) -> str:
    """Say where a missing file lies after all: beside the folder in which it was looked for.

    So it is where files are sent one by one: a browser tells nothing of the folder they lie in.
    """
    there = next((each for each in path.parents if each.is_dir()), path.parent)
    if there == path.parent or not (there / path.name).is_file():
        return ""
    return f"; {path.name} is there without its folder: give the whole folder, or a zip of it"


def decode(content: bytes) -> Image.Image:
    """Return an image file's picture: turned as EXIF says, without it, 8-bit RGB in sRGB.

    What is transparent somewhere is RGBA, straight, with white below what is clear: of colours
    that nobody sees nothing is kept.

    Raises `RowError` for what is no image, is damaged, animated, too large, or of pixels that have
    no plain meaning as 8-bit colours.
    """
    if len(content) > MOST_BYTES:
        raise RowError("refused", f"its file is over {MOST_BYTES // 2**20} MiB; scale it down")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow forgives, we do
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                _refuse(image)
                return _upright(image)
    except RowError:
        raise
    except Image.DecompressionBombError as error:
        raise RowError("refused", _too_many("its")) from error
    except Image.UnidentifiedImageError as error:
        why = f"is no image of a known format; accepted: {', '.join(FORMATS)}"
        raise RowError("unreadable", why) from error
    except Exception as error:  # Pillow raises nearly anything for a file made to break it
        said = str(error).split("\n")[0][:120] or type(error).__name__
        raise RowError("unreadable", f"the file is damaged ({said})") from error


def _refuse(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise RowError("refused", _too_many(f"{image.width} x {image.height} ="))
    frames = getattr(image, "n_frames", 1)
    # Phones put a depth map or a second view behind the picture (MPO): the first one is meant.
    if frames > 1 and image.format != "MPO":
        what = "has several pages" if image.format == "TIFF" else "is animated"
        raise RowError("refused", f"{what} ({frames} frames); give a single picture")


def _too_many(which: str) -> str:
    return f"{which} pixels are over {MOST_PIXELS // 10**6} million; scale it down"


def _upright(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    image.load()
    upright = ImageOps.exif_transpose(image)
    alpha = _alpha(upright)
    plain = _in_srgb(_eight_bits(upright), profile).convert("RGB")
    if alpha is not None:
        plain.paste(_WHITE, mask=alpha.point(lambda value: 255 * (value == 0)))
        plain.putalpha(alpha)
    return plain


def _alpha(image: Image.Image) -> Image.Image | None:
    """Return how opaque each pixel is, or None where all are."""
    if image.mode.startswith("I") or not has_alpha(image):  # Pillow knows no alpha of 16 bits
        return None
    alpha = image.convert("RGBA").getchannel("A")
    return None if alpha.getextrema() == (255, 255) else alpha


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return the picture's colours in a mode of 8 bits a channel."""
    if image.mode.startswith("I;16") or image.mode == "I":
        return _scaled_down(image)
    if has_alpha(image):
        return image.convert("RGBA").convert("RGB")
    if image.mode not in _PLAIN:
        raise RowError("refused", f"has pixels of kind {image.mode}; save it as 8-bit RGB")
    return image if image.mode in ("L", "CMYK") else image.convert("RGB")


def _scaled_down(image: Image.Image) -> Image.Image:
    """Return 16-bit grey as 8-bit grey: Pillow's own conversion would cut, not scale."""
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 0xFFFF):
        raise RowError("refused", "has pixels of 32 bits; save it as 8-bit RGB")
    return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the picture with the colours that its profile means, where it has a usable one."""
    if not profile:
        return image
    try:
        meant = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(meant):
            return image
        converted = ImageCms.profileToProfile(image, meant, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # broken, or of another kind of pixels: as if there were none
    return image if converted is None else converted
