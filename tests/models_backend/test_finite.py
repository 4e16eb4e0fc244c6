"""NaN and infinity never become pictures: whoever draws says so, and what to do."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from torch import nn

from models_backend.checkpoints.loading import load_pipeline
from models_backend.errors import ModelsError
from models_backend.families.base import Family
from models_backend.families.denoised import Denoised
from models_backend.families.diffusers_pipelines.pipeline import DiffusersPipeline
from models_backend.families.settings import SamplingSettings
from models_backend.sampling.generate import generate
from models_backend.sampling.image_sampler import ImageSampler
from tests.models_backend import tiny_pipelines

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PROMPTS, SEEDS = ["a cat", "an apple and a boat"], [3, 4]
SETTINGS = SamplingSettings(sampler="default", steps=2, height=32, width=32)


class Watched(diffusers.StableDiffusionPipeline):
    """A class not known here: it is called whole, and gives nothing but pictures."""


def run_whole(folder: Path) -> Any:
    parts = tiny_pipelines.stable_diffusion(folder).components
    return Watched(**parts, requires_safety_checker=False)


MAKERS: dict[str, Callable[[Path], Any]] = tiny_pipelines.PIPELINES | {"not_known": run_whole}


def first_weight(module: nn.Module) -> torch.Tensor:
    return next(module.parameters()).data


def draw(model: Family, settings: SamplingSettings = SETTINGS) -> list[Any]:
    return generate(model, prompts=PROMPTS, seeds=SEEDS, settings=settings)


def denoiser_of(pipeline: Any) -> nn.Module:
    return getattr(pipeline, "unet", None) or pipeline.transformer


@pytest.fixture(scope="module")
def model_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], DiffusersPipeline]:
    """Make one of a class; tests leave its weights as they found them."""

    @functools.cache
    def made(name: str) -> DiffusersPipeline:
        pipeline = MAKERS[name](tmp_path_factory.mktemp(name))
        pipeline.set_progress_bar_config(disable=True)
        return DiffusersPipeline(pipeline)

    return made


@contextmanager
def spoiled(module: nn.Module, value: float) -> Iterator[None]:
    """Meanwhile the first number of its first weight is `value`."""
    numbers = first_weight(module).flatten()
    sound = float(numbers[0])
    numbers[0] = value
    try:
        yield
    finally:
        numbers[0] = sound


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["denoiser", "decoder"])
@pytest.mark.parametrize("name", MAKERS)
def test_broken_weights_are_named_instead_of_drawn(name, part, value, model_of):
    pipeline = model_of(name).pipeline
    broken = denoiser_of(pipeline) if part == "denoiser" else pipeline.vae.decoder
    network = type(denoiser_of(pipeline) if part == "denoiser" else pipeline.vae).__name__
    said = f"2 of 2 images .*not finite.*{network} .*is not"
    with spoiled(broken, value), pytest.raises(ModelsError, match=said) as bad:
        draw(model_of(name))
    assert bad.value.fails_its_like
    assert "\n" not in str(bad.value)


@pytest.mark.parametrize("name", MAKERS)
def test_a_sound_pipeline_is_not_complained_of(name, model_of):
    model = model_of(name)
    assert len(draw(model)) == len(draw(model)) == 2


@pytest.mark.parametrize("name", ["stable_diffusion", "not_known"])
def test_overflow_of_half_precision_is_told_from_broken_weights(name, tmp_path):
    pipeline = MAKERS[name](tmp_path).to(dtype=torch.float16)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.vae.decoder.conv_out.weight.data.fill_(6e4)
    with pytest.raises(ModelsError, match=r"float16 overflows; save .* in float32") as bad:
        draw(DiffusersPipeline(pipeline))
    assert not bad.value.fails_its_like


@pytest.mark.parametrize("part", ["unet", "decoder"])
def test_our_own_model_says_it_too(checkpoint_dir, part):
    model = load_pipeline(checkpoint_dir, "cpu")
    first_weight(model.unet if part == "unet" else model.autoencoder.decoder).fill_(float("nan"))
    with pytest.raises(ModelsError, match=r"2 of 2 images .*not finite.*weights are broken"):
        draw(model, SamplingSettings(steps=2))


def test_one_image_of_a_batch_is_enough(checkpoint_dir):
    model = load_pipeline(checkpoint_dir, "cpu")
    batch = model.denoise(prompts=PROMPTS, seeds=SEEDS, settings=SamplingSettings(steps=2))
    batch.latents[1, 0, 0, 0] = float("inf")
    with pytest.raises(ModelsError, match=r"1 of 2 images .*before decoding.*weights are finite"):
        model.decode(batch)
    assert len(model.decode(Denoised.of(batch.latents[:1]))) == 1


def test_a_broken_checkpoint_does_not_stop_the_next_in_one_process(tmp_path):
    """Its part is let go of, so that loading another pipeline waits for nothing."""
    folders = [tiny_pipelines.write("stable_diffusion", tmp_path / name) for name in "ab"]
    sampler = ImageSampler(memory_bytes=1, images_per_step=2)
    request = {"prompts": PROMPTS, "seeds": SEEDS, "settings": SETTINGS}
    first_weight(sampler.pipelines.get(folders[0], 1).denoiser).fill_(float("nan"))
    with pytest.raises(ModelsError, match="not finite"):
        [part.decode() for part in sampler.parts(folders[0], **request)]
    assert [len(part.decode()) for part in sampler.parts(folders[1], **request)] == [2]
