"""The study: what it holds out, what its judge tells, what it concludes, and going on."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models_backend.configuration.captions import CaptionMix
from models_backend.data import manifest
from models_backend.data.captions import weighted_captions
from models_backend.errors import InputError
from models_backend.families.registry import family_named
from models_backend.files import sha256_of_file
from models_backend.recipes.configs import read_config
from models_backend.studies import samples
from models_backend.studies.quality_tuning import __main__ as study
from models_backend.studies.quality_tuning import report
from models_backend.studies.quality_tuning.holdout import hold_out, write_training_set
from models_backend.studies.quality_tuning.judge import augment, retrieve, train_judge
from models_backend.studies.quality_tuning.training import ROLES
from models_backend.studies.recorded import FAMILIES, quality_tuning, start_of
from tests.models_backend import tiny


@pytest.fixture(scope="module")
def tuning_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_tuning_list(tmp_path_factory.mktemp("list") / "picked.tsv", things=6)


def run(*arguments: object) -> int:
    return study.main([str(argument) for argument in arguments])


# -- what is held out -----------------------------------------------------------------------------


def test_held_out_drawings_and_wordings_are_not_trained_on(data, tuning_list):
    held = hold_out(data, str(tuning_list), seed=0)
    assert len(held.references) == 2
    assert len(held.training) == 10
    files = {record.file for record in held.training}
    assert not files & {record.file for record in held.references}
    assert {record.concept for record in held.references} <= {r.concept for r in held.training}
    assert all(record.file in files for record in held.tuning)
    assert held.tuning_style == "3d"
    said = {
        text
        for record in held.training
        for text, _ in weighted_captions(
            record.caption, record.keywords, record.style, CaptionMix()
        )
    }
    assert not said & set(held.captions)


def test_equal_seeds_hold_out_the_same(data, tuning_list):
    first, second = (hold_out(data, str(tuning_list), seed=3) for _ in range(2))
    assert first == second
    others = [hold_out(data, str(tuning_list), seed=seed).references for seed in range(8)]
    assert any(other != first.references for other in others)


def test_training_set_is_a_data_set_of_its_own(tmp_path, data, tuning_list):
    held = hold_out(data, str(tuning_list), seed=0)
    kept = write_training_set(held, data, tmp_path / "data")
    assert manifest.read_records(tmp_path / "data") == held.training
    for record in held.training:
        assert sha256_of_file(tmp_path / "data" / record.file) == record.sha256
    assert len(kept.read_text().splitlines()) == len(held.tuning)


def test_too_little_data_is_refused(tmp_path, data, tuning_list):
    records = [r for r in manifest.read_records(data) if r.style == "3d"]
    tiny.write_records(tmp_path, records)
    with pytest.raises(InputError, match="too few; build the data set with more sources"):
        hold_out(tmp_path, str(tuning_list), seed=0)


# -- the judge ------------------------------------------------------------------------------------


def shapes() -> tuple[torch.Tensor, list[manifest.Record]]:
    """Two things, as a disc or a bar, in two styles, red or blue, at places of their own."""
    rng = random.Random(0)
    y, x = np.mgrid[:32, :32]
    pictures, records = [], []
    for index in range(80):
        concept, style = ("disc", "bar")[index % 2], ("red", "blue")[index // 2 % 2]
        cx, cy = rng.randint(12, 20), rng.randint(12, 20)
        disc = (x - cx) ** 2 + (y - cy) ** 2 < 60
        drawn = disc if concept == "disc" else (abs(y - cy) < 3) & (abs(x - cx) < 11)
        picture = np.full((32, 32, 3), 255, np.uint8)
        picture[drawn] = (220, 30, 30) if style == "red" else (30, 30, 220)
        pictures.append(picture)
        records.append(
            manifest.Record(concept, f"a {concept}", [], "Abstract", style, "s", "MIT", "", "")
        )
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), records


def test_judge_tells_style_and_thing_of_drawings_it_has_not_seen(tmp_path):
    pictures, records = shapes()
    judge = train_judge(pictures[:60], records[:60], steps=120, seed=0, run=tmp_path)
    x = pictures[60:].float() / 127.5 - 1
    red = torch.tensor([record.style == "red" for record in records[60:]])
    assert ((judge.probability(x, "red") > 0.5) == red).float().mean() > 0.9
    near = retrieve(judge.embed(x), judge.embed(pictures[:60].float() / 127.5 - 1))[:, 0]
    hits = [records[60 + i].concept == records[int(j)].concept for i, j in enumerate(near)]
    assert np.mean(hits) > 0.9


def test_augmented_images_keep_a_white_ground_and_their_number():
    x = torch.ones(6, 3, 16, 16)
    assert torch.allclose(augment(x, torch.Generator().manual_seed(0)), x, atol=1e-5)
    drawn = x.clone()
    drawn[:, :, 6:10, 6:10] = -1
    changed = augment(drawn, torch.Generator().manual_seed(0))
    assert changed.shape == x.shape
    assert not torch.allclose(changed, drawn)
    assert changed.max() <= 1 + 1e-5


def test_nearest_reference_comes_first():
    references = torch.eye(3)
    ranks = retrieve(torch.tensor([[0.1, 0.9, 0.4]]), references)
    assert ranks.tolist() == [[1, 2, 0]]


# -- the conclusion -------------------------------------------------------------------------------


def results_of(style: float, top1: float) -> dict:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, 40)
    base = dict.fromkeys(report.MEASURES, 0.2 + noise)
    tuned = base | {"style": base["style"] + style, "top1": base["top1"] + top1}
    tuned = {name: value + rng.normal(0, 0.005, 40) for name, value in tuned.items()}
    captions = [f"caption {index}" for index in range(20)]
    measured = {"pretrained": base, "quality_tuned": tuned, "baseline": base}
    return report.compare(measured, captions, seed=0)


@pytest.mark.parametrize(
    ("style", "top1", "words"),
    [
        (0.5, 0.1, ["towards", "faithfulness rose", "does not contradict"]),
        (0.5, -0.1, ["towards", "faithfulness fell", "does not show"]),
        (0.5, 0.0, ["towards", "cannot be told from chance", "does not contradict"]),
        (-0.5, 0.1, ["away from", "does not show"]),
        (0.0, 0.1, ["Whether quality-tuning moved the style cannot be told", "does not show"]),
    ],
)
def test_conclusion_says_what_happened_also_against_the_paper(style, top1, words):
    text = report.conclusion(results_of(style, top1))
    assert all(word in text for word in words), text


def test_faithfulness_is_told_in_standard_errors_above_guessing():
    rng = np.random.default_rng(0)
    hits = (rng.random((50, 4)) < 0.5).astype(float)
    guesses = (rng.random((50, 4)) < 0.02).astype(float)
    measured = {name: {"top1": v.ravel()} for name, v in (("good", hits), ("poor", guesses))}
    found = report.faithfulness_beside_chance(measured, [str(n) for n in range(50)])
    error = hits.mean(axis=1).std(ddof=1) / 50**0.5
    assert found["good"]["standard_error"] == pytest.approx(error)
    assert found["good"]["above"] == pytest.approx((hits.mean() - 1 / 50) / error)
    assert abs(found["poor"]["above"]) < 3 < found["good"]["above"]


def test_faithfulness_without_spread_has_no_distance():
    found = report.faithfulness_beside_chance({"all": {"top1": np.ones(6)}}, ["a", "b", "c"])
    assert found["all"]["above"] is None


# -- the program ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data, tuning_list, checkpoint_dir) -> Path:
    """A study of one checkpoint three times over."""
    out = tmp_path_factory.mktemp("study") / "out"
    assert run(*arguments(data, tuning_list, checkpoint_dir, out)) == 0
    return out


def arguments(data: Path, tuning_list: Path, checkpoint: Path, out: Path) -> list[object]:
    return [
        "--data", data, "--out", out, "--tuning-list", tuning_list, "--judge-steps", 4,
        "--samples", 2, "--steps", 2, "--checkpoints", *[checkpoint] * 3,
    ]  # fmt: skip


def test_equal_models_are_not_told_apart(finished):
    results = json.loads((finished / "results.json").read_text())
    for row in results["differences"]:
        assert row["style"]["mean"] == 0
        assert row["top1"]["above_zero"] == "cannot be told"
    assert results["captions"] == 2
    assert results["references_were_trained_on"] is True
    assert set(results["checkpoints"]) == set(ROLES)


def test_report_names_its_limits(finished):
    text = (finished / "report.md").read_text()
    assert "people were not asked" in text
    assert "may have been trained on the drawings" in text
    assert all(f"| {role} |" in text for role in ROLES)
    with Image.open(finished / "samples.png") as sheet:
        assert sheet.width > 700


def test_what_is_done_is_not_done_again(finished, data, tuning_list, checkpoint_dir, monkeypatch):
    monkeypatch.setattr(samples, "generate", None)
    before = json.loads((finished / "results.json").read_text())
    assert run(*arguments(data, tuning_list, checkpoint_dir, finished)) == 0
    after = json.loads((finished / "results.json").read_text())
    assert after["models"] == before["models"]


def test_another_study_in_the_same_folder_is_refused(
    finished, data, tuning_list, checkpoint_dir, capsys
):
    given = arguments(data, tuning_list, checkpoint_dir, finished)
    assert run(*given, "--seed", 5) == 2
    assert "other settings" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "value"), [("--minutes", 0), ("--samples", 0)])
def test_budgets_out_of_range_are_refused(tmp_path, data, capsys, option, value):
    assert run("--data", data, "--out", tmp_path / "out", option, value) == 2
    assert option in capsys.readouterr().err


def test_models_are_trained_on_what_is_not_held_out(
    tmp_path, data, tuning_list, config, monkeypatch
):
    """The recipes themselves, in a few steps on tiny networks."""
    from models_backend.studies.quality_tuning import training

    configs = tmp_path / "configs"
    configs.mkdir()
    for seed, role in enumerate(("pretrained", "baseline")):
        text = config.read_text().replace('name = "tiny"', f'name = "{role}"')
        text = text.replace('role = "pretrained"', f'role = "{role}"')
        (configs / f"{role}.toml").write_text(text.replace("seed = 5", f"seed = {seed}"))
    tuned = tiny.QUALITY_TUNE.format(tuning_list="set by the study")
    (configs / "quality_tuned.toml").write_text(tuned)
    monkeypatch.setattr(training, "CONFIGS", configs)
    steps = {"judge": 3, "autoencoder": 3, "denoiser": 3, "tuning": 2}
    monkeypatch.setattr(study, "plan_steps", lambda minutes: steps)
    out = tmp_path / "out"
    given = ["--data", data, "--out", out, "--tuning-list", tuning_list, "--steps", 2]
    assert run(*given, "--samples", 1) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["references_were_trained_on"] is False
    assert len(set(results["checkpoints"].values())) == 3
    metadata = json.loads((out / "runs/pretrained/checkpoint/metadata.json").read_text())
    assert metadata["training"]["images"] == 10
    assert metadata["training"]["steps"] == {"autoencoder": 3, "denoiser": 3}


# -- one family's parent --------------------------------------------------------------------------


def of_family(family: str, data: Path, parent: Path, out: Path, listed: Path) -> list[object]:
    return [
        "--family", family, "--parent", parent, "--data", data, "--out", out, "--judge-steps", 4,
        "--samples", 2, "--steps", 2, "--tuning-list", listed,
        "--set", "training.steps=2", "--set", "training.batch_size=4",
        "--set", "early_stopping.candidates=0",
    ]  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_parent_of_each_family_is_tuned_on_what_is_not_held_out(
    tmp_path, data, tuning_list, parents, family
):
    out, parent = tmp_path / "out", parents[family]
    given = of_family(family, data, parent, out, tuning_list)
    assert run(*given) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["family"] == family
    assert set(results["models"]) == {"pretrained", "quality_tuned"}
    assert [row["first"] for row in results["differences"]] == ["quality_tuned"]
    assert set(results["faithfulness"]) == set(results["models"])
    tuned = json.loads((out / "runs/quality_tuned/checkpoint/metadata.json").read_text())
    assert tuned["family"] == family
    assert tuned["parent_sha256"] == results["checkpoints"]["pretrained"]
    held = hold_out(data, str(tuning_list), seed=0)
    assert tuned["training"]["images"] == len(held.tuning) < 6
    text = (out / "report.md").read_text()
    assert "standard errors over captions" in text
    assert "may have been trained on the drawings" in text
    assert run(*given, "--set", "training.steps=3") == 2


def test_parent_of_another_family_is_refused(tmp_path, data, tuning_list, checkpoint_dir, capsys):
    out = tmp_path / "out"
    assert run(*of_family("pixel_diffusion", data, checkpoint_dir, out, tuning_list)) == 2
    assert "is of the family 'latent_diffusion'" in capsys.readouterr().err
    assert not out.exists()


def test_missing_parent_is_refused(tmp_path, data, tuning_list, capsys):
    given = of_family("pixel_diffusion", data, tmp_path / "no", tmp_path / "out", tuning_list)
    assert run(*given) == 2
    assert "is no checkpoint directory" in capsys.readouterr().err


def test_a_parent_without_its_family_is_refused(tmp_path, data, checkpoint_dir, capsys):
    assert run("--data", data, "--out", tmp_path / "out", "--parent", checkpoint_dir) == 2
    assert "are for --family" in capsys.readouterr().err


@pytest.mark.parametrize("family", FAMILIES)
def test_configuration_beside_each_family_tunes_its_recorded_run(family):
    start = start_of(family)
    tuning = quality_tuning(start.config, [])
    kind = family_named(family)
    pretraining = read_config(start.config.with_name(f"{start.parent.name}.toml"), [])
    with torch.device("meta"):
        assert set(tuning.parts) <= set(kind.from_config(pretraining).parts)
    assert kind.takes_noise_offset or not tuning.noise_offset
    assert start.parent.parent.name == "recorded"
