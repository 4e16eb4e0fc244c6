"""Classes of diffusers pipelines: registered, sampled, honouring their settings or refusing."""

import json
import shutil
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from evalplatform.checkpoints.layout import inspect
from models_backend.checkpoints.loading import load_pipeline
from models_backend.errors import InputError
from models_backend.families.base import Family
from models_backend.families.diffusers_pipelines.files import loading_precision
from models_backend.families.diffusers_pipelines.pipeline import DiffusersPipeline
from models_backend.families.settings import SAMPLERS, SamplingSettings
from models_backend.sampling.generate import generate
from tests.models_backend import tiny_on_disk, tiny_pipelines

# diffusers' solvers hand numpy a tensor in a way numpy 2 warns about.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]

FITTING = {
    "stable_diffusion": ["ddim", "dpm++"],
    "sdxl": ["ddim", "dpm++"],
    "stable_diffusion_3": ["euler"],
    "flux": ["euler"],
    "flux_schnell": ["euler"],
    "pixart_alpha": ["ddim", "dpm++"],
    "pixart_sigma": ["ddim", "dpm++"],
    "latent_consistency": [],
}
EMBEDDED = ["flux", "latent_consistency"]
"""Guidance is an input of these networks, which leaves no room for a negative prompt."""
GUIDED = [name for name in FITTING if name not in EMBEDDED]
PROMPTS = ["a cat", "an apple and a boat", "a drum", "egg", "a very long red boat with cats"]
SEEDS = [1, 2, 3, 4, 2**63]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("pipelines")
    return {name: tiny_pipelines.write(name, base / name) for name in tiny_pipelines.PIPELINES}


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, Family]:
    return {name: load_pipeline(folder, "cpu") for name, folder in folders.items()}


def draw(model: Family, prompts: list[str], seeds: list[int], **changes: object) -> np.ndarray:
    settings = {"sampler": "default", "steps": 2, "height": 32, "width": 32}
    images = generate(
        model, prompts=prompts, seeds=seeds, settings=SamplingSettings(**(settings | changes))
    )
    return np.stack([np.asarray(image) for image in images]).astype(int)


def one(model: Family, **changes: object) -> np.ndarray:
    return draw(model, ["a cat"], [1], **changes)


def test_every_tiny_class_is_in_the_tables_here():
    assert tiny_pipelines.PIPELINES.keys() == FITTING.keys()


def test_a_process_without_torch_can_have_one_written(tmp_path):
    folder = tiny_on_disk.write("sdxl", tmp_path / "sdxl", seed=3)
    assert one(load_pipeline(folder, "cpu")).std() > 0


@pytest.mark.parametrize("name", FITTING)
def test_directory_is_registered(name, folders):
    files = inspect(folders[name])
    assert files.family == "diffusers_pipeline"
    own = type(tiny_pipelines.PIPELINES[name](folders[name].with_name("words"))).__name__
    assert files.metadata["config"] == {"pipeline": own}


# -- samplers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FITTING)
def test_samplers_fit_or_are_refused(name, models):
    accepted = ", ".join([*FITTING[name], "default"]).replace("+", r"\+")
    for sampler in SAMPLERS:
        if sampler in FITTING[name]:
            assert one(models[name], sampler=sampler).std() > 0
        else:
            with pytest.raises(InputError, match=rf"accepted are {accepted}$"):
                one(models[name], sampler=sampler)


@pytest.mark.parametrize("name", FITTING)
def test_a_call_that_breaks_off_leaves_nothing_behind(name, models, monkeypatch):
    model = models[name]
    expected = one(model)
    forward, calls = model.denoiser.forward, []

    def fail_at_the_second(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("as if")
        return forward(*arguments, **named)

    monkeypatch.setattr(model.denoiser, "forward", fail_at_the_second)
    with pytest.raises(torch.OutOfMemoryError):
        one(model, steps=3)
    monkeypatch.undo()
    assert (one(model) == expected).all()


# -- guidance and negative prompts ----------------------------------------------------------------


@pytest.mark.parametrize("name", FITTING)
def test_guidance_changes_the_image(name, models):
    drawn = [one(models[name], guidance_scale=scale).tobytes() for scale in (1, 2, 7.5)]
    assert len(set(drawn)) == 3


@pytest.mark.parametrize("name", GUIDED)
def test_guidance_between_none_and_one_is_refused_and_0_is_none(name, models):
    with pytest.raises(InputError, match=r"guidance_scale 0\.5.*accepted are 1"):
        one(models[name], guidance_scale=0.5)
    assert (one(models[name], guidance_scale=0) == one(models[name], guidance_scale=1)).all()


@pytest.mark.parametrize("name", GUIDED)
def test_negative_prompt_changes_the_image_or_is_refused(name, models):
    plain = one(models[name], guidance_scale=4)
    assert (one(models[name], guidance_scale=4, negative_prompt="a boat") != plain).any()
    with pytest.raises(InputError, match=r"'a boat'.*at guidance_scale 1.*leave it empty"):
        one(models[name], guidance_scale=1, negative_prompt="a boat")


@pytest.mark.parametrize("name", EMBEDDED)
def test_negative_prompt_beside_embedded_guidance_is_refused(name, models):
    with pytest.raises(InputError, match=r"'a boat'.*part of the network"):
        one(models[name], guidance_scale=4, negative_prompt="a boat")


def test_sdxl_guides_away_from_zeros_unless_there_is_a_negative_prompt(models):
    model = models["sdxl"]
    assert isinstance(model, DiffusersPipeline)
    assert model.pipeline.config.force_zeros_for_empty_prompt
    heard = []
    forward = model.denoiser.forward

    def hear(*arguments: Any, **named: Any) -> Any:
        heard.append((named["encoder_hidden_states"][0], named["added_cond_kwargs"]["text_embeds"]))
        return forward(*arguments, **named)

    model.denoiser.forward = hear
    try:
        one(model, guidance_scale=4, steps=1)
        one(model, guidance_scale=4, steps=1, negative_prompt="a boat")
    finally:
        del model.denoiser.forward
    (tokens, pooled), (negative_tokens, negative_pooled) = heard
    assert not tokens.any()
    assert not pooled[0].any()
    assert negative_tokens.any()
    assert negative_pooled[0].any()


class WithoutGuidance(diffusers.StableDiffusionPipeline):
    """A class that draws as it is, such as one distilled to one step."""

    def __call__(self, prompt: Any, num_inference_steps: int, generator: Any) -> Any:
        return super().__call__(
            prompt, num_inference_steps=num_inference_steps, generator=generator, guidance_scale=1
        )


def test_class_without_guidance_takes_none_and_has_one_size(tmp_path):
    parts = tiny_pipelines.stable_diffusion(tmp_path).components
    model = DiffusersPipeline(WithoutGuidance(**parts, requires_safety_checker=False))
    own = {"guidance_scale": 1, "height": None, "width": None}
    assert one(model, **own).std() > 0
    with pytest.raises(InputError, match=r"guidance_scale 3: .* accepted is 1"):
        one(model, **(own | {"guidance_scale": 3}))
    with pytest.raises(InputError, match="would ignore it"):
        one(model, **own, negative_prompt="a boat")
    with pytest.raises(InputError, match=r"height 32: .* has one size only"):
        one(model, guidance_scale=1)


# -- sizes and steps ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in FITTING if "pixart" not in name])
@pytest.mark.parametrize("size", [(16, 48), (8, 8), (40, 24)])
def test_sizes_are_what_was_asked_for(name, size, models):
    height, width = size
    assert one(models[name], height=height, width=width, steps=1).shape == (1, *size, 3)


@pytest.mark.parametrize("name", FITTING)
def test_own_size_needs_no_settings(name, models):
    side = {"pixart": 256, "flux": 256}.get(name.split("_")[0], 16)
    steps = 1 if side == 256 and "flux" in name else 2  # which takes a second each
    drawn = one(models[name], height=None, width=None, steps=steps)
    assert drawn.shape[1:] == (side, side, 3)


@pytest.mark.parametrize("name", FITTING)
def test_sizes_no_pipeline_draws_are_refused(name, models):
    with pytest.raises(InputError, match="width 20: accepted are multiples of 8"):
        one(models[name], width=20)
    with pytest.raises(InputError, match="needs both"):
        one(models[name], width=None)


def test_flux_and_sd3_need_sides_their_patches_divide(tmp_path):
    for name in ("flux", "stable_diffusion_3"):
        pipeline = tiny_pipelines.PIPELINES[name](tmp_path)
        pipeline.vae_scale_factor, pipeline.patch_size = 8, 2
        with pytest.raises(InputError, match="height 24: accepted are multiples of 16"):
            one(DiffusersPipeline(pipeline), height=24)


@pytest.mark.parametrize("name", FITTING)
def test_one_step_draws_an_image_or_is_refused(name, models):
    if name == "pixart_alpha":
        with pytest.raises(InputError, match="steps 1: PixArtAlphaPipeline needs 2"):
            one(models[name], steps=1)
        assert one(models[name], steps=1, sampler="ddim").shape == (1, 32, 32, 3)
    else:
        assert one(models[name], steps=1).shape == (1, 32, 32, 3)


def test_what_the_pipeline_itself_complains_of_is_an_input_error(models):
    with pytest.raises(InputError, match=r"LatentConsistencyModelPipeline: .*num_inference_steps"):
        one(models["latent_consistency"], steps=51)


def test_pixart_of_a_size_of_its_own_is_drawn_as_asked(tmp_path):
    pipeline = tiny_pipelines.pixart_alpha(tmp_path)
    pipeline.transformer.register_to_config(sample_size=8)
    assert one(DiffusersPipeline(pipeline), height=32, width=64).shape == (1, 32, 64, 3)
    with pytest.raises(InputError, match="height 24: accepted are multiples of 16"):
        one(DiffusersPipeline(pipeline), height=24, width=64)


# -- an image and its neighbours ------------------------------------------------------------------


@pytest.mark.parametrize("name", FITTING)
def test_an_image_is_the_same_alone_and_among_five(name, models):
    for sampler in [*FITTING[name], "default"]:
        together = draw(models[name], PROMPTS, SEEDS, sampler=sampler)
        for index, (prompt, seed) in enumerate(zip(PROMPTS, SEEDS, strict=True)):
            alone = draw(models[name], [prompt], [seed], sampler=sampler)[0]
            assert np.abs(alone - together[index]).max() <= 1


STOCHASTIC: dict[str, tuple[Any, dict[str, Any]]] = {
    "stable_diffusion": (diffusers.EulerAncestralDiscreteScheduler, {}),
    "sdxl": (diffusers.DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}),
    "pixart_sigma": (diffusers.DDPMScheduler, {}),
    "latent_consistency": (diffusers.LCMScheduler, {}),
    # Their pipelines hand the scheduler no generator.
    "stable_diffusion_3": (
        diffusers.FlowMatchEulerDiscreteScheduler, {"stochastic_sampling": True},
    ),
    "flux": (
        diffusers.FlowMatchEulerDiscreteScheduler,
        {"stochastic_sampling": True, "use_dynamic_shifting": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STOCHASTIC)
def test_noise_drawn_within_steps_is_each_samples_own(name, tmp_path):
    torch.manual_seed(0)
    pipeline = tiny_pipelines.PIPELINES[name](tmp_path)
    kind, changes = STOCHASTIC[name]
    pipeline.scheduler = kind(**changes)
    model = DiffusersPipeline(pipeline)
    before = torch.get_rng_state()
    together = draw(model, PROMPTS, SEEDS, steps=4)
    for index, (prompt, seed) in enumerate(zip(PROMPTS, SEEDS, strict=True)):
        assert np.abs(draw(model, [prompt], [seed], steps=4)[0] - together[index]).max() <= 1
    assert (torch.get_rng_state() == before).all()


class PadsToTheLongest(diffusers.StableDiffusionPipeline):
    """As CogView4, Lumina and Qwen-Image do: what a prompt becomes depends on its batch."""

    def encode_prompt(self, prompt: Any, *arguments: Any, **named: Any) -> Any:
        self.tokenizer.model_max_length = max(len(each) for each in prompt)
        return super().encode_prompt(prompt, *arguments, **named)


def test_a_class_that_pads_to_the_longest_prompt_is_called_for_each(tmp_path):
    torch.manual_seed(0)
    parts = tiny_pipelines.stable_diffusion(tmp_path).components
    pipeline = PadsToTheLongest(**parts, requires_safety_checker=False)
    prompts, seeds = ["a cat", "an apple boat"], [1, 2]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    size = {"height": 32, "width": 32}
    mixed = pipeline(prompts, generator=generators, num_inference_steps=2, **size).images
    model = DiffusersPipeline(pipeline)
    together = draw(model, prompts, seeds, guidance_scale=7.5)
    assert np.abs(np.asarray(mixed[0]).astype(int) - together[0]).max() > 1
    for index, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
        alone = draw(model, [prompt], [seed], guidance_scale=7.5)[0]
        assert (alone == together[index]).all()


# -- half precision -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", FITTING)
def test_half_precision_weights_are_sampled_in_float32_on_a_cpu(name, dtype, tmp_path):
    folder = tiny_pipelines.write(name, tmp_path / name, dtype=dtype)
    model = load_pipeline(folder, "cpu")
    assert isinstance(model, DiffusersPipeline)
    assert {p.dtype for module in model.modules() for p in module.parameters()} == {torch.float32}
    assert inspect(folder).parameters.keys() <= {"F16", "BF16", "I64", "F32"}
    files = sorted((folder / ("unet" if hasattr(model.pipeline, "unet") else "transformer")).glob(
        "*.safetensors"
    ))  # fmt: skip
    assert loading_precision(files, "cuda") == loading_precision(files, "cuda:1") == dtype
    assert one(model).std() > 0


def test_weights_of_eight_bits_are_loaded_in_sixteen(tmp_path):
    weights = {"a": torch.ones(4).to(torch.float8_e4m3fn), "b": torch.ones(4).to(torch.float8_e5m2)}
    save_file(weights, tmp_path / "model.safetensors")
    assert loading_precision([tmp_path / "model.safetensors"], "cuda") == torch.bfloat16


@pytest.mark.parametrize("name", FITTING)
def test_a_pipeline_in_half_precision_is_sampled_in_it(name, tmp_path):
    """As on a GPU."""
    torch.manual_seed(0)
    pipeline = tiny_pipelines.PIPELINES[name](tmp_path)
    expected = one(DiffusersPipeline(pipeline))
    half = one(DiffusersPipeline(pipeline.to(dtype=torch.bfloat16)))
    assert 0 < np.abs(half - expected).mean() < 12


def test_weights_of_a_variant_alone_are_found(tmp_path):
    folder = tmp_path / "fp16"
    pipeline = tiny_pipelines.stable_diffusion(tmp_path / "words").to(dtype=torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True, variant="fp16")
    assert (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").is_file()
    assert inspect(folder).family == "diffusers_pipeline"
    assert one(load_pipeline(folder, "cpu")).std() > 0


@pytest.mark.parametrize("halved", [["text_encoder"], ["text_encoder", "text_encoder_2"], ["unet"]])
def test_components_of_which_some_are_there_in_a_variant_alone_load(halved, folders, tmp_path):
    """As a folder looks that somebody saved space in."""
    folder = shutil.copytree(folders["sdxl"], tmp_path / "mixed")
    for name in halved:
        (weights,) = (folder / name).glob("*.safetensors")
        tensors = {key: value.half() for key, value in load_file(weights).items()}
        save_file(tensors, weights.with_suffix(".fp16.safetensors"), metadata={"format": "pt"})
        weights.unlink()
    assert inspect(folder).family == "diffusers_pipeline"
    assert one(load_pipeline(folder, "cpu")).std() > 0


def test_safety_checker_of_a_directory_is_not_loaded(folders, tmp_path):
    """It would blacken images without a word; here it is named and not even there."""
    folder = shutil.copytree(folders["stable_diffusion"], tmp_path / "judged")
    index = json.loads((folder / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    (folder / "model_index.json").write_text(json.dumps(index))
    ours, plain = load_pipeline(folder, "cpu"), load_pipeline(folders["stable_diffusion"], "cpu")
    assert np.array_equal(draw(ours, PROMPTS[:1], SEEDS[:1]), draw(plain, PROMPTS[:1], SEEDS[:1]))


def test_component_its_author_left_out_is_not_asked_for(tmp_path):
    """Stable Diffusion 3 is often published without its third, largest text encoder."""
    folder = tiny_pipelines.write("stable_diffusion_3", tmp_path / "small")
    index = json.loads((folder / "model_index.json").read_text())
    for name in ("text_encoder_3", "tokenizer_3"):
        shutil.rmtree(folder / name)
        index[name] = [None, None]
    (folder / "model_index.json").write_text(json.dumps(index))
    assert draw(load_pipeline(folder, "cpu"), PROMPTS[:2], SEEDS[:2]).shape == (2, 32, 32, 3)
