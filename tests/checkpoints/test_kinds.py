"""What people bring that is no checkpoint, or twice one: named for what it is, with the way out."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
from django.db import DataError
from safetensors.numpy import load_file, save_file

from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints.layout import inspect
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services import register_checkpoint, registering
from evalplatform.core.errors import BadInputError
from models_backend.checkpoint_format import content_sha256
from tests import factories
from tests.checkpoints import hostile
from tests.checkpoints.hub_server import files_of

pytestmark = pytest.mark.django_db
UNET = "unet/diffusion_pytorch_model"


@pytest.fixture(autouse=True)
def registry(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    return settings.CHECKPOINT_DIR


@pytest.fixture
def folder(tmp_path):
    return hostile.pipeline(tmp_path / "sd")


def refused(message, source, **options):
    with pytest.raises(BadInputError, match=message) as refusal:
        register_checkpoint(project=default_project(), source=source, name="it", **options)
    assert "\n" not in str(refusal.value)
    assert not Checkpoint.objects.exists()


def halve(path, target):
    save_file({k: v.astype(np.float16) for k, v in load_file(path).items()}, target)


# ---- several precisions -------------------------------------------------------------------------


def test_of_two_precisions_side_by_side_one_is_counted_and_kept(folder):
    alone = inspect(folder).sha256
    halve(folder / f"{UNET}.safetensors", folder / f"{UNET}.fp16.safetensors")
    checkpoint, _ = register_checkpoint(project=default_project(), source=folder, name="it")
    assert checkpoint.parameters == {"F32": 4}
    assert checkpoint.sha256 == alone
    assert f"{UNET}.fp16.safetensors" not in files_of(checkpoint.directory)
    assert checkpoint.size_bytes == sum(map(len, files_of(checkpoint.directory).values()))


def test_weights_of_one_precision_lose_it_in_their_names(folder):
    halve(folder / f"{UNET}.safetensors", folder / f"{UNET}.fp16.safetensors")
    (folder / f"{UNET}.safetensors").unlink()
    checkpoint, _ = register_checkpoint(project=default_project(), source=folder, name="it")
    assert checkpoint.parameters == {"F16": 4}
    assert f"{UNET}.safetensors" in files_of(checkpoint.directory)
    again, is_new = register_checkpoint(
        project=default_project(), source=checkpoint.directory, name="again"
    )
    assert (again, is_new) == (checkpoint, False)


@pytest.mark.parametrize("table", ["safetensors.index.fp16.json", "fp16.safetensors.index.json"])
def test_shards_of_a_precision_lose_it_in_their_table_too(folder, table):
    (folder / f"{UNET}.safetensors").unlink()
    names = {}
    for number in (1, 2):
        name = f"diffusion_pytorch_model.fp16-0000{number}-of-00002.safetensors"
        save_file({f"w{number}": np.ones(3, np.float16)}, folder / "unet" / name)
        names[f"w{number}"] = name
    (folder / f"{UNET}.{table}").write_text(json.dumps({"weight_map": names}))
    checkpoint, _ = register_checkpoint(project=default_project(), source=folder, name="it")
    kept = json.loads((checkpoint.directory / f"{UNET}.safetensors.index.json").read_text())
    assert kept["weight_map"]["w2"] == "diffusion_pytorch_model-00002-of-00002.safetensors"
    assert set(kept["weight_map"].values()) <= {p.name for p in checkpoint.directory.rglob("*")}
    assert checkpoint.parameters == {"F16": 6}


def test_copies_for_other_programs_and_averages_are_left_out(folder):
    alone = inspect(folder)
    shutil.copy(folder / f"{UNET}.safetensors", folder / "sd_v1.safetensors")
    shutil.copytree(folder / "unet", folder / "unet_ema")
    found = inspect(folder)
    assert found.parameters == alone.parameters
    assert found.left_out == ("sd_v1.safetensors", "unet_ema/diffusion_pytorch_model.safetensors")


def test_weights_of_eight_bits_take_twice_their_files_once_loaded():
    parameters = {"F8_E4M3": 80, "F8_E5M2": 10, "F16": 15}
    checkpoint = factories.make_checkpoint("eights", size_bytes=120, parameters=parameters)
    checkpoint.refresh_from_db()
    assert checkpoint.loaded_bytes == 210


def test_weights_whole_and_in_shards_are_refused(folder):
    save_file({"w": np.ones(4)}, folder / f"{UNET}-00001-of-00001.safetensors")
    refused("unet holds its weights whole and in shards", folder)


# ---- other things than checkpoints --------------------------------------------------------------


@pytest.mark.parametrize("name", [f"{UNET}.safetensors", "unet/config.json", "model_index.json"])
def test_pointer_of_git_lfs_is_named(folder, name):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3438167534\n"
    (folder / name).write_text(pointer)
    refused(f"{name} is a Git LFS pointer.*git lfs pull", folder)


LORAS = [
    "unet.down_blocks.0.attentions.0.to_q.lora_A.weight",
    "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight",
    "transformer.single_transformer_blocks.0.attn.to_k.lora.up.weight",
]


@pytest.mark.parametrize("tensor", LORAS)
def test_lora_is_named(tmp_path, tensor):
    (tmp_path / "lora").mkdir()
    path = tmp_path / "lora/pytorch_lora_weights.safetensors"
    save_file({tensor: np.ones(2)}, path)
    (tmp_path / "lora/optimizer.bin").write_bytes(b"\x80\x04.")  # as training leaves it
    refused("is a LoRA.* its base", tmp_path / "lora")
    refused("is a LoRA.* its base", path)
    refused("is a LoRA.* its base", path, config=hostile.configurations(tmp_path / "config"))


def test_denoiser_alone_is_named(folder, tmp_path):
    (folder / "model_index.json").unlink()
    refused("holds a U-Net alone.* its base", folder)
    path = tmp_path / "unet.safetensors"
    save_file({"down_blocks.0.resnets.0.conv1.weight": np.ones(2)}, path)
    refused("unet.safetensors holds a U-Net alone.* its base", path)


def test_output_of_a_training_run_is_named(folder):
    (folder / "checkpoint-500").mkdir()
    (folder / "checkpoint-500/optimizer.bin").write_bytes(b"\x80\x04.")
    (folder / "logs").mkdir()
    refused("output folder of a training run: .* checkpoint-500, logs. Move these", folder)


def cached(folder, root):
    """Lay a folder out as a hub's cache does."""
    blobs, snapshot = root / "blobs", root / "snapshots/0123abcd"
    blobs.mkdir(parents=True)
    for name, content in files_of(folder).items():
        blob = blobs / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(os.path.relpath(blob, (snapshot / name).parent))
    return snapshot


def test_links_of_a_hubs_cache_are_followed(folder, tmp_path):
    checkpoint, _ = register_checkpoint(
        project=default_project(), source=cached(folder, tmp_path / "models--a--b"), name="it"
    )
    assert files_of(checkpoint.directory) == files_of(folder)
    assert not any(path.is_symlink() for path in checkpoint.directory.rglob("*"))


def test_link_out_of_a_hubs_cache_is_refused(folder, tmp_path):
    snapshot = cached(folder, tmp_path / "models--a--b")
    (snapshot / "notes.txt").symlink_to("/etc/hostname")
    refused("notes.txt is a link; copy the folder with `cp -rL`", snapshot)


# ---- nothing is left behind ---------------------------------------------------------------------


def test_paths_cannot_be_read_as_lines_of_the_content_hash():
    honest = {"a": "1" * 64, "b": "2" * 64}
    forged = {f"a {'1' * 64}\nb": "2" * 64}
    assert content_sha256(honest) != content_sha256(forged)
    assert content_sha256({f"1 a {'1' * 64}\n1 b": "2" * 64}) != content_sha256(honest)


def test_what_the_database_refuses_leaves_no_files(folder, registry, monkeypatch):
    def refuse(**_):
        raise DataError("unsupported Unicode escape sequence\nDETAIL: \\u0000")

    monkeypatch.setattr(registering.Checkpoint.objects, "get_or_create", refuse)
    refused("something that cannot be stored .unsupported Unicode", folder)
    assert list(registry.iterdir()) == []


def test_files_without_a_row_give_way(folder, registry):
    """As a process leaves them that was killed between the two."""
    left = registry / inspect(folder).sha256
    left.mkdir(parents=True)
    (left / "half.txt").write_text("half")
    checkpoint, is_new = register_checkpoint(project=default_project(), source=folder, name="it")
    assert is_new
    assert files_of(checkpoint.directory) == files_of(folder)


def test_name_that_is_too_long_is_refused(folder):
    with pytest.raises(BadInputError, match="at most 80"):
        register_checkpoint(project=default_project(), source=folder, name="a" * 81)
