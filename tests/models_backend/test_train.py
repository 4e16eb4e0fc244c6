"""`python -m models_backend.train` end to end: runs, kills, resumed and repeated runs, refusals."""

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

import models_backend
from models_backend import train
from models_backend.checkpoints import file_hashes, read_metadata
from models_backend.data import manifest
from models_backend.data.tuning import images_sha256, pick
from models_backend.errors import InputError
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.files import sha256_of_bytes
from models_backend.recipes.autoencoder import AutoencoderLoss
from models_backend.training import run_folder
from models_backend.training.monitor import read_changes
from models_backend.training.trainer import Trainer
from tests import warm
from tests.models_backend import tiny

ROOT = Path(models_backend.__file__).resolve().parents[1]


def run_train(*arguments: object) -> int:
    return train.main([str(argument) for argument in arguments])


FINISHED = {"run.json", "environment.json", "log.jsonl", "tensorboard", "lock", "checkpoint"}


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.fixture(scope="session")
def tuned_run(tmp_path_factory, data, checkpoint_dir) -> Path:
    """A finished quality-tuning run on three images; tests only read it."""
    folder = tmp_path_factory.mktemp("tuned")
    picked = tiny.write_tuning_list(folder / "picked.tsv")
    config = folder / "tune.toml"
    config.write_text(tiny.QUALITY_TUNE.format(tuning_list=picked))
    run = folder / "run"
    assert run_train(config, "--data", data, "--out", run, "--parent", checkpoint_dir) == 0
    return run


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    """A quality-tuning configuration that picks three images."""
    picked = tiny.write_tuning_list(tmp_path / "picked.tsv")
    path = tmp_path / "tune.toml"
    path.write_text(tiny.QUALITY_TUNE.format(tuning_list=picked))
    return path


# -- pre-training ---------------------------------------------------------------------------------


def test_checkpoint_records_what_it_was_trained_on(checkpoint_dir, data):
    metadata = read_metadata(checkpoint_dir)
    assert metadata["name"] == "tiny"
    assert metadata["role"] == "pretrained"
    assert metadata["parent_sha256"] is None
    assert metadata["image_size"] == [16, 16]
    assert metadata["licences"] == ["CC-BY-4.0", "MIT"]
    training = metadata["training"]
    assert training["recipe"] == "pretrain"
    assert training["seed"] == 5
    assert training["images"] == 12
    assert training["steps"] == {"autoencoder": 12, "denoiser": 12}
    assert training["images_seen"] == {"autoencoder": 48, "denoiser": 48}
    assert training["data_manifest_sha256"] == manifest.manifest_sha256(data)
    assert training["config"]["unet"] == {"widths": [32, 48], "layers": 1, "heads": 2}
    assert training["autoencoder_psnr_db"] > 0
    assert training.keys() >= {
        "code_version", "started_at", "finished_at", "device", "torch", "diffusers", "python",
    }  # fmt: skip


def test_a_finished_run_keeps_no_resume_points(checkpoint_dir):
    names = {path.name for path in checkpoint_dir.parent.iterdir()}
    assert names == FINISHED


def test_a_finished_run_is_a_no_op_and_says_so(checkpoint_dir, data, config, capsys):
    before = snapshot(checkpoint_dir.parent)
    assert run_train(config, "--data", data, "--out", checkpoint_dir.parent) == 0
    out, err = capsys.readouterr()
    assert out == f"{checkpoint_dir}\n"
    assert "is finished" in err
    assert snapshot(checkpoint_dir.parent) == before


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, data, config, one_thread):
    """SIGKILL in the middle of the second stage; compared with a run that was left alone."""
    longer = ["--set", "denoiser_training.steps=40", "--data", str(data)]
    assert run_train(config, *longer, "--out", tmp_path / "whole") == 0

    run = tmp_path / "killed"
    command = ["models_backend.train", config, *longer, "--out", run]
    process = warm.start(*command)
    deadline = time.monotonic() + 120
    while not (run / "state-denoiser.pt").exists():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (run / "checkpoint").exists()
    (run / ".state-denoiser.pt.1a2b3c4d.partial").write_text("what a kill in a write leaves")

    with (tmp_path / "said").open("w+") as said:
        assert warm.start(*command, stdout=said).wait() == 0
        said.seek(0)
        assert said.read() == f"{run / 'checkpoint'}\n"
    assert file_hashes(run / "checkpoint") == file_hashes(tmp_path / "whole" / "checkpoint")
    assert {path.name for path in run.iterdir()} == FINISHED


def test_the_seed_decides_the_weights(tmp_path, data, config, checkpoint_dir):
    out = tmp_path / "run"
    assert run_train(config, "--data", data, "--out", out, "--set", "seed=6") == 0
    mine, theirs = file_hashes(out / "checkpoint"), file_hashes(checkpoint_dir)
    assert mine["config.json"] == theirs["config.json"]
    different = {name for name in mine if mine[name] != theirs[name]}
    assert different == {name for name in mine if name.endswith(".safetensors")}


def test_other_settings_in_the_same_folder_are_refused(checkpoint_dir, data, config, capsys):
    before = snapshot(checkpoint_dir.parent)
    out = ["--data", data, "--out", checkpoint_dir.parent]
    assert run_train(config, *out, "--set", "seed=9") == 2
    error = capsys.readouterr().err
    assert "other settings (config.seed)" in error
    assert "--fresh" in error
    assert snapshot(checkpoint_dir.parent) == before


def test_a_run_that_stopped_goes_on_with_a_lower_learning_rate(
    tmp_path, data, config, capsys, monkeypatch
):
    """A loss that is not finite at step 7; what the message says to do is done, and recorded."""
    step = LatentDiffusion.loss
    calls = []

    def spoiled(self, batch, part):
        calls.append(1)
        return step(self, batch, part) * (float("nan") if len(calls) == 8 else 1)

    run = ["--data", data, "--out", tmp_path]
    with monkeypatch.context() as patch:
        patch.setattr(LatentDiffusion, "loss", spoiled)
        assert run_train(config, *run) == 2
    error = capsys.readouterr().err
    assert "denoiser, step 7" in error
    assert "lower learning_rate (0.001 now), and go on with the run\n  `--resume` goes on." in error
    lower = ["--set", "denoiser_training.learning_rate=2e-4"]
    assert run_train(config, *run, *lower) == 2
    asked = (
        "holds a run with another config.denoiser_training.learning_rate; go on with the new one"
    )
    assert asked in capsys.readouterr().err
    assert run_train(config, *run, *lower, "--set", "denoiser_training.steps=13", "--resume") == 2
    assert "other settings (config.denoiser_training.steps)" in capsys.readouterr().err
    assert run_train(config, *run, *lower, "--resume") == 0
    training = read_metadata(tmp_path / "checkpoint")["training"]
    assert training["config"]["denoiser_training"]["learning_rate"] == 2e-4
    change = {"stage": "denoiser", "step": 5, "changed": "learning_rate", "from": 1e-3, "to": 2e-4}
    assert training["changed_on_resume"] == [change]
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert change in lines
    assert lines[-1]["learning_rate"] < 2e-4
    assert run_train(config, *run, *lower) == 0  # finished, with the settings it has now


def test_a_discriminators_learning_rate_may_be_lowered_too(tmp_path, data, config, monkeypatch):
    adversary = ["autoencoder_loss.adversarial_weight=0.5", "autoencoder_loss.adversarial_start=0"]
    run = ["--data", data, "--out", tmp_path, *(p for each in adversary for p in ("--set", each))]
    with monkeypatch.context() as patch:
        rates = interrupted_at(patch, 7)
        assert run_train(config, *run) == 130
    lower = ["--set", "autoencoder_loss.discriminator_learning_rate=1e-5"]
    with monkeypatch.context() as patch:
        rates = interrupted_at(patch, 8)
        assert run_train(config, *run, *lower, "--resume") == 130
    assert rates == [1e-5] * 3
    [change] = read_changes(tmp_path)
    assert (change["changed"], change["step"]) == ("discriminator_learning_rate", 5)


def interrupted_at(patch, step: int) -> list[float]:
    """Stop at a step of the autoencoder; return where the discriminator's rates are noted."""
    call, rates = AutoencoderLoss.__call__, []

    def noted(self, x, *, draw):
        if draw.step == step:
            raise KeyboardInterrupt
        result = call(self, x, draw=draw)
        rates.append(self._optimizer.param_groups[0]["lr"])
        return result

    patch.setattr(AutoencoderLoss, "__call__", noted)
    return rates


def test_other_data_in_the_same_folder_is_refused(tmp_path, checkpoint_dir, config, capsys):
    records = manifest.read_records(tiny.write_dataset(tmp_path / "data"))
    tiny.write_records(tmp_path / "data", records[:-1])
    out = ["--data", tmp_path / "data", "--out", checkpoint_dir.parent]
    assert run_train(config, *out) == 2
    assert "other settings (data_manifest_sha256)" in capsys.readouterr().err


def test_fresh_discards_the_earlier_run(tmp_path, checkpoint_dir, data, config):
    run = tmp_path / "run"
    shutil.copytree(checkpoint_dir.parent, run)
    (run / "left-over").write_text("")
    out = ["--data", data, "--out", run, "--set", "seed=9"]
    assert run_train(config, *out, "--fresh") == 0
    assert read_metadata(run / "checkpoint")["training"]["seed"] == 9
    assert not (run / "left-over").exists()


def test_fresh_removes_nothing_that_is_not_a_run(tmp_path, data, config, capsys):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert run_train(config, "--data", data, "--out", tmp_path, "--fresh") == 2
    assert "something other than a run" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").exists()


def test_fresh_does_not_remove_the_parent_it_needs(tmp_path, checkpoint_dir, data, tune, capsys):
    run = tmp_path / "run"
    shutil.copytree(checkpoint_dir.parent, run)
    parent = run / "checkpoint"
    assert run_train(tune, "--data", data, "--out", run, "--parent", parent, "--fresh") == 2
    assert f"beginning anew would remove {parent}" in capsys.readouterr().err
    read_metadata(parent)


def test_a_refused_run_claims_no_folder(tmp_path, config, capsys):
    out = tmp_path / "run"
    assert run_train(config, "--data", tmp_path / "absent", "--out", out) == 2
    assert "not a finished data set" in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, data, config, capsys):
    (tmp_path / "file").write_text("")
    assert run_train(config, "--data", data, "--out", tmp_path / "file" / "run") == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{}", "[", '{"identity": 3}'])
def test_a_strange_run_file_is_refused(tmp_path, data, config, capsys, content):
    (tmp_path / "run.json").write_text(content)
    assert run_train(config, "--data", data, "--out", tmp_path) == 2
    assert "run.json" in capsys.readouterr().err


def test_images_of_another_size_exit_with_2(tmp_path, data, config, capsys):
    arguments = ["--data", data, "--out", tmp_path / "run", "--set", "image_size=24"]
    assert run_train(config, *arguments) == 2
    assert "16 x 16 pixels, image_size is 24" in capsys.readouterr().err


def test_a_bad_configuration_exits_with_2(tmp_path, data, config, capsys):
    assert run_train(config, "--data", data, "--out", tmp_path, "--set", "colour=1") == 2
    assert capsys.readouterr().err.startswith("error: unknown key colour")


def test_pretraining_refuses_a_parent(tmp_path, data, config, checkpoint_dir, capsys):
    arguments = ["--data", data, "--out", tmp_path / "run", "--parent", checkpoint_dir]
    assert run_train(config, *arguments) == 2
    assert "give no parent" in capsys.readouterr().err


# -- quality-tuning -------------------------------------------------------------------------------


def test_tuning_records_parent_and_images(tuned_run, checkpoint_dir, data):
    metadata = read_metadata(tuned_run / "checkpoint")
    assert metadata["role"] == "quality_tuned"
    assert metadata["parent_sha256"] == read_metadata(checkpoint_dir)["sha256"]
    assert metadata["licences"] == ["MIT"]
    records = [r for r in manifest.read_records(data) if r.style == "3d"][:3]
    assert metadata["training"]["images"] == 3
    assert metadata["training"]["tuning_images_sha256"] == sha256_of_bytes(
        "\n".join(sorted(record.sha256 for record in records)).encode()
    )


def test_tuning_changes_the_denoiser_and_not_the_autoencoder(tuned_run, checkpoint_dir):
    before, after = file_hashes(checkpoint_dir), file_hashes(tuned_run / "checkpoint")
    assert before.keys() == after.keys()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"unet/diffusion_pytorch_model.safetensors"}


def test_tuning_needs_a_parent(tmp_path, data, tune, capsys):
    assert run_train(tune, "--data", data, "--out", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert "needs a parent" in error
    assert "`--parent` names it." in error


@pytest.mark.parametrize("spoil", ["absent", "changed"])
def test_tuning_refuses_an_unusable_parent(tmp_path, data, tune, checkpoint_dir, capsys, spoil):
    parent = tmp_path / "parent"
    if spoil == "changed":
        shutil.copytree(checkpoint_dir, parent)
        (parent / "config.json").write_text("{}")
    assert run_train(tune, "--data", data, "--out", tmp_path / "run", "--parent", parent) == 2
    assert str(parent) in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("3d\t1fffff\n", "first 3d 1fffff; build the data set with that source"),
        ("oil\t1f000\n", "first oil 1f000"),
        ("3d 1f000\n", "separated by a tab"),
        ("# nothing\n", "separated by a tab"),
    ],
)
def test_a_tuning_list_that_does_not_fit_exits_with_2(
    tmp_path, data, tune, checkpoint_dir, capsys, rows, message
):
    (tmp_path / "picked.tsv").write_text(rows)
    out = tmp_path / "run"
    assert run_train(tune, "--data", data, "--out", out, "--parent", checkpoint_dir) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_an_unknown_tuning_list_exits_with_2(tmp_path, data, tune, checkpoint_dir, capsys):
    arguments = ["--data", data, "--out", tmp_path / "run", "--parent", checkpoint_dir]
    assert run_train(tune, *arguments, "--set", "tuning_list=absent.tsv") == 2
    assert "tuning_list absent.tsv: no such file" in capsys.readouterr().err


def test_a_changed_tuning_list_is_another_run(tmp_path, tuned_run, data, checkpoint_dir, capsys):
    """The configuration only names the list; an edited list must not pass for the finished run."""
    run = tmp_path / "run"
    shutil.copytree(tuned_run, run)
    config = tuned_run.parent / "tune.toml"
    longer = tiny.write_tuning_list(tmp_path / "picked.tsv", things=4)
    known = json.loads((run / "run.json").read_text())
    known["identity"]["config"]["tuning_list"] = str(longer)
    (run / "run.json").write_text(json.dumps(known))
    arguments = ["--data", data, "--out", run, "--parent", checkpoint_dir]
    assert run_train(config, *arguments, "--set", f"tuning_list={longer}") == 2
    assert "other settings (tuning_images_sha256)" in capsys.readouterr().err


def test_a_half_done_run_of_a_version_without_a_setting_is_refused_and_kept(
    tmp_path, data, tuned_run, checkpoint_dir, capsys, monkeypatch
):
    """Whether that version trained the same is not known: buckets and framing came with the key."""
    run = tmp_path / "run"
    arguments = [tuned_run.parent / "tune.toml", "--data", data, "--out", run]
    arguments += ["--parent", checkpoint_dir]
    original = Trainer._train_step

    def dies(trainer):
        if trainer.step == 3:
            raise KeyboardInterrupt
        return original(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_train_step", dies)
        assert run_train(*arguments) == 130
    assert (run / "state-denoiser.pt").exists()
    begun = (run / "run.json").read_bytes()
    known = json.loads(begun)
    del known["identity"]["config"]["aspect_ratios"]
    (run / "run.json").write_text(json.dumps(known))
    before = snapshot(run)
    capsys.readouterr()
    for more in ((), ("--resume",)):
        assert run_train(*arguments, *more) == 2
        line, _ = capsys.readouterr().err.splitlines()
        assert "a run of another version of the trainer" in line
        assert "only one of them knows config.aspect_ratios)" in line
        assert "finish it with the version that began it" in line
        assert snapshot(run) == before
    (run / "run.json").write_bytes(begun)
    assert run_train(*arguments) == 0
    assert file_hashes(run / "checkpoint") == file_hashes(tuned_run / "checkpoint")


def test_a_run_of_another_recipe_is_none_of_another_version(tmp_path):
    """A recipe has settings that others have not."""
    held = {"config": {"recipe": "finetune", "tuning_list": ""}}
    run_folder.claim(tmp_path, held, fresh=False)
    wanted = {"config": {"recipe": "style_tailor", "tuning_list": "", "split": 0.5}}
    with pytest.raises(InputError, match=r"other settings \(config\.recipe, config\.split\)"):
        run_folder.check(tmp_path, wanted, fresh=False, resume=False, needed=[])


def test_picked_records_come_in_the_manifests_order(tmp_path, data):
    records = manifest.read_records(data)
    path = tmp_path / "picked.tsv"
    path.write_text("3d\t1f002\nflat\t1f001\twhat it shows\n3d\t1f002\n")
    picked = pick(records, str(path))
    assert [(r.style, r.concept) for r in picked] == [("flat", "1f001"), ("3d", "1f002")]


def test_hash_of_the_tuning_images_does_not_depend_on_order(data):
    records = manifest.read_records(data)
    assert images_sha256(records) == images_sha256(records[::-1]) != images_sha256(records[1:])


def test_our_tuning_list_is_found_beside_the_data(data):
    with pytest.raises(InputError, match=r"quality_tuning\.tsv names \d+ image"):
        pick(manifest.read_records(data)[:1], "quality_tuning.tsv")


def test_a_size_beyond_the_memory_is_refused_before_anything_is_made(
    tmp_path, data, config, monkeypatch, capsys
):
    monkeypatch.setattr("models_backend.training.memory.available_bytes", lambda device: 100_000)
    out = tmp_path / "run"
    assert train.main([str(config), "--data", str(data), "--out", str(out)]) == 2
    assert "denoiser: 1 M parameters need at least" in capsys.readouterr().err
    assert not (out / "log.jsonl").exists()  # the autoencoder before it was not trained either
