"""The folder `t2i-preferences/1`: written, read again, and refused where it is not what it says."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models_backend.errors import InputError
from models_backend.files import sha256_of_file
from models_backend.preferences.__main__ import main
from models_backend.preferences.columns import PICKAPIC
from models_backend.preferences.prompts import SPLITS, prompt_sha256, split_of
from models_backend.preferences.reading import PreferenceSet
from models_backend.preferences.records import (
    PreferencePair,
    PreferenceRanking,
    consensus,
    cycles,
)
from models_backend.preferences.writing import Provenance, begin_set, write_set
from tests.models_backend.preferences import simulated


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated.write(tmp_path_factory.mktemp("set") / "set")


def pair(**given):  # type: ignore[no-untyped-def]
    return PreferencePair(
        **{"prompt": "a cat", "aspect": "appeal", "images": ("a", "b"), "votes": (1, 0)} | given
    )


def rewritten(folder: Path, target: Path, change) -> Path:  # type: ignore[no-untyped-def]
    """Copy a set with a change to its rows, its hashes made right again."""
    target.mkdir()
    (target / "images").symlink_to(folder / "images")
    table = change(pq.read_table(folder / "pairs.parquet"))
    pq.write_table(table, target / "pairs.parquet")
    (target / "rankings.jsonl").write_bytes((folder / "rankings.jsonl").read_bytes())
    mark = json.loads((folder / "preferences.json").read_text())
    mark["files"]["pairs.parquet"] = sha256_of_file(target / "pairs.parquet")
    (target / "preferences.json").write_text(json.dumps(mark))
    return target


def column(table: pa.Table, name: str, values: list) -> pa.Table:  # type: ignore[type-arg]
    place = table.schema.names.index(name)
    return table.set_column(place, table.schema.field(place), pa.array(values, table[name].type))


def test_set_comes_back_as_it_was_written(folder):
    found = PreferenceSet.open(folder)
    assert found.mark["simulated"] is True
    assert found.mark["pairs"] == len(found.pairs) == 60 * 3 * 6
    assert len(found.rankings) == 60 * 3
    again = [p for ranking in found.rankings for p in ranking.pairs()]
    assert [(p.images, p.votes, p.ties) for p in again] == [
        (p.images, p.votes, p.ties) for p in found.pairs
    ]
    assert found.mark["ties"] == sum(p.ties for p in found.pairs) > 0
    assert all(p.weight == pytest.approx(1.0) for p in found.pairs)


def test_weights_of_a_prompt_add_up_to_one(folder):
    found = PreferenceSet.open(folder)
    sums: dict[str, float] = {}
    for each, weight in zip(found.pairs, found.weights, strict=True):
        sums[each.sha256] = sums.get(each.sha256, 0) + weight
    assert list(sums.values()) == pytest.approx([1.0] * 60)


def test_no_prompt_is_in_two_splits_and_spelling_does_not_matter(folder):
    found = PreferenceSet.open(folder)
    prompts = {split: {p.sha256 for p, _ in found.of(split)} for split in SPLITS}
    assert all(prompts.values())
    assert sum(map(len, prompts.values())) == 60
    assert split_of(prompt_sha256("  A Cat\n on a mat ")) == split_of(
        prompt_sha256("a cat on a mat")
    )


def test_first_columns_are_those_of_pick_a_pic(folder):
    schema = pq.read_schema(folder / "pairs.parquet")
    assert [(f.name, f.type) for f in schema][:18] == [(f.name, f.type) for f in PICKAPIC]
    row = pq.read_table(folder / "pairs.parquet").slice(0, 1).to_pylist()[0]
    assert row["jpg_0"] == (folder / "images" / f"{row['image_0_uid']}.png").read_bytes()
    assert row["best_image_uid"] in (row["image_0_uid"], row["image_1_uid"], "tie")


def test_readers_of_pick_a_pic_take_the_export(folder, tmp_path, capsys):
    import datasets

    assert main(["export", str(folder), "--as", "pickapic", "--out", str(tmp_path / "out")]) == 0
    files = {
        split: str(tmp_path / f"out/data/{split}-00000-of-00001.parquet")
        for split in (*SPLITS, "validation_unique")
    }
    found = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert found["train"].column_names == PICKAPIC.names
    # Diffusion-DPO trains on rows that are no tie, and shows `jpg_0` first where label_0 is 1.
    decided = found["train"].filter(lambda row: row["label_0"] in (0, 1))
    assert 0 < len(decided) < len(found["train"])
    assert len(found["validation_unique"]) == len(set(found["validation"]["caption"]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop_columns(["weight"]), "lacks the column weight"),
        (lambda t: column(t, "label_0", [0.3] * t.num_rows), "outside 0, 0.5, 1"),
        (
            lambda t: column(t, "split", ["test", *t["split"].to_pylist()[1:]]),
            "is in the splits",
        ),
        (lambda t: column(t, "caption", ["x"] * t.num_rows), "prompt_sha256 is another"),
        (lambda t: column(t, "votes_0", [9] * t.num_rows), "its votes are"),
        (lambda t: column(t, "source", ["hearsay"] * t.num_rows), "source 'hearsay'"),
        (lambda t: t.slice(0, 0), "holds no pairs"),
    ],
)
def test_set_with_wrong_rows_is_refused(folder, tmp_path, change, said):
    changed = rewritten(folder, tmp_path / "changed", change)
    first_split = pq.read_table(folder / "pairs.parquet")["split"][0].as_py()
    if "splits" in said and first_split == "test":
        pytest.skip("the first prompt is a test one")
    with pytest.raises(InputError, match=said):
        PreferenceSet.open(changed)


def test_changed_file_and_changed_image_are_refused(folder, tmp_path):
    target = rewritten(folder, tmp_path / "changed", lambda table: table)
    (target / "rankings.jsonl").write_text("")
    with pytest.raises(InputError, match="differs from the hash"):
        PreferenceSet.open(target)
    own = simulated.write(tmp_path / "own", prompts=2)
    found = PreferenceSet.open(own)
    uid = found.pairs[0].images[0]
    found.images.path_of(uid).write_bytes(b"other")
    with pytest.raises(InputError, match="was changed"):
        found.images.bytes_of(uid)
    found.images.path_of(uid).unlink()
    with pytest.raises(InputError, match="is missing"):
        found.images.bytes_of(uid)


def test_unfinished_set_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a finished preference set"):
        PreferenceSet.open(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds notes\.txt"):
        begin_set(tmp_path)


def test_simulated_and_human_votes_are_mixed_only_on_request(folder, tmp_path):
    simulated_one = PreferenceSet.open(folder)
    store = begin_set(tmp_path)
    data = simulated_one.images.bytes_of(simulated_one.pairs[0].images[0])
    one = store.add(data, "one")
    two = store.add(simulated_one.images.bytes_of(simulated_one.pairs[0].images[1]), "two")
    both = [pair(images=(one, two)), pair(images=(one, two), source="simulated")]
    with pytest.raises(InputError, match="keep them apart") as refused:
        write_set(tmp_path, pairs=both, rankings=[], provenance=Provenance())
    assert "--allow-simulated" in refused.value.by_command
    mark = write_set(
        tmp_path, pairs=both, rankings=[], provenance=Provenance(), allow_simulated=True
    )
    assert mark["sources"] == {"human": 1, "simulated": 1}


def test_too_few_pairs_and_unknown_aspect_are_refused(folder, tmp_path):
    PreferenceSet.open(folder).refuse_too_few()
    with pytest.raises(InputError, match=r"at least 30 are needed\. A ranking that is closed"):
        PreferenceSet.open(simulated.write(tmp_path / "few", prompts=3, people=1)).refuse_too_few()
    with pytest.raises(InputError, match="aspect 'taste'"):
        PreferenceSet.open(folder).refuse_too_few(("taste",))


def test_merged_sets_keep_their_people_apart(folder, tmp_path, capsys):
    other = simulated.write(tmp_path / "other", prompts=3, seed=1)
    assert main(["merge", str(folder), str(other), "--out", str(tmp_path / "both")]) == 0
    assert main(["check", str(tmp_path / "both")]) == 0
    found = PreferenceSet.open(tmp_path / "both")
    assert found.mark["annotators"] == 6
    assert len(found.pairs) == 60 * 18 + 3 * 18
    assert "SIMULATED" in capsys.readouterr().out


def test_consensus_counts_votes_whichever_image_comes_first():
    counted = consensus([pair(), pair(images=("b", "a")), pair(votes=(0, 0), ties=1)])
    assert [(p.images, p.votes, p.ties, p.label, p.share) for p in counted] == [
        (("a", "b"), (1, 1), 1, 0.5, 0.5)
    ]


def test_cyclic_consensus_is_kept_and_counted():
    round_about = [pair(), pair(images=("b", "c")), pair(images=("c", "a"))]
    assert cycles(round_about) == 1
    assert cycles(round_about[:2]) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"images": ("a", "b", "a"), "ranks": (1, 2, 3)}, "stands in it twice"),
        ({"images": ("a",), "ranks": (1,)}, "2 to 12"),
        ({"images": ("a", "b"), "ranks": (1,)}, "give each image one"),
        ({"images": ("a", "b"), "ranks": (0, 1)}, "whole numbers from 1"),
    ],
)
def test_ranking_that_is_no_order_is_refused(given, said):
    with pytest.raises(InputError, match=said):
        PreferenceRanking(ranking_id=1, prompt="a cat", aspect="appeal", **given)
