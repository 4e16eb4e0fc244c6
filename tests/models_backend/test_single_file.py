"""Checkpoints in one file of the original layout: the same images as from the directory."""

import shutil

import diffusers
import numpy as np
import pytest
import torch
import transformers
from safetensors.numpy import load_file, save_file

from evalplatform.checkpoints.layout import inspect
from evalplatform.core.errors import BadInputError
from models_backend.checkpoints.check import check
from models_backend.checkpoints.loading import load_pipeline
from models_backend.errors import CheckpointError
from models_backend.families.diffusers_pipelines.pipeline import DiffusersPipeline
from models_backend.families.settings import SamplingSettings
from models_backend.sampling.generate import generate
from tests.generation.original_layout import save_configurations, save_single_file
from tests.generation.tiny import save_tiny_pipeline
from tests.models_backend.tiny_encoders import clip_config, clip_tokenizer, unet, vae

SETTINGS = SamplingSettings(steps=3, guidance_scale=4.0, height=32, width=32)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return save_tiny_pipeline(tmp_path_factory.mktemp("tiny") / "sd", seed=5)


@pytest.fixture
def single(pipeline, tmp_path):
    folder = tmp_path / "single"
    save_configurations(pipeline, folder / "config")
    save_single_file(pipeline, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def xl(tmp_path_factory):
    """A tiny SDXL, its two text encoders of different widths as the real ones are."""
    folder = tmp_path_factory.mktemp("tiny-xl")
    torch.manual_seed(3)
    diffusers.StableDiffusionXLPipeline(
        vae=vae(),
        unet=unet(
            cross_attention_dim=40, use_linear_projection=True,
            addition_embed_type="text_time", addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 24,
        ),
        text_encoder=transformers.CLIPTextModel(clip_config(16)),
        text_encoder_2=transformers.CLIPTextModelWithProjection(clip_config(24)),
        tokenizer=clip_tokenizer(folder / "raw"), tokenizer_2=clip_tokenizer(folder / "raw"),
        scheduler=diffusers.DDIMScheduler(), add_watermarker=False,
    ).save_pretrained(folder / "pipeline")  # fmt: skip
    return folder / "pipeline"


@pytest.fixture(scope="module")
def sd3(tmp_path_factory):
    """A tiny SD3 without its T5, as it is often distributed."""
    folder = tmp_path_factory.mktemp("tiny-sd3")
    torch.manual_seed(4)
    autoencoder = vae()
    autoencoder.register_to_config(shift_factor=0.0609)
    diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=8, patch_size=1, in_channels=4, out_channels=4, num_layers=2,
            attention_head_dim=8, num_attention_heads=4, caption_projection_dim=32,
            joint_attention_dim=48, pooled_projection_dim=40,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=autoencoder,
        text_encoder=transformers.CLIPTextModelWithProjection(clip_config(16)),
        text_encoder_2=transformers.CLIPTextModelWithProjection(clip_config(24)),
        tokenizer=clip_tokenizer(folder / "raw"), tokenizer_2=clip_tokenizer(folder / "raw"),
        text_encoder_3=None, tokenizer_3=None,
    ).save_pretrained(folder / "pipeline")  # fmt: skip
    return folder / "pipeline"


def images(folder, settings=SETTINGS):
    check(folder)  # tells beforehand that it loads
    loaded = load_pipeline(folder, "cpu")
    return loaded, draw(loaded, settings)


def draw(loaded, settings):
    drawn = generate(loaded, prompts=["a cat", "a dog"], seeds=[1, 2], settings=settings)
    return [np.asarray(image) for image in drawn]


def test_one_file_gives_the_images_of_the_directory(pipeline, single):
    _, expected = images(pipeline)
    loaded, found = images(single)
    assert loaded.name == "single_file"
    assert loaded.config() == {"pipeline": "StableDiffusionPipeline"}
    assert np.array_equal(expected, found)
    assert not np.array_equal(*found)


@pytest.mark.parametrize(
    "lacking", [(), ("text_encoder",), ("text_encoder", "text_encoder_2")], ids=len
)
def test_sdxl_with_and_without_its_text_encoders(xl, tmp_path, lacking):
    folder = tmp_path / "single"
    parts = {"unet", "vae", "text_encoder", "text_encoder_2"} - set(lacking)
    save_configurations(xl, folder / "config", weights_of=lacking)
    save_single_file(xl, folder / "model.safetensors", parts=tuple(parts))
    loaded, found = images(folder)
    assert loaded.config() == {"pipeline": "StableDiffusionXLPipeline"}
    assert np.array_equal(images(xl)[1], found)
    assert inspect(folder).family == "single_file"  # the registry takes the same layout


def test_sd3_without_text_encoders_takes_them_from_its_configurations(sd3, tmp_path):
    folder = tmp_path / "single"
    save_configurations(sd3, folder / "config", weights_of=("text_encoder", "text_encoder_2"))
    save_single_file(sd3, folder / "model.safetensors", parts=("transformer", "vae"))
    settings = SamplingSettings(sampler="default", steps=3, height=32, width=32)
    _, found = images(folder, settings)
    directory = diffusers.StableDiffusion3Pipeline.from_pretrained(
        sd3, text_encoder_3=None, tokenizer_3=None
    )
    directory.set_progress_bar_config(disable=True)
    assert np.array_equal(draw(DiffusersPipeline(directory), settings), found)
    assert not np.array_equal(*found)
    assert inspect(folder).metadata["config"] == {"pipeline": "StableDiffusion3Pipeline"}


def test_registry_refuses_of_sdxl_what_diffusers_would_not_read(xl, tmp_path):
    folder = tmp_path / "single"
    save_configurations(xl, folder / "config", weights_of=("text_encoder_2",))
    save_single_file(xl, folder / "model.safetensors", parts=("unet", "vae", "text_encoder"))
    with pytest.raises(CheckpointError, match="Failed to load CLIPTextModel"):
        load_pipeline(folder, "cpu")
    with pytest.raises(BadInputError, match="only beside the other"):
        inspect(folder)


def test_component_that_the_file_lacks_comes_from_the_configurations(pipeline, tmp_path):
    folder = tmp_path / "single"
    save_configurations(pipeline, folder / "config", weights_of=("text_encoder", "vae"))
    save_single_file(pipeline, folder / "model.safetensors", parts=("unet",))
    assert np.array_equal(images(pipeline)[1], images(folder)[1])


def test_other_weights_give_other_images(pipeline, single):
    weights = load_file(single / "model.safetensors")
    name = "model.diffusion_model.middle_block.0.in_layers.2.weight"
    save_file(weights | {name: weights[name] + 0.5}, single / "model.safetensors")
    assert not np.array_equal(images(pipeline)[1], images(single)[1])


def test_half_precision_is_drawn_in_float32_on_a_cpu(single):
    weights = load_file(single / "model.safetensors")
    halves = {name: value.astype(np.float16) for name, value in weights.items()}
    save_file(halves, single / "model.safetensors")
    loaded, _ = images(single)
    for part in (loaded.denoiser, loaded.pipeline.vae, loaded.pipeline.text_encoder):
        assert {str(each.dtype) for each in part.parameters()} == {"torch.float32"}


@pytest.mark.parametrize(
    "name",
    ["model.diffusion_model.middle_block.0.in_layers.2.weight",
     "first_stage_model.decoder.conv_in.weight",
     "cond_stage_model.transformer.text_model.final_layer_norm.weight"],
)  # fmt: skip
def test_missing_tensor_is_refused_by_name_not_left_empty(single, name):
    weights = load_file(single / "model.safetensors")
    del weights[name]
    save_file(weights, single / "model.safetensors")
    with pytest.raises(CheckpointError, match="not a single file that diffusers can load"):
        load_pipeline(single, "cpu")
    with pytest.raises(CheckpointError, match="lacks 1 tensor, "):
        check(single)


def test_configurations_of_another_size_are_refused(single):
    path = single / "config/unet/config.json"
    path.write_text(path.read_text().replace("32,", "64,"))
    with pytest.raises(CheckpointError, match="not a single file that diffusers can load"):
        load_pipeline(single, "cpu")
    with pytest.raises(CheckpointError, match=r"UNet2DConditionModel .* holds .* as 32.* wants 64"):
        check(single)


def test_pipeline_that_cannot_be_one_file_is_refused(single):
    path = single / "config/model_index.json"
    path.write_text(path.read_text().replace("StableDiffusionPipeline", "PixArtAlphaPipeline"))
    for reading in (check, lambda folder: load_pipeline(folder, "cpu")):
        with pytest.raises(CheckpointError, match="cannot be read from one file"):
            reading(single)


def test_registry_knows_the_pipelines_that_diffusers_reads_from_one_file():
    from evalplatform.checkpoints.verification.classes import PIPELINES
    from evalplatform.checkpoints.verification.single_file import PREFIXES

    readable = {name for name in PIPELINES if hasattr(getattr(diffusers, name), "from_single_file")}
    assert set(PREFIXES) == readable


def test_safety_checker_is_not_loaded(pipeline, single):
    path = single / "config/model_index.json"
    text = path.read_text()
    checker = '["stable_diffusion", "StableDiffusionSafetyChecker"]'
    path.write_text(text.replace('"safety_checker": [\n    null,\n    null\n  ]',
                                 f'"safety_checker": {checker}'))  # fmt: skip
    assert checker in path.read_text()
    shutil.rmtree(single / "config/safety_checker", ignore_errors=True)
    assert np.array_equal(images(pipeline)[1], images(single)[1])
