"""Each public format becomes a preference set, and what is written in one is read from it again."""

import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models_backend.errors import InputError
from models_backend.preferences.__main__ import main
from models_backend.preferences.importing import import_set
from models_backend.preferences.reading import PreferenceSet
from models_backend.preferences.records import consensus
from tests.models_backend.preferences import simulated

NAMES = ("one.png", "two.png", "three.png", "four.png")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with four images."""
    rng = np.random.default_rng(0)
    for name in NAMES:
        (tmp_path / name).write_bytes(simulated.picture(rng, 0.5))
    return tmp_path


def made(source: Path, form: str, folder: Path, **given) -> PreferenceSet:  # type: ignore[no-untyped-def]
    import_set(source, folder, form=form, **given)
    return PreferenceSet.open(folder)


def as_json(folder: Path, *entries: dict) -> Path:  # type: ignore[type-arg]
    path = folder / "entries.json"
    path.write_text(json.dumps(entries))
    return path


def as_parquet(folder: Path, *rows: dict) -> Path:  # type: ignore[type-arg]
    path = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def encoded(folder: Path, name: str) -> dict:  # type: ignore[type-arg]
    return {"bytes": (folder / name).read_bytes(), "path": None}


def test_imagereward_keeps_ties_of_its_ranking(images):
    source = as_json(
        images, {"id": "1", "prompt": "a cat", "generations": NAMES, "ranking": [1, 2, 4, 2]}
    )
    found = made(source, "imagereward", images / "set")
    assert found.rankings[0].ranks == (1, 2, 4, 2)
    assert [p.votes for p in found.pairs] == [(1, 0), (1, 0), (1, 0), (1, 0), (0, 0), (0, 1)]
    assert found.pairs[4].ties == 1


def test_hpdv2_takes_each_persons_order_and_training_pairs(images):
    source = as_json(
        images,
        {
            "prompt": "a cat", "image_path": NAMES[:2], "rank": [0, 1],
            "raw_annotations": [
                {"rank": [0, 1], "user_hash": "x"}, {"rank": [1, 0], "user_hash": "y"},
            ],
        },
        {"prompt": "a dog", "image_path": NAMES[2:], "human_preference": [0, 1], "user_hash": "x"},
    )  # fmt: skip
    found = made(source, "hpdv2", images / "set")
    assert [(p.user_id, p.votes) for p in found.pairs] == [(1, (1, 0)), (2, (0, 1)), (1, (0, 1))]


def test_hpdv3_does_not_keep_the_preferred_image_first(images):
    entries = [
        {"prompt": f"thing {n}", "path1": NAMES[n], "path2": NAMES[m], "choice_dist": [7, 2]}
        for n in range(4)
        for m in range(4)
        if n != m
    ]
    found = made(as_json(images, *entries), "hpdv3", images / "set")
    assert Counter(p.label for p in found.pairs) == {1.0: 6, 0.0: 6}
    assert {frozenset(p.votes) for p in found.pairs} == {frozenset((7, 2))}


def test_itercomp_reads_lists_and_refuses_a_string_of_ten_models(images):
    entry = {f"image_{name}": NAMES[at] for at, name in enumerate(("sd", "xl", "flux"))}
    source = as_json(
        images,
        {"index": 0, "prompt": "a cat", **entry, "rank": ["xl", "flux", "sd"]},
        {"index": 1, "prompt": "a dog", **entry, "rank": "231"},
    )
    found = made(source, "itercomp", images / "set")
    assert [r.ranks for r in found.rankings] == [(3, 1, 2), (3, 1, 2)]
    assert found.rankings[0].models == ("sd", "xl", "flux")
    ten = {f"image_{name}": NAMES[0] for name in "abcdefghij"}
    source = as_json(images, {"prompt": "a cat", **ten, "rank": "12345678910"})
    with pytest.raises(InputError, match="give a list"):
        made(source, "itercomp", images / "ten")


def test_rapidata_counts_votes(images):
    row = {"prompt": "a cat", "image1": encoded(images, NAMES[0]),
           "image2": encoded(images, NAMES[1]), "votes_image1": 9, "votes_image2": 4}  # fmt: skip
    found = made(as_parquet(images, row), "rapidata", images / "set")
    assert [(p.votes, p.share) for p in found.pairs] == [((9, 4), pytest.approx(9 / 13))]


def test_open_image_preferences_knows_chosen_and_tie(images):
    rows = [
        {"prompt": f"thing {n}", "chosen": encoded(images, NAMES[0]), "tie": n == 1,
         "rejected": encoded(images, NAMES[1]), "chosen_model": "good", "rejected_model": "bad"}
        for n in range(2)
    ]  # fmt: skip
    found = made(as_parquet(images, *rows), "open-image-preferences", images / "set")
    first, second = found.pairs
    assert first.models[first.votes.index(1)] == "good"
    assert (second.votes, second.ties) == ((0, 0), 1)


def test_jpeg_becomes_png_of_the_same_pixels(images):
    buffer = io.BytesIO()
    Image.open(images / NAMES[0]).save(buffer, "JPEG")
    row = {
        "caption": "a cat", "jpg_0": buffer.getvalue(), "label_0": 1.0, "has_label": True,
        "jpg_1": (images / NAMES[1]).read_bytes(), "ranking_id": 4, "user_id": 7,
    }  # fmt: skip
    found = made(as_parquet(images, row), "pickapic", images / "set", aspect="appeal")
    assert (found.pairs[0].aspect, found.pairs[0].user_id) == ("appeal", 7)
    kept = Image.open(io.BytesIO(found.images.bytes_of(found.pairs[0].images[0])))
    assert kept.format == "PNG"
    assert kept.tobytes() == Image.open(buffer).tobytes()


def test_votes_of_this_sites_export_become_rankings(images):
    common = {"criterion": "appeal", "annotator": "p1", "counts": True, "is_simulated": False,
              "prompt_text": "a cat", "voted_at": None}  # fmt: skip
    rows = [
        {**common, "vote_id": 1, "grades": [2, 0, 2], "arm_names": ["a", "b", "c"],
         "images": [encoded(images, name) for name in NAMES[:3]]},
        {**common, "vote_id": 2, "grades": [1, 0], "arm_names": ["a", "b"], "counts": False,
         "images": [encoded(images, name) for name in NAMES[:2]]},
        {**common, "vote_id": 3, "grades": [5], "arm_names": ["a"], "criterion": "rating",
         "images": [encoded(images, NAMES[0])]},
        {**common, "vote_id": 4, "grades": [3], "arm_names": ["b"], "criterion": "rating",
         "images": [encoded(images, NAMES[1])]},
    ]  # fmt: skip
    source = images / "export"
    source.mkdir()
    as_parquet(source, *rows)
    (source / "protocol.json").write_text("{}")
    done = import_set(source, images / "set", form="site")
    found = PreferenceSet.open(images / "set")
    assert [(r.aspect, r.ranks) for r in found.rankings] == [
        ("appeal", (1, 3, 1)),
        ("rating", (1, 2)),
    ]
    assert done.skipped == {"left out of the results": 1}
    assert len(found.mark["protocol_sha256"]) == 64


@pytest.mark.parametrize("form", ["pickapic", "imagereward", "hpdv2", "itercomp"])
def test_written_form_is_read_again(tmp_path, form, capsys):
    folder = simulated.write(tmp_path / "set", prompts=12, images=3, people=1)
    out = tmp_path / "out"
    assert main(["export", str(folder), "--as", form, "--out", str(out)]) == 0
    files = sorted(out.glob("*.json")) or [
        path for path in sorted(out.glob("data/*.parquet")) if "unique" not in path.name
    ]
    counted: Counter[tuple[frozenset[str], float]] = Counter()
    for path in files:
        target = tmp_path / f"again-{path.stem}"
        for each in consensus(made(path, form, target, images=out).pairs):
            best = each.images[0] if each.label == 1 else each.images[1]
            counted[frozenset(each.images), best if each.label != 0.5 else ""] += 1
    before: Counter[tuple[frozenset[str], str]] = Counter()
    for each in consensus(PreferenceSet.open(folder).pairs):
        best = each.images[0] if each.label == 1 else each.images[1]
        if form == "itercomp" and each.label == 0.5:
            continue
        before[frozenset(each.images), best if each.label != 0.5 else ""] += 1
    if form == "itercomp":  # it knows no ties
        assert not before - counted
    else:
        assert counted == before


@pytest.mark.parametrize(
    ("form", "entry", "said"),
    [
        (
            "imagereward",
            {"prompt": "x", "generations": ["no.png"], "ranking": [1]},
            "the folder of the images",
        ),
        ("imagereward", {"prompt": "x", "generations": [], "ranking": [1]}, "2 to 12"),
        ("imagereward", {"prompt": "x", "generations": []}, "ranking is missing"),
        ("hpdv2", {"prompt": "x", "image_path": ["one.png", "two.png"], "rank": "01"}, "rank '01'"),
        ("hpdv3", {"prompt": "x", "path1": "../../etc/passwd", "path2": "two.png"}, "outside"),
        ("arena", {}, "accepted are site"),
    ],
)
def test_entry_of_another_form_is_refused_by_number_or_name(images, form, entry, said):
    with pytest.raises(InputError, match=said):
        made(as_json(images, entry), form, images / "set")


@pytest.mark.parametrize("form", ["pickapic", "hf", "hpdv2", "imagereward", "itercomp"])
def test_simulated_votes_stay_simulated_through_another_programs_form(tmp_path, form, capsys):
    """These forms have no place for it; the export says it beside its files."""
    simulated.write(tmp_path / "prefs", prompts=8, images=3)
    out, again = tmp_path / "out", tmp_path / "again"
    assert main(["export", str(tmp_path / "prefs"), "--as", form, "--out", str(out)]) == 0
    source = next(iter(sorted(out.glob("train.json"))), out / "data")
    known = "open-image-preferences" if form == "hf" else form
    assert main(["import", str(source), "--from", known, "--out", str(again)]) == 0
    assert set(PreferenceSet.open(again).mark["sources"]) == {"simulated"}
    assert "SIMULATED" in capsys.readouterr().out.splitlines()[-1]
    if source.name == "train.json":
        assert main(["import", str(out), "--from", known, "--out", str(tmp_path / "no")]) == 2
        assert "is a folder; give one of its files: test.json" in capsys.readouterr().err


def test_set_that_is_given_twice_is_not_merged(tmp_path, capsys):
    simulated.write(tmp_path / "prefs", prompts=2)
    given = [str(tmp_path / "prefs"), str(tmp_path / "prefs" / ".." / "prefs")]
    assert main(["merge", *given, "--out", str(tmp_path / "out")]) == 2
    assert "give it once, or every vote would count twice" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
