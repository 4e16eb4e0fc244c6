"""A million scored images that were never looked at, to apply rules to."""

from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from models_backend.curation.scorers.base import ScorerIdentity
from models_backend.curation.store import IMAGES, Store

ROWS_A_PART = 50_000
CONCEPTS = 50


class Pretended:
    """A scorer whose numbers are drawn."""

    reads_fields = False

    def __init__(self, name, measures):
        self.identity = ScorerIdentity(name, "1")
        self.measures = measures


SCORERS = [
    Pretended("size", {"width": "int64", "height": "int64", "min_side": "int64",
                       "aspect": "float64"}),
    Pretended("pixels", dict.fromkeys(("sharpness", "noise", "brightest", "darkest"), "float64")),
    Pretended("ocr", {"words": "int64"}),
    Pretended("offensive", {"score": "float64"}),
    Pretended("retrieval_head", {"cosine": "float64"}),
    Pretended("duplicates", {"phash": "uint64", "colours": "uint64"}),
    Pretended("concepts", {"name": "string"}),
    Pretended("popularity", {"value": "float64"}),
]  # fmt: skip
RULES = """
[[stage]]
name = "automatic"
keep = ["offensive/score < 0.9", "ocr/words <= 3", "pixels/sharpness >= 0.1",
        "retrieval_head/cosine >= 0.2"]
[[stage]]
name = "size"
keep = ["size/min_side >= 300 and size/aspect <= 2.0"]
[[stage]]
name = "duplicates"
hamming = 4
colours = 2
order = "pixels/sharpness"
[[stage]]
name = "balance"
by = "concepts/name"
take = 200_000
order = "pixels/sharpness"
[[stage]]
name = "popularity"
order = "popularity/rank_in_concept"
take = 20_000
"""


def write_scores(folder: Path, count: int, *, rows_a_part: int = ROWS_A_PART) -> Store:
    """Write so many rows; a hundredth of the images are near-duplicates of the one before."""
    rng = np.random.default_rng(0)
    store = Store.create(folder)
    for start in range(0, count, rows_a_part):
        _write_part(store, rng, min(rows_a_part, count - start), start)
    return store


def _write_part(store: Store, rng: np.random.Generator, count: int, start: int) -> None:
    hashes = pyarrow.array([rng.bytes(32) for _ in range(count)], pyarrow.binary(32))
    texts = pyarrow.array(np.zeros(count, dtype=np.uint64))
    phash = rng.integers(0, 2**63, count, dtype=np.uint64)
    copies = np.flatnonzero(rng.random(count) < 0.01)
    copies = copies[copies > 0]
    phash[copies] = phash[copies - 1] ^ np.uint64(2**17 + 2**40)
    colours = np.full(count, 12345, dtype=np.uint64)
    side = rng.integers(100, 2000, (2, count))
    columns = {
        "size/width": side[0], "size/height": side[1], "size/min_side": side.min(axis=0),
        "size/aspect": side.max(axis=0) / side.min(axis=0),
        **{f"pixels/{name}": rng.random(count) for name in SCORERS[1].measures},
        "ocr/words": rng.poisson(1.0, count), "offensive/score": rng.beta(1, 8, count),
        "retrieval_head/cosine": rng.normal(0.3, 0.1, count),
        "duplicates/phash": phash, "duplicates/colours": colours,
        "concepts/name": [f"concept {n}" for n in rng.zipf(1.4, count) % CONCEPTS],
        "popularity/value": rng.lognormal(3, 2, count),
    }  # fmt: skip
    table = pyarrow.table({"image_sha256": hashes, "text_key": texts,
                           "error": pyarrow.nulls(count, pyarrow.string()), **columns})  # fmt: skip
    store.add_table(SCORERS, table)
    places = {
        "image_sha256": hashes, "text_key": texts,
        "place_key": np.arange(start, start + count, dtype=np.uint64),
        "file": [f"{start + n:07d}.jpg" for n in range(count)], "first": np.full(count, -1),
        "second": np.full(count, -1), "ending": ["jpg"] * count, "caption": ["a thing"] * count,
        "concept": [""] * count, "licence": ["CC0-1.0"] * count,
        "error": pyarrow.nulls(count, pyarrow.string()),
    }  # fmt: skip
    parquet.write_table(
        pyarrow.table(places).select(IMAGES.names).cast(IMAGES),
        store.folder / "images" / f"part-{start:020d}-0.parquet", compression="none",
    )  # fmt: skip
