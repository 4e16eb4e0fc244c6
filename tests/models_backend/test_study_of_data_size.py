"""Quality-tuning on nested subsets in one command."""

import pytest

from models_backend.checkpoints import read_metadata
from models_backend.studies import data_size
from models_backend.studies.data_size import scaled_sizes
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


def test_more_images_than_the_list_names_are_refused(data, checkpoint_dir, tune, capsys):
    arguments = [str(tune), "--data", str(data), "--parent", str(checkpoint_dir)]
    assert data_size.main([*arguments, "--sizes", "5"]) == 2
    assert "--sizes 5: the tuning list names 4 images" in capsys.readouterr().err


def test_a_pretraining_configuration_is_refused(data, checkpoint_dir, config, capsys):
    arguments = [str(config), "--data", str(data), "--parent", str(checkpoint_dir)]
    assert data_size.main(arguments) == 2
    assert "give a quality_tune one" in capsys.readouterr().err
