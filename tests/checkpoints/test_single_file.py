"""One file in the original layout with its configurations: put together, verified, registered."""

import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from safetensors.numpy import load_file, save

from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.core.errors import BadInputError
from tests.checkpoints import hostile
from tests.checkpoints.hub_server import files_of

pytestmark = pytest.mark.django_db
ENCODER = "text_encoder/model.safetensors"


@pytest.fixture(autouse=True)
def registry(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    return settings.CHECKPOINT_DIR


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my.model-v2.safetensors"
    path.write_bytes(hostile.original())
    return path


@pytest.fixture
def config(tmp_path):
    return hostile.configurations(tmp_path / "sd-config")


def refused(message, **options):
    with pytest.raises(BadInputError, match=message) as refusal:
        register_checkpoint(project=default_project(), **options)
    assert "\n" not in str(refusal.value)
    assert not Checkpoint.objects.exists()
    return refusal.value


def test_file_and_configurations_become_one_checkpoint(file, config, registry):
    checkpoint, _ = register_checkpoint(project=default_project(), source=file, config=config)
    assert (checkpoint.name, checkpoint.family) == ("my-model-v2", "single_file")
    assert checkpoint.config == {"pipeline": "StableDiffusionPipeline"}
    assert checkpoint.parameters == {"F32": 6}
    kept = files_of(checkpoint.directory)
    assert kept.pop("model.safetensors") == file.read_bytes()
    assert kept == {f"config/{name}": content for name, content in files_of(config).items()}
    assert {path.name for path in registry.iterdir()} == {checkpoint.sha256}


@pytest.mark.parametrize("form", ["index", "zip"])
def test_configurations_may_be_an_archive_or_the_index(file, config, tmp_path, form):
    first, _ = register_checkpoint(project=default_project(), source=file, config=config)
    given = config / "model_index.json"
    if form == "zip":
        given = hostile.zipped(tmp_path / "c.zip", files_of(config))
    assert register_checkpoint(project=default_project(), source=file, config=given) == (
        first,
        False,
    )


def test_of_a_whole_pipeline_only_the_weights_that_the_file_lacks_come_along(config, tmp_path):
    file = tmp_path / "lacks.safetensors"
    file.write_bytes(hostile.original(*hostile.SINGLE_TENSORS[:2]))
    for name in ("unet/diffusion_pytorch_model.safetensors", ENCODER, "sd-v1.safetensors"):
        (config / name).write_bytes(save({"w": np.ones(3, np.float32)}))
    checkpoint, _ = register_checkpoint(project=default_project(), source=file, config=config)
    found = [name for name in files_of(checkpoint.directory) if name.endswith(".safetensors")]
    assert found == [f"config/{ENCODER}", "model.safetensors"]
    assert checkpoint.parameters == {"F32": 7}


def test_component_in_neither_place_is_named(config, tmp_path):
    file = tmp_path / "lacks.safetensors"
    file.write_bytes(hostile.original(*hostile.SINGLE_TENSORS[:2]))
    refused("has no text_encoder, and config/ brings no weights", source=file, config=config)


@pytest.mark.parametrize(
    ("pipeline", "components", "tensors"),
    [
        ("StableDiffusionXLPipeline", ["unet", "vae", "text_encoder", "text_encoder_2"],
         ["model.diffusion_model.a", "first_stage_model.a", "conditioner.embedders.0.a",
          "conditioner.embedders.1.a"]),
        ("StableDiffusion3Pipeline",
         ["transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"],
         ["model.diffusion_model.a", "first_stage_model.a", "text_encoders.clip_l.a",
          "text_encoders.clip_g.a", "text_encoders.t5xxl.a"]),
        ("FluxPipeline", ["transformer", "vae", "text_encoder", "text_encoder_2"],
         ["double_blocks.0.a", "vae.a", "text_encoders.clip_l.a", "text_encoders.t5xxl.a"]),
    ],
)  # fmt: skip
def test_each_component_is_found_by_the_names_of_its_tensors(
    config, tmp_path, pipeline, components, tensors
):
    kinds = {"unet": "UNet2DConditionModel", "transformer": "FluxTransformer2DModel",
             "vae": "AutoencoderKL"}  # fmt: skip
    index = {"_class_name": pipeline} | {
        name: ["diffusers", kinds[name]] if name in kinds else ["transformers", "T5EncoderModel"]
        for name in components
    }
    (config / "model_index.json").write_text(json.dumps(index))
    file = tmp_path / "m.safetensors"
    for component, tensor in list(zip(components, tensors, strict=True))[1:]:
        file.write_bytes(hostile.original(*(each for each in tensors if each != tensor)))
        refused(f"has no {component}, ", source=file, config=config)
    file.write_bytes(hostile.original(*tensors[1:]))
    refused(f"holds no {components[0]} in the original layout", source=file, config=config)
    file.write_bytes(hostile.original(*tensors))
    assert register_checkpoint(project=default_project(), source=file, config=config)[1]


def test_a_pickle_among_the_configurations_is_refused(file, config, tmp_path):
    (config / "text_encoder/pytorch_model.bin").write_bytes(hostile.bomb(tmp_path / "canary"))
    refused("could run code", source=file, config=config)
    assert not (tmp_path / "canary").exists()


def test_a_link_among_the_configurations_is_refused(file, config):
    (config / "unet/other.json").symlink_to("/etc/hostname")
    refused("is a link", source=file, config=config)


def test_what_is_no_single_file_or_no_configuration_is_refused(file, config, tmp_path):
    refused("belongs to one", source=config, config=config)
    refused("is no configuration", source=file, config=file)
    refused("is no configuration", source=file, config=tmp_path / "nowhere")
    (config / "model_index.json").unlink()
    refused("has no model_index.json", source=file, config=config)
    file.write_bytes(b"\x80\x04.")
    refused("has no model_index.json", source=file, config=config)
    refused("is not a whole safetensors file", source=file)
    file.write_bytes(hostile.original())
    refusal = refused("and the configuration that belongs to it", source=file)
    assert refusal.by_command == "--config names the configuration."


def test_lying_header_is_refused_before_the_file_is_copied(file, config, registry, monkeypatch):
    file.write_bytes(hostile.header_file({}, length=2**62))
    monkeypatch.setattr("shutil.copyfile", lambda *_, **__: pytest.fail("copied"))
    refused("not a whole safetensors", source=file, config=config)
    assert list(registry.iterdir()) == []


def test_archive_of_the_layout_is_known_again(file, config, tmp_path):
    first, _ = register_checkpoint(project=default_project(), source=file, config=config)
    archive = hostile.zipped(
        tmp_path / "a.zip",
        {f"top/{name}": content for name, content in files_of(first.directory).items()},
    )
    assert register_checkpoint(project=default_project(), source=archive) == (first, False)
    assert set(load_file(Path(first.directory) / "model.safetensors")) == set(
        hostile.SINGLE_TENSORS
    )


def test_command_takes_a_config_and_refuses_it_for_a_hub(file, config, capsys):
    call_command("register_checkpoint", str(file), config=config, name="one")
    assert "registered one (external, single_file)" in capsys.readouterr().out
    with pytest.raises(CommandError, match="not for a hub"):
        call_command("register_checkpoint", "hub:org/name", config=config)
