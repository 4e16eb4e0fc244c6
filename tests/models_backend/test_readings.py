"""How much of a prompt each class of model reads: held against what its own pipeline cuts."""

from pathlib import Path
from typing import Any

import diffusers
import pytest

from models_backend.checkpoints.loading import load_pipeline
from models_backend.families.diffusers_pipelines.pipeline import DiffusersPipeline
from models_backend.families.settings import SamplingSettings
from models_backend.nn.architecture import TextConfig
from models_backend.nn.reading import Reading, best_reader
from models_backend.nn.text import TextEncoder
from models_backend.sampling.image_sampler import ImageSampler
from tests.models_backend import tiny_encoders, tiny_pipelines

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CLIP = tiny_encoders.CLIP_TOKENS  # its start and end among them
SHORT = "a cat"
LONG = "a cat " * 20
LONGER = "cat " * 140
LIMITS = {
    "stable_diffusion": CLIP, "sdxl": CLIP, "latent_consistency": CLIP,
    "stable_diffusion_3": 256, "flux": 512, "flux_schnell": 512,
    "pixart_alpha": 120, "pixart_sigma": 300,
}  # fmt: skip
"""What the encoder that reads most takes, by the pipelines' own documentation."""


class Lengths:
    """Notes how long every sequence is that a pipeline hands its text encoders."""

    def __init__(self, pipeline: Any) -> None:
        self.longest = 0
        for name in ("text_encoder", "text_encoder_2", "text_encoder_3"):
            if encoder := getattr(pipeline, name, None):
                encoder.register_forward_pre_hook(self._note, with_kwargs=True)

    def _note(self, module: Any, inputs: Any, options: Any) -> None:
        ids = inputs[0] if inputs else options["input_ids"]
        self.longest = max(self.longest, ids.shape[-1])


@pytest.mark.parametrize("name", tiny_pipelines.PIPELINES)
def test_a_prompt_is_read_as_far_as_the_pipelines_own_call_reads(name, tmp_path):
    pipeline = tiny_pipelines.PIPELINES[name](tmp_path)
    pipeline.set_progress_bar_config(disable=True)
    model, seen = DiffusersPipeline(pipeline), Lengths(pipeline)
    settings = SamplingSettings(sampler="default", steps=2, height=32, width=32)
    model.denoise(prompts=[LONGER], seeds=[1], settings=settings)
    assert seen.longest == LIMITS[name]
    short, longer = model.readings([SHORT, LONGER])
    assert short.read == short.tokens
    assert (longer.read, longer.read < longer.tokens) == (min(longer.tokens, LIMITS[name]),
                                                          longer.tokens > LIMITS[name])  # fmt: skip


@pytest.mark.parametrize("name", ["stable_diffusion", "sdxl", "latent_consistency"])
def test_clip_cuts_what_t5_reads(name, tmp_path):
    (cut,) = DiffusersPipeline(tiny_pipelines.PIPELINES[name](tmp_path)).readings([LONG])
    assert cut == Reading(tokens=42, read=CLIP)
    assert cut.share == pytest.approx(CLIP / 42)
    (whole,) = DiffusersPipeline(tiny_pipelines.flux(tmp_path)).readings([LONG])
    assert whole.read == whole.tokens


def test_an_encoder_that_is_left_out_reads_nothing(tmp_path):
    parts = tiny_pipelines.stable_diffusion_3(tmp_path).components
    parts |= {"text_encoder_3": None, "tokenizer_3": None}
    (reading,) = DiffusersPipeline(diffusers.StableDiffusion3Pipeline(**parts)).readings([LONG])
    assert reading == Reading(tokens=42, read=CLIP)


class Foreign(diffusers.StableDiffusionPipeline):
    """A class not known here."""


def test_of_a_class_not_known_nothing_is_claimed(tmp_path):
    parts = tiny_pipelines.stable_diffusion(tmp_path).components
    model = DiffusersPipeline(Foreign(**parts, requires_safety_checker=False))
    assert model.readings([SHORT, LONG]) == [None, None]


def test_our_own_model_reads_as_many_tokens_as_it_was_made_with(checkpoint_dir):
    model = load_pipeline(checkpoint_dir, "cpu")
    (limit,) = model.text_encoder.config.tokens
    short, long = model.readings([SHORT, "a red boat " * 40])
    assert short.read == short.tokens < limit
    assert long.read == limit < long.tokens


def test_of_our_two_encoders_the_better_reader_counts(tmp_path):
    names = tiny_encoders.write_clip(tmp_path / "clip"), tiny_encoders.write_t5(tmp_path / "t5")
    config = TextConfig(encoders=tuple(map(str, names)), tokens=(CLIP, 130))
    (reading,) = TextEncoder(config).readings([LONG])
    assert reading.tokens == reading.read > CLIP


def test_best_reader_is_the_one_of_the_largest_share():
    clip, t5 = [Reading(10, 8), Reading(20, 8)], [Reading(40, 20), Reading(80, 80)]
    assert best_reader([clip, t5]) == [Reading(10, 8), Reading(80, 80)]
    assert Reading(0, 0).share == 1.0


def test_parts_carry_the_readings_of_their_own_prompts(tmp_path):
    folder: Path = tiny_pipelines.write("stable_diffusion", tmp_path / "sd")
    parts = ImageSampler(images_per_step=2).parts(
        folder, prompts=[SHORT, LONG, LONG], seeds=[1, 2, 3],
        settings=SamplingSettings(sampler="default", steps=2),
    )  # fmt: skip
    found = []
    for part in parts:
        found.append([(each.tokens, each.read) for each in part.readings])
        part.discard()
    assert found == [[(4, 4), (42, CLIP)], [(42, CLIP)]]
