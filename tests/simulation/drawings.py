"""Small captioned data sets on disk: things made of three blobs, each drawn in several styles.

`3d` is shaded and vivid, `flat` has even areas, `outline` black lines. A curation picks all of 3d.
"""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

STYLES = ("3d", "flat", "outline")
NAMES = (
    "anchor", "badger", "candle", "donkey", "engine", "falcon", "guitar", "hammer", "iguana",
    "jacket", "kettle", "ladder", "magnet", "needle", "orange", "pencil", "quartz", "rabbit",
    "saddle", "turtle", "urchin", "violin", "walnut", "xylophone", "yogurt", "zipper", "basket",
    "castle", "dragon", "feather",
)  # fmt: skip


def draw(thing: int, style: str, *, hand: int = 0) -> Image.Image:
    """Return a thing of 64 x 64 pixels; another `hand` draws it a little differently."""
    what, how = np.random.default_rng(thing), np.random.default_rng([thing, hand, len(style)])
    image = Image.new("RGB", (64, 64), "white")
    for _ in range(3):
        x, y = what.uniform(16, 48, 2) + how.normal(0, 2, 2)
        wide, high = what.uniform(8, 20, 2) * how.uniform(0.85, 1.15, 2)
        colour = np.clip(what.uniform(0, 255, 3) + how.normal(0, 12, 3), 0, 255)
        box = (x - wide, y - high, x + wide, y + high)
        if style == "3d":
            colour = np.clip(colour + 0.6 * (colour - colour.mean()), 0, 255)
            _shaded(image, box, colour)
        else:
            pen = {"outline": "black", "width": 3} if style == "outline" else {}
            fill = tuple(colour.astype(int).tolist())
            ImageDraw.Draw(image).ellipse(box, fill=fill, **pen)
    return image


def _shaded(image: Image.Image, box: tuple[float, ...], colour: np.ndarray) -> None:
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    y = np.linspace(0, 1, image.height)[:, None, None]
    shade = np.clip(colour * (1.25 - 0.6 * y) * np.ones((1, image.width, 1)), 0, 255)
    image.paste(Image.fromarray(shade.astype(np.uint8)), mask=mask.filter(ImageFilter.BoxBlur(1)))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write(
    folder: Path, *, styles: tuple[str, ...] = STYLES, hand: int = 0, count: int = 30
) -> Path:
    """Write a data set of `count` things (at most 30), a drawing of each in each style."""
    folder.mkdir(parents=True)
    lines = []
    for thing, name in enumerate(NAMES[:count]):
        for style in styles:
            content = png(draw(thing, style, hand=hand))
            file = f"{style}-{name}.png"
            (folder / file).write_bytes(content)
            entry = {
                "concept": name, "caption": f"a {name}", "style": style, "file": file,
                "sha256": hashlib.sha256(content).hexdigest(),
            }  # fmt: skip
            lines.append(json.dumps(entry) + "\n")
    (folder / "manifest.jsonl").write_text("".join(lines))
    return folder


def write_picks(path: Path, *, count: int = 30) -> Path:
    """Write a list that picks the 3d drawing of each thing."""
    rows = "".join(f"3d\t{name}\ta {name}\n" for name in NAMES[:count])
    path.write_text("# style, concept, what it shows\n" + rows)
    return path
