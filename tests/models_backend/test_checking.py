"""Whether a checkpoint would load, told from classes, names and shapes without reading weights."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models_backend import checkpoints
from models_backend.checkpoints import check as checking
from models_backend.checkpoints.check import check
from models_backend.checkpoints.loading import load_pipeline
from models_backend.errors import CheckpointError
from tests.models_backend import tiny_pipelines

WEIGHTS = "diffusion_pytorch_model.safetensors"
RECORDED = Path(checkpoints.__file__).resolve().parents[1] / "recorded"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Pipelines by name, each written once."""
    root, written = tmp_path_factory.mktemp("pipelines"), {}

    def of(name):
        if name not in written:
            written[name] = tiny_pipelines.write(name, root / name)
        return written[name]

    return of


@pytest.fixture
def sd(saved, tmp_path):
    return shutil.copytree(saved("stable_diffusion"), tmp_path / "sd")


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def spoil(path, change):
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def refused(message, folder):
    with pytest.raises(CheckpointError, match=message) as refusal:
        check(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", tiny_pipelines.PIPELINES)
def test_pipeline_of_every_kind_would_load(saved, name):
    check(saved(name))


@pytest.mark.parametrize(
    "name", ["pretrained", "baseline", "pixel_pretrained", "masked_pretrained"]
)
@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded run in this checkout")
def test_recorded_runs_would_load(name):
    check(RECORDED / name)


def test_half_of_the_tensors_missing_is_said_before_anything_loads(sd):
    def drop(tensors):
        for name in sorted(tensors)[::2]:
            del tensors[name]

    spoil(sd / "unet" / WEIGHTS, drop)
    refused(r"^unet lacks \d+ tensors, conv_in.* and \d+ more; .*copy both again", sd)
    with pytest.raises(CheckpointError):
        load_pipeline(sd, "cpu")


@pytest.mark.parametrize("part", ["text_encoder/model.safetensors", f"vae/{WEIGHTS}"])
def test_one_tensor_missing_is_named(sd, part):
    spoil(sd / part, lambda tensors: tensors.pop(max(tensors)))
    refused(rf"^{part.partition('/')[0]} lacks 1 tensor, ", sd)


@pytest.mark.parametrize("part", ["text_encoder/model.safetensors", f"unet/{WEIGHTS}"])
def test_tensors_without_a_place_are_named(sd, part):
    spoil(sd / part, lambda tensors: tensors.update({"layer.9.weight": torch.ones(2)}))
    refused(r"holds 1 tensor, layer.9.weight, which its configuration has no place for", sd)


def test_tensors_that_older_versions_saved_too_are_passed_over(sd):
    spoil(
        sd / "text_encoder/model.safetensors",
        lambda tensors: tensors.update({"text_model.embeddings.position_ids": torch.ones(1, 16)}),
    )
    check(sd)
    load_pipeline(sd, "cpu")


def test_configuration_of_another_model_is_said_with_both_shapes(sd):
    edit(sd / "unet/config.json", cross_attention_dim=32)
    refused(r"unet holds .*attn2.to_k.weight as 16 x 16 where its configuration wants 16 x 32", sd)


@pytest.mark.parametrize("part", ["tokenizer", "scheduler", "text_encoder", "unet"])
def test_component_without_its_files_is_named(sd, part):
    for path in (sd / part).iterdir():
        path.unlink()
    refused(rf"^{part} ", sd)


def test_component_without_weights_is_named(sd):
    (sd / "vae" / WEIGHTS).unlink()
    refused("^vae has no weights", sd)


def test_tokenizer_without_its_words_is_named(sd):
    (sd / "tokenizer/tokenizer.json").unlink()
    refused("^tokenizer has no vocabulary|^tokenizer cannot be built", sd)


def test_missing_shard_and_a_table_that_lies_are_named(sd):
    tensors = load_file(sd / "unet" / WEIGHTS)
    (sd / "unet" / WEIGHTS).unlink()
    names = sorted(tensors)
    halves = {1: names[::2], 2: names[1::2]}
    shard = "diffusion_pytorch_model-0000{}-of-00002.safetensors"
    for number, half in halves.items():
        save_file({name: tensors[name] for name in half}, sd / "unet" / shard.format(number))
    table = {name: shard.format(number) for number, half in halves.items() for name in half}
    path = sd / "unet" / f"{WEIGHTS}.index.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": table}))
    check(sd)
    path.write_text(json.dumps({"weight_map": dict.fromkeys(names, shard.format(1))}))
    refused("unet lacks .* names tensors that its shards do not hold", sd)


def test_class_that_is_not_installed_is_named(sd):
    edit(sd / "model_index.json", scheduler=["diffusers", "SpecialScheduler"])
    refused("scheduler is a SpecialScheduler, which the installed diffusers does not have", sd)


def test_component_of_another_class_than_its_weights_is_refused(sd):
    edit(sd / "model_index.json", vae=["diffusers", "AutoencoderTiny"])
    refused("^vae ", sd)


def test_quantised_component_is_named(sd):
    edit(sd / "unet/config.json", quantization_config={"quant_method": "bitsandbytes"})
    refused("unet is quantised", sd)


def test_own_model_of_another_configuration_is_refused(tmp_path, monkeypatch):
    folder = shutil.copytree(RECORDED / "pretrained", tmp_path / "own")
    monkeypatch.setattr(checking, "read_metadata", lambda folder: {"family": "latent_diffusion"})
    config = json.loads((folder / "config.json").read_text())
    config["unet"]["widths"] = [2 * width for width in config["unet"]["widths"]]
    edit(folder / "config.json", unet=config["unet"])
    refused("unet holds .* where its configuration wants", folder)
    edit(folder / "config.json", unet={"depth": 3})
    refused("not a whole latent_diffusion model", folder)
    shutil.copy(RECORDED / "pretrained/config.json", folder)
    spoil(folder / "autoencoder/latents.safetensors", lambda tensors: tensors.pop("latent_std"))
    refused("autoencoder lacks 1 tensor, latent_std", folder)


def test_program_says_in_one_line_and_by_its_status(sd, monkeypatch, capsys):
    (sd / "vae" / WEIGHTS).unlink()
    monkeypatch.setattr(checking.resource, "setrlimit", lambda *_: None)  # for this process to stay
    monkeypatch.setattr(checking.os, "environ", {})
    monkeypatch.setattr(sys, "argv", ["check", str(sd)])
    assert checking.run_cli(checking.main) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: vae has no weights; copy")


def test_program_whose_parent_was_killed_ends_by_itself(sd):
    """Here after a second, within which torch is not even loaded."""
    begin = "from models_backend.checkpoints import check; check._CPU_SECONDS = 1; check.main()"
    finished = subprocess.run([sys.executable, "-c", begin, str(sd)], check=False, timeout=60)
    assert finished.returncode in (-signal.SIGKILL, -signal.SIGXCPU)
