"""Quality-tuning on nested subsets in one command."""

from pathlib import Path

import pytest

from models_backend.checkpoints import read_metadata
from models_backend.data.manifest import manifest_sha256, read_records
from models_backend.files import read_json
from models_backend.studies import data_size
from models_backend.studies.data_size import scaled_sizes
from models_backend.studies.quality_tuning.holdout import hold_out
from models_backend.studies.recorded import FAMILIES, RecordedStart, start_of
from tests.models_backend import tiny


def test_sizes_are_the_papers_shares():
    assert scaled_sizes(2000) == [0, 100, 1000, 2000]
    assert scaled_sizes(178) == [0, 9, 89, 178]
    assert scaled_sizes(3) == [0, 1, 2, 3]


@pytest.fixture
def tune(tmp_path):
    path = tmp_path / "tune.toml"
    tuning_list = tiny.write_tuning_list(tmp_path / "picked.tsv", things=4)
    path.write_text(tiny.QUALITY_TUNE.format(tuning_list=tuning_list))
    return path


def test_each_size_is_tuned_from_one_parent(tmp_path, data, checkpoint_dir, tune, capsys):
    arguments = [str(tune), "--data", str(data), "--parent", str(checkpoint_dir)]
    arguments += ["--out", str(tmp_path / "runs"), "--sizes", "4", "0", "2"]
    assert data_size.main(arguments) == 0
    folders = capsys.readouterr().out.splitlines()
    runs = tmp_path / "runs"
    assert folders == [
        str(checkpoint_dir),
        str(runs / "tiny_tuned-2" / "checkpoint"),
        str(runs / "tiny_tuned-4" / "checkpoint"),
    ]
    parent = read_metadata(checkpoint_dir)["sha256"]
    tuned = [read_metadata(runs / f"tiny_tuned-{size}" / "checkpoint") for size in (2, 4)]
    assert [each["training"]["images"] for each in tuned] == [2, 4]
    assert {each["parent_sha256"] for each in tuned} == {parent}
    assert tuned[0]["sha256"] != tuned[1]["sha256"]


def test_every_family_is_ablated_by_one_command(tmp_path, data, parents, monkeypatch, capsys):
    """Each from its recorded run: a gallery a family, all in one answer."""
    listed = tiny.write_tuning_list(tmp_path / "picked.tsv", things=2)
    monkeypatch.setattr(
        data_size,
        "start_of",
        lambda family: RecordedStart(parents[family], start_of(family).config),
    )
    settings = [f'tuning_list="{listed}"', "training.steps=1", "training.batch_size=2"]
    settings.append("early_stopping.candidates=0")
    given = ["--family", *FAMILIES, "--data", str(data), "--out", str(tmp_path / "runs")]
    assert data_size.main([*given, *(f"--set={each}" for each in settings)]) == 0
    said = capsys.readouterr()
    folders = [Path(line) for line in said.out.splitlines()]
    assert len(folders) == 3 * len(scaled_sizes(2)) == 9
    for family, first in zip(FAMILIES, (0, 3, 6), strict=True):
        mine = [read_metadata(folder) for folder in folders[first : first + 3]]
        assert {each["family"] for each in mine} == {family}
        assert {each["parent_sha256"] for each in mine[1:]} == {mine[0]["sha256"]}
        assert f"run_eval {' '.join(each['name'] for each in mine)} --prompts" in said.err


def test_each_size_is_judged_on_what_none_was_tuned_on(
    tmp_path, data, checkpoint_dir, tune, capsys
):
    """A size is beside the parent and beside the next smaller one, in every measure."""
    out = tmp_path / "runs"
    arguments = [str(tune), "--data", str(data), "--parent", str(checkpoint_dir), "--out", str(out)]
    arguments += ["--measure", "--samples=1", "--steps=2", "--judge-steps=2", "--set"]
    arguments += ["training.steps=1", "--sizes", "0", "1", "2"]
    assert data_size.main(arguments) == 0
    results = read_json(out / "latent_diffusion" / "results.json")
    assert list(results["models"]) == ["0", "1", "2"]
    compared = [(each["first"], each["second"]) for each in results["differences"]]
    assert compared == [("1", "0"), ("2", "0"), ("2", "1")]
    held = {record.sha256 for record in hold_out(data, tune_list(tune), 0).references}
    trained = read_records(out / "data-0")
    training = read_metadata(out / "tiny_tuned-2" / "checkpoint")["training"]
    assert training["data_manifest_sha256"] == manifest_sha256(out / "data-0")
    assert results["captions"] == len(held) == 2
    assert len(trained) == 10
    assert not held & {record.sha256 for record in trained}
    report = (out / "latent_diffusion" / "report.md").read_text()
    assert report in capsys.readouterr().err
    assert "2 held-out captions, 1 samples each, 2 sampling steps" in report
    first = results["models"]["2"]
    assert data_size.main([*arguments[:-1], "2", "--seed", "0"]) == 0  # all is there
    assert read_json(out / "latent_diffusion" / "results.json")["models"]["2"] == first


def tune_list(path: Path) -> str:
    return str(path.parent / "picked.tsv")


def test_sets_without_one_list_cannot_be_measured(tmp_path, data, checkpoint_dir, tune, capsys):
    arguments = [str(tune), "--data", str(data), "--parent", str(checkpoint_dir), "--measure"]
    assert data_size.main([*arguments, "--set", "tuning_list="]) == 2
    assert "--measure holds drawings out of one tuning_list" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "give a TOML file"),
        (["tune.toml"], "give --parent"),
        (["tune.toml", "--family", "pixel_diffusion"], "not both"),
        (["--family", *FAMILIES, "--parent", "some"], "--parent is of one family; 3"),
    ],
)
def test_what_is_not_clear_is_refused(given, message, capsys):
    assert data_size.main(given) == 2
    assert message in capsys.readouterr().err


def test_more_images_than_the_list_names_are_refused(data, checkpoint_dir, tune, capsys):
    arguments = [str(tune), "--data", str(data), "--parent", str(checkpoint_dir)]
    assert data_size.main([*arguments, "--sizes", "5"]) == 2
    assert "--sizes 5: the tuning list names 4 images" in capsys.readouterr().err


def test_a_pretraining_configuration_is_refused(data, checkpoint_dir, config, capsys):
    arguments = [str(config), "--data", str(data), "--parent", str(checkpoint_dir)]
    assert data_size.main(arguments) == 2
    assert "give a quality_tune one" in capsys.readouterr().err
