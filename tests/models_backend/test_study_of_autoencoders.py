"""The autoencoders' comparison: its split, its verdicts, its files, going on after a kill."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models_backend.data.manifest import read_records
from models_backend.measures.bootstrap import mean_interval
from models_backend.studies import autoencoders as ablation
from models_backend.studies.autoencoders import Measured, compare, conclusion, split

NAMES = ("AE-4", "AE-8", "AE-16", "Fourier-AE-16")


def run(*arguments: object) -> int:
    return ablation.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    out = tmp_path_factory.mktemp("ablation") / "out"
    assert run("--data", data, "--out", out, "--steps", 3, "--batch-size", 4) == 0
    return out


def test_report_has_every_model_and_says_whether_the_order_appears(finished):
    results = json.loads((finished / "results.json").read_text())
    assert tuple(results["models"]) == tuple(sorted(NAMES))
    for model in results["models"].values():
        assert model["psnr"] > 0
        assert model["ssim"] <= 1
        assert model["frechet"] >= 0
    table = (finished / "table.md").read_text()
    assert results["conclusion"] in table
    assert "not FID" in table
    assert all(f"| {name} |" in table for name in NAMES)
    with Image.open(finished / "reconstructions.png") as sheet:
        assert sheet.width > sheet.height > 100


def test_finished_models_are_not_trained_again(finished, data, monkeypatch):
    monkeypatch.setattr(ablation, "train_autoencoder", None)
    before = (finished / "results.json").read_text()
    assert run("--data", data, "--out", finished, "--steps", 3, "--batch-size", 4) == 0
    now = json.loads((finished / "results.json").read_text())
    assert now["models"] == json.loads(before)["models"]


def test_another_budget_in_the_same_folder_is_refused(finished, data, capsys):
    assert run("--data", data, "--out", finished, "--steps", 4) == 2
    assert "other settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("--steps", 0, "steps 0"), ("--factor", 3, "factor 3"), ("--perceptual", -1, "perceptual")],
)
def test_budgets_out_of_range_are_refused(tmp_path, data, capsys, option, value, message):
    assert run("--data", data, "--out", tmp_path / "out", option, value) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_no_drawing_of_a_held_out_thing_is_trained_on(data):
    parts, records = split(data, seed=0), read_records(data)
    held = {record.concept for record in parts.records}
    assert len(held) == 1
    assert len(parts.held_out) == len(parts.records) == 2
    assert len(parts.train) == len(records) - 2 == sum(r.concept not in held for r in records)


def measured(gains: list[float]) -> dict[str, Measured]:
    noise = np.random.default_rng(0).normal(0, 0.1, 40)
    return {
        name: Measured(list(20 + gain + noise), list(0.5 + gain / 10 + noise / 10), 10 - gain)
        for name, gain in zip(NAMES, gains, strict=True)
    }


def records(data: Path, count: int = 40) -> list:
    known = read_records(data)
    return [known[index % len(known)] for index in range(count)]


def test_the_papers_order_is_found_where_it_is(data):
    rows = compare(measured([0, 1, 2, 3]), records(data), seed=0)
    assert [(row["worse"], row["better"]) for row in rows] == list(itertools.pairwise(NAMES))
    assert conclusion(rows).startswith("The paper's order appears")
    assert rows[0]["psnr"]["mean"] == pytest.approx(1)


def test_a_missing_step_is_named(data):
    rows = compare(measured([0, 1, 2, 1]), records(data), seed=0)
    text = conclusion(rows)
    assert text.startswith("The paper's order does not appear in full")
    assert "Fourier-AE-16 over AE-16 by PSNR (no)" in text
    assert "by Fréchet distance" in text
    assert "AE-8 over AE-4" not in text


def test_a_difference_within_its_interval_cannot_be_told():
    rng = np.random.default_rng(0)
    interval = mean_interval(rng.normal(0.0, 1, 50) - 0.01, range(50), rng)
    assert interval.low < 0 < interval.high
    assert interval.verdict() == "cannot be told"


def test_values_of_one_group_are_drawn_together():
    """Ten copies of five values are no more evidence than the five."""
    values, groups = np.arange(5.0), list(range(5))
    one, ten = (
        mean_interval(np.tile(values, n), groups * n, np.random.default_rng(0)) for n in (1, 10)
    )
    assert (one.low, one.high) == pytest.approx((ten.low, ten.high))
    apart = mean_interval(np.tile(values, 10), range(50), np.random.default_rng(0))
    assert apart.high - apart.low < 0.5 * (one.high - one.low)


@pytest.mark.parametrize(("values", "groups"), [([], []), ([1.0], [1, 2])])
def test_intervals_need_values_and_as_many_groups(values, groups):
    with pytest.raises(ValueError, match="give as many"):
        mean_interval(np.array(values), groups, np.random.default_rng(0))
