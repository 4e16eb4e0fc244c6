"""Exports in the columns of others: what each reader finds, and what no export says."""

import csv
import json
import shlex
import subprocess
import sys

import pyarrow as pa
import pytest
from django.core.management import call_command
from django.utils import timezone
from pyarrow import parquet

from evalplatform.annotation.models import Vote
from evalplatform.core.errors import BadInputError
from evalplatform.exports.documents.croissant import licence_url
from evalplatform.exports.kinds import KINDS, Container
from evalplatform.exports.options import checked_options, options_from
from evalplatform.exports.parts import table_writer
from evalplatform.exports.shapes import Batch, shape_of
from tests import factories
from tests.exports.campaigns import duel, exported
from tests.reports.test_galleries import voted

pytestmark = pytest.mark.django_db(transaction=True)

# Every file is read by a process of its own: these libraries log, patch and warn.
READ = """
import json, logging, os, sys, warnings
from pathlib import Path
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HOME": sys.argv[2], "HF_DATASETS_CACHE": sys.argv[2]}
import datasets, mlcroissant
datasets.disable_progress_bars()
found = {}
for folder in sorted(each.parent for each in Path(sys.argv[1]).glob("*/croissant.json")):
    described = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    issues = described.metadata.ctx.issues
    record = next(iter(described.records(described.metadata.record_sets[0].uuid)))
    rows = {}
    for config in datasets.get_dataset_config_names(str(folder)):
        for split, part in datasets.load_dataset(str(folder), config).items():
            first = part[0] if len(part) else {}
            rows[f"{config}/{split}"] = len(part)
            images = [each for each in first.values() if hasattr(each, "size")]
    found[folder.name] = {
        "issues": [*issues.errors, *issues.warnings], "fields": len(record), "rows": rows,
        "types": {name: str(each) for name, each in part.features.items()},
        "images": [each.size for each in images],
    }
print(json.dumps(found))
"""
PICKAPIC = {
    "are_different": "bool", "best_image_uid": "string", "caption": "string",
    "created_at": "timestamp[ns]", "has_label": "bool", "image_0_uid": "string",
    "image_0_url": "string", "image_1_uid": "string", "image_1_url": "string", "jpg_0": "binary",
    "jpg_1": "binary", "label_0": "float64", "label_1": "float64", "model_0": "string",
    "model_1": "string", "ranking_id": "int64", "user_id": "int64",
    "num_example_per_prompt": "int64",
}  # fmt: skip


def read_by_others(folder, cache):
    done = subprocess.run(
        [sys.executable, "-c", READ, str(folder), str(cache)], capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_every_format_is_read_by_its_readers(tmp_path):
    campaign = duel(prompts=8)
    for kind in KINDS.values():
        if not kind.is_document:
            splits = "50/25/25" if kind.name in ("parquet", "trl") else None
            exported(campaign, tmp_path / "out" / kind.name, kind.name, splits=splits)
    found = read_by_others(tmp_path / "out", tmp_path / "cache")
    assert {name: each["issues"] for name, each in found.items() if each["issues"]} == {}
    assert set(found) == {each.name for each in KINDS.values() if not each.is_document}
    types = {name: kind.split("'")[1] for name, kind in found["pickapic"]["types"].items()}
    assert list(types.items())[: len(PICKAPIC)] == list(PICKAPIC.items())
    votes = found["csv"]["rows"]["default/train"]
    assert sum(found["parquet"]["rows"].values()) == votes == 8 * 2 * 3
    assert found["trl"]["images"] == [[16, 16], [16, 16]]
    assert set(found["trl"]["rows"]) == {
        f"{path.parent.name}/{path.name.split('-')[0]}"
        for path in (tmp_path / "out/trl/data").glob("*/*.parquet")
        if parquet.read_metadata(path).num_rows
    }
    assert list(found["open-image-preferences"]["types"])[:9] == [
        "id", "prompt", "chosen", "rejected", "chosen_model", "rejected_model", "evolution",
        "category", "sub_category",
    ]  # fmt: skip
    assert list(found["arena"]["types"])[:3] == ["model_a", "model_b", "winner"]
    assert list(found["hpdv3"]["types"])[:6] == [
        "prompt", "path1", "path2", "model1", "model2", "source",
    ]  # fmt: skip


def test_split_that_no_prompt_falls_into_keeps_nobody_from_reading_the_others(tmp_path):
    campaign = duel(prompts=2, criteria=["visual_appeal"])
    kinds = ("parquet", "csv", "jsonl", "trl")
    for kind in kinds:
        exported(campaign, tmp_path / "out" / kind, kind, splits="40/30/30")
    found = read_by_others(tmp_path / "out", tmp_path / "cache")
    for kind in kinds:
        rows = found[kind]["rows"]
        assert len(rows) < 3  # two prompts fall into two splits at most
        assert all(rows.values())
        assert found[kind]["fields"]
        card = (tmp_path / "out" / kind / "README.md").read_text()
        assert card.count("| 0 |\n") == 3 - len(rows)


def rows(folder, pattern="data/**/*.parquet"):
    files = sorted(folder.glob(pattern))
    return [row for path in files for row in parquet.read_table(path).to_pylist()]


def test_pairs_say_what_the_votes_say_and_splits_share_no_prompt(tmp_path):
    campaign = duel(prompts=12, people=4)
    exported(campaign, tmp_path / "votes", "parquet")
    exported(campaign, tmp_path / "pairs", "parquet", grain="pair", splits="50/25/25")
    exported(campaign, tmp_path / "counts", "rapidata", criteria=["visual_appeal"])
    votes = {row["vote_id"]: row for row in rows(tmp_path / "votes")}
    pairs = rows(tmp_path / "pairs")
    assert {row["vote_id"] for row in pairs} == {key for key, row in votes.items() if row["counts"]}
    for row in pairs:
        vote = votes[row["vote_id"]]
        assert vote["order"][0] == "AB".index(row["arm_0"])  # image 0 stood left
        said = {0: "tie", 1: "left", -1: "right"}
        assert (
            vote["answer"]
            == said[(row["grade_0"] > row["grade_1"]) - (row["grade_0"] < row["grade_1"])]
        )
    by_split = [
        {row["prompt_text"] for row in rows(tmp_path / "pairs", f"data/{split}-*.parquet")}
        for split in ("train", "validation", "test")
    ]
    assert sum(map(len, by_split)) == len(set.union(*by_split)) == 12
    counted = rows(tmp_path / "counts")
    asked = [row for row in votes.values() if row["counts"] and row["criterion"] == "visual_appeal"]
    assert sum(row["votes"] for row in counted) == len(asked)
    for_a = sum(
        row[f"votes_image{at}"] for row in counted for at in (1, 2)
        if row[f"model{at}"] == campaign.contenders[0].name
    )  # fmt: skip
    assert for_a == sum(row["outcome"] == "A" for row in asked)


def test_ranking_and_ratings_become_pairs(tmp_path):
    ranked = voted("ranking", design="together", prompts=3, k=2, slug="ranked")
    exported(ranked, tmp_path / "ranked", "arena")
    rated = voted("rating", prompts=3, k=2, slug="rated")
    exported(rated, tmp_path / "rated", "rapidata", images="none")
    with next((tmp_path / "ranked").glob("data/*.csv")).open() as file:
        verdicts = list(csv.DictReader(file))
    assert len(verdicts) == 3 * 2 * 6  # six pairs in a ranking of four
    counted = rows(tmp_path / "rated")
    assert len(
        {(row["prompt"], *sorted((row["model1"], row["model2"]))) for row in counted}
    ) == len(counted)
    assert all(row["votes"] == row["votes_image1"] + row["votes_image2"] + row["ties"]
               for row in counted)  # fmt: skip


def test_of_several_images_the_first_ones_are_compared_as_in_results(tmp_path):
    rated = voted("rating", prompts=2, k=1, people=1, images_per_prompt=2, strengths=(0.6, 0.0))
    exported(rated, tmp_path / "pairs", "open-image-preferences", grain="pair", images="none")
    found = rows(tmp_path / "pairs")
    assert len(found) == 2 * 2  # of each prompt the first images of both arms, then the second
    assert len({row["id"] for row in found}) == len(found)
    compared = [each for row in found for each in (row["chosen"], row["rejected"])]
    assert len(set(compared)) == 2 * len(found)  # each image once


def test_image_compared_with_two_of_the_other_arm_has_a_row_and_an_id_for_each(tmp_path):
    """Somebody who has not judged the first image of an arm compares the second."""
    rated = voted("rating", prompts=1, k=2, people=2, images_per_prompt=2, strengths=(0.6, 0.0))
    last_arm = rated.arms.get(place=1)
    first = rated.items.filter(image_set__images__arm=last_arm).order_by("pk").first()
    Vote.objects.filter(pk=Vote.objects.filter(assignment__item=first).latest("pk").pk).update(
        retracted_at=timezone.now()
    )
    exported(
        rated, tmp_path, "open-image-preferences", grain="consensus", images="none", ties="keep"
    )
    found = rows(tmp_path)
    assert sorted(row["votes"] for row in found) == [1, 1, 1]
    assert len({row["id"] for row in found}) == 3


def test_blind_export_names_no_arm(tmp_path):
    campaign = duel()
    exported(campaign, tmp_path / "out", "parquet", is_blind=True)
    told = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for arm in campaign.contenders:
        assert arm.name.encode() not in told
        assert arm.sha256.encode() not in told
    assert not (tmp_path / "out" / "protocol.json").exists()


def test_simulated_votes_are_marked_in_rows_names_and_cards(tmp_path):
    campaign = duel(simulated=range(5))
    exported(campaign, tmp_path, "trl")
    files = list(tmp_path.glob("data/*/*.parquet"))
    assert files
    assert all(path.name.startswith("simulated-") for path in files)
    assert all(row["is_simulated"] for row in rows(tmp_path))
    for name in ("README.md", "DATA_DICTIONARY.md", "croissant.json", ".zenodo.json"):
        assert "SIMULATED" in (tmp_path / name).read_text()


def test_cards_say_who_voted_and_claim_no_licence_that_nobody_gave(tmp_path):
    campaign = duel(simulated=[0])
    exported(campaign, tmp_path / "some", "arena")
    assert '["crowdsourced", "machine-generated"]' in (tmp_path / "some/README.md").read_text()
    told = json.loads((tmp_path / "some/.zenodo.json").read_text())
    assert ("license" in told, told["access_right"]) == (False, "closed")
    exported(campaign, tmp_path / "open", "arena", licence="cc-by-4.0")
    told = json.loads((tmp_path / "open/.zenodo.json").read_text())
    assert (told["license"], told["access_right"]) == ("cc-by-4.0", "open")
    told = json.loads((tmp_path / "open/croissant.json").read_text())
    assert told["license"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert [licence_url(each) for each in ("other", "")] == ["other", "not stated"]


def test_lists_in_a_cell_tell_one_text_with_a_space_from_two(tmp_path):
    schema = pa.schema([(name, pa.list_(pa.string())) for name in ("tags", "arm_names", "arms")])
    rows = [{"tags": ["oil painting"], "arm_names": ["base", "tuned"], "arms": ["A", "B"]},
            {"tags": ["oil", "painting"], "arm_names": ["base tuned"], "arms": ["A"]}]  # fmt: skip
    writer = table_writer(Container.CSV, tmp_path / "rows.csv", schema)
    writer.write(pa.Table.from_pylist(rows, schema))
    writer.close()
    read = csv.reader((tmp_path / "rows.csv").read_text().splitlines())
    assert list(read)[1:] == [
        ["oil painting", "base|tuned", "A B"], ["oil,painting", "base tuned", "A"],
    ]  # fmt: skip


def test_images_that_lie_elsewhere_are_not_called_the_same():
    options = options_from({"kind": "pickapic", "grain": "pair", "images": "none"})
    (column,) = [each for each in shape_of(options).columns if each.name == "are_different"]
    batch = Batch({"sha256_0": ["a", "a", None], "sha256_1": ["b", "a", None]}, None, {})
    assert column.values(batch) == [True, False, None]


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "csv", "with_excluded": False, "for_excel": True, "images": "path"},
        {"kind": "hpdv3", "ties": "keep", "with_excluded": True, "splits": "80/10/10",
         "missing": "mark", "is_blind": True},
        {"kind": "pickapic", "image_format": "png", "licence": "cc-by-4.0", "ties": "drop",
         "grain": "consensus", "consent": "They agreed to \"all\" of it, for $5."},
    ],
)  # fmt: skip
def test_command_that_is_told_makes_the_same_export(db, monkeypatch, asked):
    campaign = factories.make_draft(prompts=1)
    options = checked_options(campaign, asked)
    program, name, *words = shlex.split(options.asked_on_the_command_line(campaign.slug))
    made = []
    monkeypatch.setattr(
        "evalplatform.exports.management.commands.export.build",
        lambda campaign, options, *_, **__: made.append(options) or sys.exit(),
    )
    with pytest.raises(SystemExit):
        call_command(name, *words)
    assert (program, made) == ("manage.py", [options])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"kind": "excel"}, "no export 'excel'"),
        ({"kind": "trl", "grain": "vote"}, "rows 'vote' is not for an export as trl"),
        ({"kind": "csv", "criteria": ["beauty"]}, "no criterion 'beauty', so nothing"),
        ({"kind": "csv", "categories": ["Plants"]}, "no category 'Plants'"),
        ({"kind": "csv", "splits": "80/10"}, "three per cent"),
        ({"kind": "csv", "splits": f"{'8' * 5000}/10/10"}, "three per cent"),
        ({"kind": "csv", "splits": "80/10/20"}, "add up to 110"),
        ({"kind": "csv", "ties": "drop"}, "votes are exported as they were cast"),
        ({"kind": "jsonl", "images": "embed"}, "accepted: none, path"),
        ({"kind": "trl", "licence": "a b\nc: d"}, "identifier such as"),
        ({"kind": "trl", "for_excel": True}, "an export for Excel is CSV; trl is none"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused_in_one_line(db, asked, said):
    campaign = factories.make_draft(prompts=1)
    with pytest.raises(BadInputError) as refused:
        checked_options(campaign, asked)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value).replace("a b\nc: d", "")
