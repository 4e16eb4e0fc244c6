"""Files of strangers become upright 8-bit RGB or RGBA, or a reason why not."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from evalplatform.images import decoding
from evalplatform.images.decoding import decode, read_file
from evalplatform.images.faults import RowError
from tests import factories
from tests.images import given


def why(content: bytes) -> str:
    with pytest.raises(RowError) as caught:
        decode(content)
    return str(caught.value)


def colour(image, x=0, y=0):
    return image.getpixel((x, y))


def near(found, wanted, by=12):
    return all(abs(a - b) <= by for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_image_keeps_its_pixels(format):
    image = factories.make_image(3)
    options = {"lossless": True} if format == "WEBP" else {}
    assert decode(given.encoded(image, format, **options)).tobytes() == image.tobytes()


def test_image_is_turned_upright_and_loses_its_exif():
    image = decode(given.turned_jpeg())
    assert (image.mode, image.size) == ("RGB", (16, 32))
    assert near(colour(image, 8, 2), (255, 0, 0))
    assert near(colour(image, 8, 30), (0, 0, 255))


def test_cmyk_jpeg_keeps_its_colours():
    """Ink of 0 is white, of magenta and yellow red; JPEGs of Adobe's programs store it inverted."""
    inks = Image.new("CMYK", (32, 16), (0, 255, 255, 0))
    inks.paste((0, 0, 0, 0), (16, 0, 32, 16))
    image = decode(given.encoded(inks, "JPEG", quality=95))
    assert near(colour(image, 4, 4), (255, 0, 0))
    assert near(colour(image, 28, 4), (255, 255, 255))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_pixels_stay_so_and_hide_no_colour(mode):
    layer = Image.new("RGBA", (8, 8), (0, 0, 0, 255))
    layer.paste((0, 0, 0, 0), (4, 0, 8, 8))
    # PA is what a GIF or an indexed PNG with transparency becomes.
    content = given.encoded(layer.convert("LA" if mode == "LA" else "RGBA"))
    if mode == "PA":
        content = given.encoded(layer.quantize(4))
    image = decode(content)
    assert image.mode == "RGBA"
    assert colour(image, 0) == (0, 0, 0, 255)
    assert colour(image, 7) == (255, 255, 255, 0)


def test_half_transparent_pixels_keep_their_colour():
    image = decode(given.encoded(Image.new("RGBA", (4, 4), (200, 30, 60, 128))))
    assert (image.mode, colour(image)) == ("RGBA", (200, 30, 60, 128))


def test_image_with_an_alpha_channel_that_is_opaque_all_over_is_rgb():
    image = decode(given.encoded(Image.new("RGBA", (4, 4), (200, 30, 60, 255))))
    assert (image.mode, colour(image)) == ("RGB", (200, 30, 60))


def test_palette_with_one_transparent_entry_is_transparent_there():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((0, 0), 1)
    found = decode(given.encoded(image, transparency=0))
    assert (colour(found, 0), colour(found, 3)) == ((200, 100, 50, 255), (255, 255, 255, 0))


def test_16_bit_grey_with_a_transparent_value_is_taken_as_grey():
    values = np.full((2, 2), 32896, dtype=np.uint16)
    image = decode(given.encoded(Image.fromarray(values), transparency=7))
    assert (image.mode, colour(image)) == ("RGB", (128, 128, 128))


def test_16_bit_grey_is_scaled_not_cut():
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    image = decode(given.encoded(Image.fromarray(values)))
    assert [colour(image, x)[0] for x in range(4)] == [0, 1, 128, 255]


def test_bilevel_image_becomes_black_and_white():
    image = Image.new("1", (2, 1), 0)
    image.putpixel((1, 0), 1)
    assert [colour(decode(given.encoded(image)), x)[0] for x in (0, 1)] == [0, 255]


def test_colours_of_another_profile_are_converted():
    """Lab's white point of 5000 K and a tone curve: the same numbers mean other colours."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    image = Image.new("RGB", (4, 4), (200, 30, 60))
    as_srgb = given.encoded(image, icc_profile=lab.tobytes())
    assert colour(decode(as_srgb)) == (200, 30, 60)
    swapped = _profile_with_red_and_blue_swapped(lab.tobytes())
    assert near(colour(decode(given.encoded(image, icc_profile=swapped))), (60, 30, 200), by=3)
    image.putalpha(100)
    found = colour(decode(given.encoded(image, icc_profile=swapped)))
    assert near(found, (60, 30, 200, 100), by=3)


def _profile_with_red_and_blue_swapped(profile: bytes) -> bytes:
    """Exchange the tags of two primaries, and the description that says sRGB."""
    swapped = profile.replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")
    return swapped.replace("sRGB".encode("utf-16-be"), "xxxx".encode("utf-16-be"))


def test_broken_profile_is_as_if_there_were_none():
    image = factories.make_image(2)
    content = given.encoded(image, icc_profile=b"no profile at all")
    assert decode(content).tobytes() == image.tobytes()


def test_animated_image_is_refused_and_says_how_many_frames():
    assert why(given.animated_gif(3)) == "is animated (3 frames); give a single picture"
    frames = [factories.make_image(seed) for seed in range(2)]
    for format in ("WEBP", "PNG"):
        content = given.encoded(frames[0], format, save_all=True, append_images=frames[1:])
        assert "is animated (2 frames)" in why(content)
    assert decode(given.animated_gif(1)).mode == "RGB"


def test_picture_with_a_second_one_behind_it_is_taken_for_the_first():
    first, second = factories.make_image(1), factories.make_image(2)
    content = given.encoded(first, "MPO", save_all=True, append_images=[second], quality=95)
    assert decode(content).tobytes() == decode(given.encoded(first, "JPEG", quality=95)).tobytes()


def test_tiff_of_several_pages_is_refused():
    pages = [factories.make_image(seed) for seed in range(2)]
    content = given.encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert "has several pages (2 frames)" in why(content)


def test_floating_pixels_are_refused():
    values = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    assert why(given.encoded(Image.fromarray(values), "TIFF")).startswith("has pixels of kind F")


def png_that_says(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises so many pixels, all black."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(10_000, 10_000), (8_001, 8_000), (60_000, 60_000)])
def test_image_of_too_many_pixels_is_refused_before_it_is_decoded(size, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("was decoded"))
    said = why(png_that_says(*size))
    assert said.endswith("pixels are over 64 million; scale it down")


def test_file_of_too_many_bytes_is_refused_before_it_is_opened(monkeypatch, tmp_path):
    monkeypatch.setattr(decoding, "MOST_BYTES", 100)
    path = tmp_path / "large.png"
    path.write_bytes(given.png() * 50)
    content = read_file(path)
    assert len(content) == 101
    assert "its file is over" in why(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (given.png(1, 64)[:-200], "the file is damaged"),
        (given.encoded(factories.make_image(1, 64), "JPEG")[:900], "the file is damaged"),
        (b"", "is no image of a known format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no image of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no image of a known format"),
    ],
)
def test_what_is_no_whole_image_is_refused(content, said):
    assert why(content).startswith(said)


def test_no_file_made_of_noise_ends_in_anything_but_a_reason():
    """Whatever Pillow raises for a damaged file becomes one."""
    rng = np.random.default_rng(5)
    picture = factories.make_image(1)
    files = [given.png(1, 32), given.turned_jpeg(), given.animated_gif(1)]
    files += [given.encoded(picture, format) for format in ("TIFF", "WEBP", "BMP")]
    reasons = []
    for content in files * 60:
        spoilt = bytearray(content)
        for place in rng.integers(0, len(spoilt), 4):
            spoilt[place] = rng.integers(0, 256)
        try:
            assert decode(bytes(spoilt)).mode == "RGB"
        except RowError as error:
            reasons.append(str(error))
    assert len(reasons) > 60
    assert not [reason for reason in reasons if "\n" in reason]


def test_file_that_came_without_its_folder_is_told(tmp_path):
    given.folder(tmp_path, {"0.png": given.png(), "mine/1.png": given.png()})
    said = "there is no file .*theirs/0.png; 0.png is there without its folder: give the whole"
    with pytest.raises(RowError, match=said):
        read_file(tmp_path / "theirs/0.png")
    for other in ("theirs/2.png", "mine/0.png"):
        with pytest.raises(RowError, match=f"there is no file .*{other}$"):
            read_file(tmp_path / other)


def test_a_folder_or_a_device_is_no_image_file(tmp_path):
    for path in (tmp_path, tmp_path / "none.png"):
        with pytest.raises(RowError, match="there is no file"):
            read_file(path)
    with pytest.raises(RowError, match="there is no file"):
        read_file(Path("/dev/zero"))
