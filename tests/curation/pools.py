"""Pool folders as `models_backend.curation select` writes them, and gold beside them."""

import hashlib
import json
from pathlib import Path

from evalplatform.accounts.projects import default_project
from evalplatform.core.stored_images import encode_image
from evalplatform.curation.services import import_pool
from tests import factories

FIRST = 70_000  # no other test draws images from this number on


def png(number: int, size: int = 16) -> bytes:
    return encode_image(factories.make_image(FIRST + number, size))


def write_pool(path: Path, count: int = 4, **changes) -> Path:
    """Write a pool of `count` images; `changes`: by image number, fields to be otherwise."""
    lines = []
    for number in range(count):
        content = png(number)
        sha256 = hashlib.sha256(content).hexdigest()
        file = f"images/{sha256[:2]}/{sha256}.png"
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_bytes(content)
        row = {
            "sha256": sha256, "file": file, "width": 16, "height": 16,
            "caption": f"a thing number {number // 2}", "concept": f"secret-concept-{number % 2}",
            "licence": "CC0-1.0", "popularity": number, "scores": {"ocr/words": number},
        }  # fmt: skip
        lines.append(row | changes.get(f"image_{number}", {}))
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (path / "pool.jsonl").write_text(text)
    (path / "funnel.json").write_text(
        json.dumps({"images": 2 * count, "stages": [{"stage": "automatic", "kept": count}]})
    )
    mark = {
        "format": "t2i-pool/1", "images": count, "rules_sha256": factories.digest("rules"),
        "scores_sha256": factories.digest("scores"), "source": "drawings",
        "list_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "scorers": [{"name": "ocr", "version": "1", "weights_sha256": ""}],
    }  # fmt: skip
    (path / "pool.json").write_text(json.dumps(mark | changes.get("mark", {})))
    return path


def write_gold(path: Path, **kinds: int) -> Path:
    """Write so many images of each kind of gold."""
    number = 1000
    for kind, count in kinds.items():
        (path / kind).mkdir(parents=True)
        for each in range(count):
            (path / kind / f"{each}.png").write_bytes(png(number))
            (path / kind / f"{each}.txt").write_text(f"It is {kind}.")
            number += 1
    return path


def make_pool(path: Path, count: int = 4, name: str = "needles", **changes):
    return import_pool(
        project=default_project(), path=write_pool(path, count, **changes), name=name, processes=1
    )
