"""The same data in one process, in several, and in micro-batches; nothing of it changes a run."""

import json
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import pytest
import torch

from models_backend import train
from models_backend.checkpoints import read_metadata
from models_backend.configuration.loops import LoopConfig
from models_backend.errors import InputError
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import rows_of
from tests import warm


def losses(run: Path, stage: str) -> list[float]:
    lines = (run / "log.jsonl").read_text().splitlines()
    return [entry["loss"] for entry in map(json.loads, lines) if entry["stage"] == stage]


def launch(module: str, *arguments: object, processes: int = 1) -> list[tuple[int, str, str]]:
    """Run a module as `accelerate launch` would; return each process's status, stdout, stderr."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = os.environ | {"ACCELERATE_USE_CPU": "true"}
    if processes > 1:
        environment |= {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
        environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    with ExitStack() as files:
        running = []
        for rank in range(processes):
            place = {"RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}
            out, err = (files.enter_context(TemporaryFile("w+")) for _ in range(2))
            process = warm.start(
                module, *arguments, env=environment | place, stdout=out, stderr=err
            )
            running.append((process, out, err))
        return [(process.wait(240), written(out), written(err)) for process, out, err in running]


def written(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


WORKER = "tests.models_backend.process_worker"
TRAIN = "models_backend.train"


def test_rows_are_shared_out_without_gap_or_overlap():
    loop = LoopConfig(steps=1, batch_size=24, micro_batch_size=5)
    rows = [rows_of(process, 3, loop) for process in range(3)]
    covered = [row for part in rows for each in part for row in range(each.start, each.stop)]
    assert covered == list(range(24))
    assert max(each.stop - each.start for part in rows for each in part) == 5


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(InputError, match="batch_size 10 does not divide over 4 processes"):
        rows_of(0, 4, LoopConfig(steps=1, batch_size=10))


def test_noise_of_a_row_does_not_depend_on_its_neighbours():
    def draw(rows: slice) -> StepDraw:
        return StepDraw.of(3, "denoiser", 7, batch_size=8, rows=rows)

    cpu = torch.device("cpu")
    whole = draw(slice(0, 8)).noise((4, 2, 2), offset=0.1, device=cpu)
    assert torch.equal(draw(slice(2, 5)).noise((4, 2, 2), offset=0.1, device=cpu), whole[2:5])
    assert len(whole.flatten().unique()) == whole.numel()


def test_noise_offset_moves_whole_channels():
    draw = StepDraw.of(1, "denoiser", 0, batch_size=4096)
    shape = (2, 8, 8)
    cpu = torch.device("cpu")
    plain, moved = (draw.noise(shape, offset=o, device=cpu).mean(dim=(2, 3)) for o in (0.0, 0.5))
    assert plain.std() == pytest.approx(1 / 8, rel=0.05)
    assert moved.std() == pytest.approx((1 / 64 + 0.25) ** 0.5, rel=0.05)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("alone")
    assert launch(WORKER, run, 0)[0][0] == 0
    assert len(losses(run, "unet")) == 12
    return run


@pytest.mark.parametrize(("processes", "micro"), [(1, 3), (2, 0), (2, 3)])
def test_processes_and_micro_batches_give_the_losses_of_one(tmp_path, alone, processes, micro):
    """Tolerance: the six decimals of the log, from the same sums in another order."""
    for code, _, err in launch(WORKER, tmp_path, micro, processes=processes):
        assert code == 0, err
    assert losses(tmp_path, "unet") == pytest.approx(losses(alone, "unet"), abs=1.1e-6)
    mine, theirs = (
        torch.load(run / "state-unet.pt")["average"]["mean"] for run in (tmp_path, alone)
    )
    for name, value in theirs.items():
        torch.testing.assert_close(mine[name], value, rtol=1e-6, atol=1e-7)


def test_weights_sharded_over_processes_give_the_losses_of_one(tmp_path, alone):
    """Sharded (FSDP2), saved whole, spread again, and resumed in one process."""
    micro = 3
    for code, _, err in launch(WORKER, tmp_path, micro, "shard", processes=2):
        assert code == 0, err
    assert losses(tmp_path, "unet") == pytest.approx(losses(alone, "unet"), abs=1.1e-6)
    states = [torch.load(run / "state-unet.pt") for run in (tmp_path, alone)]
    assert states[0]["step"] == 12
    for part in ("module", "average"):
        mine, theirs = (state[part].get("mean", state[part]) for state in states)
        for name, value in theirs.items():
            torch.testing.assert_close(mine[name], value, rtol=1e-6, atol=1e-7)
    for code, _, err in launch(WORKER, tmp_path, micro, "shard", processes=2):
        assert code == 0, err
    [(code, _, err)] = launch(WORKER, tmp_path, micro)
    assert code == 0, err


@pytest.mark.parametrize(("processes", "micro"), [(1, 3), (2, 2)])
def test_a_loss_that_is_not_finite_is_named_in_every_process(tmp_path, processes, micro):
    for code, _, err in launch(WORKER, tmp_path, micro, 5, processes=processes):
        assert code == 1
        assert "unet, step 3: the loss is not finite for images [5]" in err
    assert len(losses(tmp_path, "unet")) == 3


def test_two_processes_train_a_checkpoint_and_one_writes(tmp_path, data, config):
    run = tmp_path / "run"
    results = launch(TRAIN, config, "--data", data, "--out", run, processes=2)
    assert [code for code, _, _ in results] == [0, 0], results
    assert [out for _, out, _ in results] == [f"{run / 'checkpoint'}\n", ""]
    training = read_metadata(run / "checkpoint")["training"]
    assert training["processes"] == 2
    assert len(losses(run, "autoencoder")) == len(losses(run, "denoiser")) == 1


def test_an_error_of_the_first_process_ends_every_process(tmp_path, data, config):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "run"
    for code, _, err in launch(TRAIN, config, "--data", data, "--out", out, processes=2):
        assert code == 2
        assert "cannot be written" in err


def test_bf16_and_gradient_checkpointing_are_settings(tmp_path, data, config, checkpoint_dir):
    """Recomputed activations change nothing, bf16 a little.

    What bf16 rounds off is compared after one step: in twelve a processor's own rounding grows.
    """
    settings = {
        "recomputed": ["gradient_checkpointing=true"],
        "one": ["steps=1"],
        "one in bf16": ["steps=1", "mixed_precision=bf16"],
    }
    runs = {name: tmp_path / name for name in settings}
    for name, chosen in settings.items():
        arguments = [config, "--data", data, "--out", runs[name]]
        options = [each for setting in chosen for each in ("--set", f"denoiser_training.{setting}")]
        [(code, _, err)] = launch(TRAIN, *arguments, *options)
        assert code == 0, err
    plain = losses(checkpoint_dir.parent, "denoiser")
    assert losses(runs["recomputed"], "denoiser") == pytest.approx(plain, rel=1e-3)
    one, in_bf16 = (losses(runs[name], "denoiser") for name in ("one", "one in bf16"))
    assert len(one) == 1
    assert in_bf16 == pytest.approx(one, rel=0.05)
    assert in_bf16 != one


def test_the_autoencoder_cannot_checkpoint_and_says_so(tmp_path, data, config, capsys):
    arguments = [str(config), "--data", str(data), "--out", str(tmp_path / "run")]
    setting = ["--set", "autoencoder_training.gradient_checkpointing=true"]
    assert train.main([*arguments, *setting]) == 2
    assert "autoencoder_training.gradient_checkpointing" in capsys.readouterr().err
