"""The two halves of sampling: what the first hands over, and that the second may run beside it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from models_backend.checkpoints.loading import load_pipeline
from models_backend.families.base import Family
from models_backend.families.diffusers_pipelines.pipeline import DiffusersPipeline
from models_backend.families.settings import SamplingSettings
from models_backend.sampling.generate import generate
from tests.models_backend import tiny_pipelines

# diffusers' solvers hand numpy a tensor in a way numpy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PROMPTS, SEEDS = ["a cat", "an apple and a boat"], [3, 4]
SETTINGS = SamplingSettings(sampler="default", steps=2, height=32, width=48)


@pytest.fixture(scope="module", params=tiny_pipelines.PIPELINES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of each class, on disk."""
    return tiny_pipelines.write(request.param, tmp_path_factory.mktemp("pipelines") / "tiny")


def pixels(images: list[Any]) -> list[bytes]:
    return [image.tobytes() for image in images]


def own_call(pipeline: Any, **changes: object) -> list[Any]:
    """The pictures of the pipeline alone, called as its documentation says."""
    arguments = {"num_inference_steps": 2, "guidance_scale": 3.0, "height": 32, "width": 48}
    if "clean_caption" in type(pipeline).__call__.__annotations__:
        arguments["clean_caption"] = False
    transformer = getattr(pipeline, "transformer", None)
    if transformer is not None and transformer.config.get("guidance_embeds") is False:
        arguments |= {"true_cfg_scale": 3.0, "negative_prompt": [""] * len(PROMPTS)}
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    return pipeline(PROMPTS, generator=generators, **(arguments | changes)).images


def test_decoding_apart_gives_the_pipelines_own_pictures_bit_for_bit(folder, one_thread):
    model = load_pipeline(folder, "cpu")
    batch = model.denoise(prompts=PROMPTS, seeds=SEEDS, settings=SETTINGS)
    assert batch.latents is not None
    own = diffusers.DiffusionPipeline.from_pretrained(folder)
    own.set_progress_bar_config(disable=True)
    images = model.decode(batch)
    assert [image.size for image in images] == [(48, 32)] * 2
    assert pixels(images) == pixels(own_call(own))


def test_a_batch_is_decoded_while_the_next_is_denoised(folder, one_thread):
    model = load_pipeline(folder, "cpu")
    requests = [(["a cat", "a drum"], [seed, seed + 1]) for seed in range(0, 8, 2)]
    alone = [
        pixels(generate(model, prompts=prompts, seeds=seeds, settings=SETTINGS))
        for prompts, seeds in requests
    ]
    with ThreadPoolExecutor(1) as decoding:
        futures = [
            decoding.submit(
                model.decode, model.denoise(prompts=prompts, seeds=seeds, settings=SETTINGS)
            )
            for prompts, seeds in requests
        ]
        assert [pixels(future.result()) for future in futures] == alone


def test_our_model_is_decoded_from_another_thread(checkpoint_dir, one_thread):
    model = load_pipeline(checkpoint_dir, "cpu")
    settings = SamplingSettings(steps=2)
    sampled = generate(model, prompts=PROMPTS, seeds=SEEDS, settings=settings)
    batch = model.denoise(prompts=PROMPTS, seeds=SEEDS, settings=settings)
    with ThreadPoolExecutor(1) as decoding:
        assert pixels(decoding.submit(model.decode, batch).result()) == pixels(sampled)


class StoppedAtDecoding(DiffusersPipeline):
    """Lets a test see when decoding begins, and hold it there."""

    def __init__(self, pipeline: Any) -> None:
        super().__init__(pipeline)
        self.begun, self.let_go = threading.Event(), threading.Event()

    def to_pixels(self, *arguments: Any) -> torch.Tensor:
        self.begun.set()
        assert self.let_go.wait(20)
        return super().to_pixels(*arguments)


def test_denoising_does_not_wait_for_decoding(tmp_path):
    model = StoppedAtDecoding(tiny_pipelines.stable_diffusion(tmp_path))
    first = model.denoise(prompts=PROMPTS, seeds=SEEDS, settings=SETTINGS)
    with ThreadPoolExecutor(1) as decoding:
        pending = decoding.submit(model.decode, first)
        assert model.begun.wait(20)
        second = model.denoise(prompts=PROMPTS, seeds=SEEDS, settings=SETTINGS)
        assert not pending.done()
        model.let_go.set()
        assert pixels(pending.result(20)) == pixels(model.decode(second))


class Watched(diffusers.StableDiffusionPipeline):
    """A class whose decoding is not known here: it may do anything after the denoising."""


def test_a_class_not_known_is_run_whole(tmp_path):
    torch.manual_seed(0)
    parts = tiny_pipelines.stable_diffusion(tmp_path).components
    model = DiffusersPipeline(Watched(**parts, requires_safety_checker=False))
    batch = model.denoise(prompts=PROMPTS, seeds=SEEDS, settings=SETTINGS)
    assert batch.latents is None
    known = DiffusersPipeline(
        diffusers.StableDiffusionPipeline(**parts, requires_safety_checker=False)
    )
    images = generate(known, prompts=PROMPTS, seeds=SEEDS, settings=SETTINGS)
    assert pixels(model.decode(batch)) == pixels(images)


def test_half_precision_sdxl_decoder_is_turned_to_single_as_the_pipeline_does(tmp_path, one_thread):
    folder = tiny_pipelines.write("sdxl", tmp_path / "sdxl", dtype=torch.float16)

    def load() -> Any:
        pipeline = diffusers.DiffusionPipeline.from_pretrained(folder, dtype=torch.float16)
        pipeline.set_progress_bar_config(disable=True)
        assert pipeline.vae.dtype == torch.float16
        assert pipeline.vae.config.force_upcast
        return pipeline

    model = DiffusersPipeline(load())
    assert model.pipeline.unet.dtype == torch.float16
    images = generate(model, prompts=PROMPTS, seeds=SEEDS, settings=SETTINGS)
    own = load()
    own.upcast_vae = lambda: own.vae.to(torch.float32)  # deprecated there: it would warn
    assert pixels(images) == pixels(own_call(own))


def test_sdxl_latents_with_a_mean_of_their_own(tmp_path, one_thread):
    pipeline = tiny_pipelines.sdxl(tmp_path)
    pipeline.vae.register_to_config(
        latents_mean=[0.5, -1.0, 0.25, 2.0], latents_std=[2.0, 1.0, 0.5, 3.0]
    )
    pipeline.set_progress_bar_config(disable=True)
    model: Family = DiffusersPipeline(pipeline)
    images = generate(model, prompts=PROMPTS, seeds=SEEDS, settings=SETTINGS)
    assert pixels(images) == pixels(own_call(pipeline))
    pipeline.vae.register_to_config(latents_mean=None)
    plain = generate(model, prompts=PROMPTS, seeds=SEEDS, settings=SETTINGS)
    assert (np.asarray(plain[0]) != np.asarray(images[0])).any()


@pytest.mark.parametrize("name", ["pixart_alpha", "pixart_sigma"])
def test_pixart_cuts_the_size_asked_for_from_one_it_was_trained_for(name, tmp_path, one_thread):
    pipeline = tiny_pipelines.PIPELINES[name](tmp_path)
    pipeline.set_progress_bar_config(disable=True)
    settings = SamplingSettings(sampler="default", steps=2, height=24, width=64)
    batch = DiffusersPipeline(pipeline).denoise(prompts=PROMPTS, seeds=SEEDS, settings=settings)
    assert batch.latents is not None
    assert batch.latents.shape[-2:] != (6, 16)
    images = DiffusersPipeline(pipeline).decode(batch)
    assert images[0].size == (64, 24)
    changes = {"height": 24, "width": 64}
    assert pixels(images) == pixels(own_call(pipeline, **changes))
