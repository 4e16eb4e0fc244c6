"""Pre-training from shards and in stages, end to end."""

import json
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models_backend import train
from models_backend.checkpoints import file_hashes, read_metadata
from models_backend.data import manifest, shards
from models_backend.files import sha256_of_file
from tests import warm
from tests.models_backend import tiny

ROOT = Path(__file__).resolve().parents[2]
STAGES = """
[[stages]]
resolution = 16
steps = 6
batch_size = 4

[[stages]]
resolution = 32
steps = 8
batch_size = 4
noise_offset = 0.02
aspect_ratios = true
"""


@pytest.fixture(scope="module")
def wide_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of pictures of two shapes and of several modes."""
    folder = tiny.write_dataset(tmp_path_factory.mktemp("wide"))
    records = []
    rng = np.random.default_rng(1)
    for number, record in enumerate(manifest.read_records(folder) * 2):
        file = f"images/{number}.png"
        height, width = ((40, 40), (30, 60))[number % 2]
        picture = Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))
        picture.convert(("RGB", "RGBA", "L", "P")[number % 4]).save(folder / file)
        sha256 = sha256_of_file(folder / file)
        records.append(manifest.Record(**{**vars(record), "file": file, "sha256": sha256}))
    tiny.write_records(folder, records)
    out = tmp_path_factory.mktemp("shards")
    shards.write_shards(folder, out, kind="tar", samples=8)
    return out


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("staged") / "staged.toml"
    path.write_text(tiny.PRETRAIN.replace("image_size = 16", "image_size = 32") + STAGES)
    return path


def run_train(*arguments: object) -> int:
    return train.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def staged_run(
    tmp_path_factory: pytest.TempPathFactory, wide_data: Path, staged: Path, one_thread: None
) -> Path:
    run = tmp_path_factory.mktemp("staged-run") / "run"
    assert run_train(staged, "--data", wide_data, "--out", run) == 0
    return run


def test_stages_train_from_shards_one_after_the_other(staged_run, wide_data):
    metadata = read_metadata(staged_run / "checkpoint")
    assert metadata["image_size"] == [32, 32]
    training = metadata["training"]
    assert training["steps"] == {"autoencoder": 12, "denoiser-1": 6, "denoiser-2": 8}
    assert training["images_seen"]["denoiser-2"] == 32
    assert training["images"] == 24
    assert metadata["licences"] == ["CC-BY-4.0", "MIT"]
    lines = (staged_run / "log.jsonl").read_text().splitlines()
    stages = [json.loads(line)["stage"] for line in lines]
    assert stages == ["autoencoder", "denoiser-1", "denoiser-2"]
    assert all("data_wait_share" in json.loads(line) for line in lines)


def test_a_cache_changes_nothing_but_rounding_and_is_used(tmp_path, staged_run, wide_data, staged):
    cache = tmp_path / "cache"
    for name in ("first", "second"):
        out = tmp_path / name
        assert run_train(staged, "--data", wide_data, "--out", out, "--cache", cache) == 0
        written = {path: path.stat().st_size for path in cache.rglob("*.keys")}
        if name == "first":
            before = written
    assert written == before
    assert sum(written.values()) > 16 * 20
    kinds = {path.relative_to(cache).parts[0] for path in written}
    assert kinds == {"latents", "text"}
    logs = [
        (tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("first", "second")
    ]
    for first, second in zip(*logs, strict=True):
        assert json.loads(first)["loss"] == json.loads(second)["loss"]
    # Half precision changes the first loss by 1e-4; Adam's first steps, all of one size however
    # small the gradient, make a per cent of it by the sixth.
    plain = (staged_run / "log.jsonl").read_text().splitlines()
    for cached, each in zip(logs[0], plain, strict=True):
        assert json.loads(cached)["loss"] == pytest.approx(json.loads(each)["loss"], rel=0.05)


def test_killed_at_random_moments_it_goes_on_to_the_same_losses_and_weights(
    tmp_path, staged_run, wide_data, staged
):
    """SIGKILL, three times, wherever the run happens to be; then --resume to the end."""
    run = tmp_path / "run"
    command = ["models_backend.train", staged, "--data", wide_data, "--out", run]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true"}
    moments = random.Random(time.time_ns())
    kills = 0
    for _ in range(3):
        process = warm.start(*command, env=environment)
        wanted = moments.choice(["state-autoencoder.pt", "state-denoiser-1.pt", "log.jsonl"])
        deadline = time.monotonic() + 120
        while process.poll() is None and not (run / wanted).exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(moments.random())
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    assert kills, "every run ended before it could be killed"
    assert warm.start(*command, "--resume", env=environment).wait() == 0
    assert file_hashes(run / "checkpoint") == file_hashes(staged_run / "checkpoint")
    curves = []
    for folder in (run, staged_run):
        entries = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
        curves.append([(e["stage"], e["step"], e["loss"], e["grad_norm"]) for e in entries])
    assert curves[0] == curves[1]


def test_sample_grids_go_to_tensorboard(tmp_path, data, config):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    prompts = ["--set", 'sample_prompts=["a cat", "a boat", "an egg"]']
    assert run_train(config, "--data", data, "--out", tmp_path, *prompts) == 0
    events = EventAccumulator(str(tmp_path / "tensorboard" / "denoiser")).Reload()
    [tag] = events.Tags()["images"]
    assert [event.step for event in events.Images(tag)] == [5, 10, 12]
    assert (events.Images(tag)[0].width, events.Images(tag)[0].height) == (64, 16)


def test_a_second_trainer_of_a_folder_is_refused(tmp_path, data, config, capsys):
    from models_backend.training import run_folder

    with run_folder.locked(tmp_path):
        assert run_train(config, "--data", data, "--out", tmp_path) == 2
    assert f"is being trained by another process (process {os.getpid()}" in capsys.readouterr().err
    assert run_train(config, "--data", data, "--out", tmp_path) == 0


def test_resume_refuses_to_begin(tmp_path, data, config, capsys):
    assert run_train(config, "--data", data, "--out", tmp_path / "run", "--resume") == 2
    error = capsys.readouterr().err
    assert "holds no run to go on with; begin one\n  Leave `--resume` out." in error


@pytest.mark.parametrize(
    ("setting", "message"),
    [("image_size=64", "the last stage is at 32"), ("noise_offset=0.1", "give it in a stage")],
)
def test_stages_that_contradict_the_run_are_refused(
    tmp_path, wide_data, staged, capsys, setting, message
):
    out = tmp_path / "run"
    assert run_train(staged, "--data", wide_data, "--out", out, "--set", setting) == 2
    assert message in capsys.readouterr().err


def test_shards_are_not_tuned_on(tmp_path, wide_data, checkpoint_dir, capsys):
    config = tmp_path / "tune.toml"
    config.write_text(tiny.QUALITY_TUNE.format(tuning_list="x.tsv"))
    arguments = ["--data", wide_data, "--out", tmp_path / "run", "--parent", checkpoint_dir]
    assert run_train(config, *arguments) == 2
    assert "holds shards" in capsys.readouterr().err


def test_the_environment_of_a_run_is_written(staged_run):
    environment = json.loads((staged_run / "environment.json").read_text())
    assert environment["packages"]["torch"]
    assert environment["code_version"]
    assert environment["command"]
