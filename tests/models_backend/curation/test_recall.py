"""Damage, words and near-duplicates planted among drawings: what the default rules make of them."""

import numpy as np
import pyarrow
import pytest
from PIL import Image, ImageDraw

from models_backend.curation.__main__ import main
from models_backend.curation.audit import near_duplicates
from models_backend.curation.columns import numbers, places, texts, valid
from models_backend.curation.fingerprints import WINDOWS
from models_backend.curation.planting import copied, cropped, lettered
from models_backend.curation.recall import recall
from models_backend.curation.rules import read_rules
from models_backend.curation.scorers.base import ScorerInput
from models_backend.curation.scorers.duplicates import Duplicates
from models_backend.curation.scorers.registry import load_scorers
from models_backend.curation.selecting import apply, write_pool
from models_backend.data.manifest import Record
from models_backend.files import sha256_of_file
from tests.models_backend.tiny import write_records

KINDS = {"blurred": 6, "noisy": 4, "darkened": 4, "text": 6, "copy": 4, "crop": 4}


def drawing(seed, side=64):
    """Draw coloured shapes with sharp edges on white, as the demo's drawings are."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side * 4, side * 4), "white")
    canvas = ImageDraw.Draw(image)
    for number in range(7):
        left, top = rng.integers(side // 4, side * 2, 2).tolist()
        wide, high = rng.integers(side // 2, side * 2, 2).tolist()
        colour = tuple(rng.integers(0, 200, 3).tolist())
        shape = canvas.ellipse if number % 2 else canvas.rectangle
        shape((left, top, left + wide, top + high), fill=colour)
    return image.resize((side, side), Image.Resampling.LANCZOS)


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawings")
    (folder / "images").mkdir()
    records = []
    for number in range(24):
        path = folder / "images" / f"{number}.png"
        drawing(number).save(path)
        records.append(
            Record(
                concept=f"c{number}", caption=f"thing {number}", keywords=[], category="things",
                style="flat", source="drawn@1.0.0", licence="CC0-1.0", sha256=sha256_of_file(path),
                file=f"images/{number}.png",
            )
        )  # fmt: skip
    return write_records(folder, records)


@pytest.fixture(scope="module")
def haystack(drawings, tmp_path_factory):
    """The drawings with needles planted, and all their scores."""
    hay, scores = tmp_path_factory.mktemp("hay"), tmp_path_factory.mktemp("scored") / "scores"
    counts = [f"--{kind}={count}" for kind, count in KINDS.items()]
    assert main(["plant", "--data", str(drawings), "--out", str(hay), "--seed", "7", *counts]) == 0
    command = ["score", "--data", str(hay), "--out", str(scores)]
    assert main([*command, "--scorers", "pixels,duplicates,ocr,offensive,concepts"]) == 0
    return hay, scores


def test_default_rules_remove_what_was_planted_and_keep_the_rest(haystack, capsys):
    hay, scores = haystack
    assert main(["recall", "--data", str(hay), "--scores", str(scores)]) == 0
    told = capsys.readouterr().out
    found = recall(apply(scores, read_rules(_default_rules())), hay)
    assert {each.kind: each.images for each in found.kinds} == {"clean": 24, **KINDS}
    assert found.removed >= 0.95, told
    assert found.kept >= 0.98, told
    by = {each.kind: each.by for each in found.kinds}
    assert by["text"] == {"ocr/words <= 1": KINDS["text"]}
    assert by["noisy"] == {"pixels/noise <= 0.35": KINDS["noisy"]}
    assert "blur, text and near-duplicates removed" in told


def test_audit_shows_pairs_of_near_duplicates_and_leaves_out_what_is_empty(haystack, tmp_path):
    hay, scores = haystack
    selection = apply(scores, read_rules(_default_rules()))
    (pairs,) = near_duplicates(selection.loaded.scores, selection.rules, selection.decision)
    assert (len(pairs.goes), pairs.dropped) == (8, 8)
    assert pairs.bits == sorted(pairs.bits, reverse=True)
    assert pairs.bits[0] <= 8
    assert set(pairs.stays) <= set(selection.decision.kept.tolist())
    assert not set(pairs.goes) & set(selection.decision.kept.tolist())
    out = write_pool(selection, hay, tmp_path / "pool")
    assert "duplicates: hamming 8" in (out / "audit" / "index.html").read_text()
    heights = []
    for path in sorted((out / "audit").glob("*.png")):
        with Image.open(path) as picture:
            heights.append(picture.height)
    assert heights[1] > heights[-2]  # nothing goes by the number of frames


def test_rules_that_find_nothing_are_told_so(haystack, tmp_path):
    hay, scores = haystack
    rules = tmp_path / "rules.toml"
    rules.write_text('[[stage]]\nname = "size"\nkeep = ["size/min_side >= 1"]\n')
    found = recall(apply(scores, read_rules(rules)), hay)
    assert (found.removed, found.kept) == (0.0, 1.0)


def test_recall_needs_what_was_planted(haystack, drawings, capsys):
    assert main(["recall", "--data", str(drawings), "--scores", str(haystack[1])]) == 2
    assert "nothing that was planted" in capsys.readouterr().err


def far_apart(row, other):
    """Bits between the hash of one whole image and that of the nearest window of another."""
    whole = [other[f"{name}phash"] for name in ("", *(f"{window}_" for window in WINDOWS))]
    return min(bin(row["phash"] ^ each).count("1") for each in whole)


def test_copies_and_cut_edges_have_nearly_the_fingerprint_of_their_original():
    rng = np.random.default_rng(1)
    near = {"copied": 0, "cropped": 0, "cut by a twelfth": 0, "another": 0}
    for number in range(40, 60):
        image = drawing(number)
        wide = cropped(image, rng, most=1 / 12)
        made = (copied(image, rng), cropped(image, rng), wide, drawing(number + 1))
        mine, *others = Duplicates().score([ScorerInput("", each) for each in (image, *made)])
        for kind, other in zip(near, others, strict=True):
            near[kind] += far_apart(other, mine) <= 8
    assert near["copied"] == 20
    assert near["cropped"] >= 18
    assert near["cut by a twelfth"] >= 13
    assert near["another"] == 0


def test_symmetric_drawing_keeps_its_fingerprint_when_compressed():
    """Half the frequencies of a symmetric drawing are nothing; their bits must not be noise."""
    image = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(image).ellipse((12, 12, 51, 51), fill=(40, 90, 200))
    rng = np.random.default_rng(2)
    one, other = Duplicates().score([ScorerInput("", image), ScorerInput("", copied(image, rng))])
    assert bin(one["phash"] ^ other["phash"]).count("1") <= 2


def test_words_are_counted_and_shapes_like_letters_are_not():
    (_, ocr) = load_scorers(["ocr"], {})
    image = drawing(3)
    shape = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(shape).ellipse((12, 12, 51, 51), outline="black", width=7)  # reads as O
    written, plain, letter = ocr.score(
        [ScorerInput("", each)
         for each in (lettered(image, np.random.default_rng(0)), image, shape)]
    )  # fmt: skip
    assert written["words"] >= 2
    assert 0.03 < written["area"] < 0.5
    assert plain == letter == {"words": 0, "area": 0.0}


@pytest.mark.parametrize("offset", [0, 3])
def test_columns_are_what_pyarrow_says(offset):
    column = pyarrow.array([1.5, None, 3.0, 4.0, None, 6.0] * 3).slice(offset)
    chunked = pyarrow.chunked_array([column, column.slice(1)])
    there = chunked.is_valid().to_numpy()
    assert valid(chunked).tolist() == there.tolist()
    assert numbers(chunked)[there].tolist() == chunked.drop_null().to_numpy().tolist()
    rows = np.array([2, 0, 1])
    assert column.take(places(rows, rows > 0)).to_pylist() == [column[2].as_py(), None,
                                                               column[1].as_py()]  # fmt: skip
    assert texts(["", "drop", "ünï"]).to_pylist() == ["", "drop", "ünï"]


def _default_rules():
    from models_backend.curation.__main__ import DEFAULT_RULES

    return DEFAULT_RULES
