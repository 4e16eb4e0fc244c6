"""Latent diffusion: sizes, targets and the samplers that fit them, files for diffusers."""

import dataclasses
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiffusionPipeline, UNet2DConditionModel

import models_backend
from models_backend import checkpoints
from models_backend.checkpoint_format import content_sha256
from models_backend.checkpoints.loading import load_pipeline
from models_backend.configuration.pretraining import PretrainConfig
from models_backend.errors import CheckpointError, InputError
from models_backend.families.batch import training_batch
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.families.settings import SamplingSettings
from models_backend.nn.architecture import (
    UNET_SIZES,
    AutoencoderConfig,
    ScheduleConfig,
    TextConfig,
    UNetConfig,
)
from models_backend.nn.schedule import NoiseSchedule
from models_backend.nn.unet import build_unet
from models_backend.recipes.configs import read_config
from models_backend.sampling.generate import generate
from tests.models_backend import tiny_encoders

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

AUTOENCODER = AutoencoderConfig(4, outer_width=8, inner_width=8, blocks=1)
KL = dataclasses.replace(AUTOENCODER, kind="kl", widths=(8, 8, 8, 8))
UNET = UNetConfig((32, 48), heads=2)
SCHEDULES = {
    "epsilon": ScheduleConfig("epsilon", "scaled_linear"),
    "v": ScheduleConfig(),
    "flow": ScheduleConfig("flow"),
}
FITTING = [
    ("epsilon", "ddim"), ("epsilon", "dpm++"), ("v", "ddim"), ("v", "dpm++"), ("flow", "euler"),
]  # fmt: skip
HALF_PRECISION = 8  # levels of 255 that storing weights in 16 bits may move a pixel
PROMPTS, SEEDS = ["an apple", "a cat on a long boat", "a drum"], [1, 2, 3]
TRAINING = {
    "recipe": "pretrain", "seed": 1, "code_version": "abc", "data_manifest_sha256": "0",
    "images": 2,
}  # fmt: skip


def model_of(target: str = "v", **changes: object) -> LatentDiffusion:
    torch.manual_seed(0)
    parts = {"autoencoder": AUTOENCODER, "unet": UNET, "image_size": (16, 16)} | changes
    model = LatentDiffusion.create(**parts, schedule=SCHEDULES[target])
    model.autoencoder.eval()
    model.unet.eval()
    return model


def draw(model, prompts=PROMPTS, seeds=SEEDS, **changes) -> np.ndarray:
    settings = SamplingSettings(**({"sampler": "default", "steps": 3} | changes))
    images = generate(model, prompts=prompts, seeds=seeds, settings=settings)
    return np.stack([np.asarray(image) for image in images]).astype(int)


def save(model: LatentDiffusion, folder: Path, **training: object) -> Path:
    checkpoints.save(
        model, folder, name="made", role="pretrained", training=TRAINING | training,
        licences=["MIT"],
    )  # fmt: skip
    return folder


# -- sizes ----------------------------------------------------------------------------------------

CLIP_L_AND_T5_XXL = 768 + 4096


def parameters_of(size: str, text_width: int) -> int:
    with torch.device("meta"):
        unet = build_unet(UNetConfig(**UNET_SIZES[size]), latent_channels=16, text_width=text_width)
    return sum(p.numel() for p in unet.parameters() if p.requires_grad)


def test_emu_has_the_papers_2_8_billion_parameters():
    assert parameters_of("emu", CLIP_L_AND_T5_XXL) == pytest.approx(2.8e9, rel=0.03)


def test_each_size_is_several_times_the_one_before():
    counts = [parameters_of(size, 384) for size in UNET_SIZES]
    assert list(UNET_SIZES) == ["tiny", "small", "base", "large", "emu"]
    assert all(2 < after / before < 12 for before, after in itertools.pairwise(counts))


def test_the_demos_models_are_tiny():
    folder = Path(models_backend.__file__).parent / "configs"
    for name in ("pretrained", "baseline"):
        config = read_config(folder / f"{name}.toml", [])
        assert isinstance(config, PretrainConfig)
        assert config.unet_config() == UNetConfig(**UNET_SIZES["tiny"])


# -- targets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", SCHEDULES)
def test_clean_latents_follow_from_noisy_ones_and_the_target(target):
    """What is predicted determines the image: each target's own formula gives z back."""
    schedule = NoiseSchedule(SCHEDULES[target])
    generator = torch.Generator().manual_seed(0)
    z, noise = torch.randn(2, 6, 4, 3, 3, generator=generator)
    t = schedule.times(torch.rand(6, generator=generator))
    noisy, wanted = schedule.noise_and_target(z, noise, t)
    if target == "flow":
        recovered = noisy - (t / 1000).view(-1, 1, 1, 1) * wanted
    else:
        share = DDIMScheduler.from_config(schedule.sampler("ddim").config).alphas_cumprod[t]
        a, s = share.sqrt().view(-1, 1, 1, 1), (1 - share).sqrt().view(-1, 1, 1, 1)
        recovered = (noisy - s * wanted) / a if target == "epsilon" else a * noisy - s * wanted
    assert torch.allclose(recovered, z, atol=1e-3)


@pytest.mark.parametrize("flow_time", ["uniform", "logit_normal"])
def test_flow_times_lie_between_0_and_1000(flow_time):
    schedule = NoiseSchedule(ScheduleConfig("flow", flow_time=flow_time))
    t = schedule.times(torch.rand(4000, generator=torch.Generator().manual_seed(0)))
    assert 0 < t.min() < t.max() < 1000
    assert t.mean() == pytest.approx(500, abs=15)
    middle = ((t > 250) & (t < 750)).float().mean()
    assert middle == pytest.approx(0.5 if flow_time == "uniform" else 0.728, abs=0.03)


class Oracle(torch.nn.Module):
    """Predicts the target exactly, for the one image it knows."""

    def __init__(self, schedule: NoiseSchedule, z: torch.Tensor) -> None:
        super().__init__()
        self.schedule, self.z = schedule, z
        self.scale = torch.nn.Parameter(torch.ones(()))  # a family asks where its weights are

    def forward(self, noisy, t, *_, **__):
        target, z = self.schedule.config.target, self.z.expand_as(noisy)
        if target == "flow":
            return type("Out", (), {"sample": (noisy - z) / (t / 1000)})
        a2 = self.schedule.sampler("ddim").alphas_cumprod[t]
        noise = (noisy - a2.sqrt() * z) / (1 - a2).sqrt()
        velocity = a2.sqrt() * noise - (1 - a2).sqrt() * z
        return type("Out", (), {"sample": noise if target == "epsilon" else velocity})


@pytest.mark.parametrize(("target", "sampler"), FITTING)
@pytest.mark.parametrize("steps", [1, 12])
def test_every_sampler_arrives_where_a_perfect_denoiser_points(target, sampler, steps, monkeypatch):
    model = model_of(target)
    z = torch.randn(1, 4, 2, 2, generator=torch.Generator().manual_seed(5))
    model.unet = Oracle(model.schedule, z)
    seen = []
    monkeypatch.setattr(
        model.autoencoder, "decode", lambda z: seen.append(z) or torch.zeros(1, 3, 16, 16)
    )
    draw(model, ["a cat"], [1], sampler=sampler, steps=steps)
    assert torch.allclose(seen[0], z, atol=2e-2)


@pytest.mark.parametrize("target", SCHEDULES)
def test_training_lowers_the_loss_of_every_target(target):
    model = model_of(target)
    text = model.text_encoder.encode(["an apple", "a cat"])
    z = torch.randn(2, 4, 2, 2, generator=torch.Generator().manual_seed(0)).repeat(8, 1, 1, 1)
    row = torch.arange(2).repeat(8)
    optimizer = torch.optim.Adam(model.unet.parameters(), lr=2e-3, fused=True)
    history = []
    for step in range(20):
        generator = torch.Generator().manual_seed(step)
        noise = torch.randn(z.shape, generator=generator)
        u = torch.rand(len(z), generator=generator)
        loss = model.loss(training_batch(z, text[row], noise, u)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert np.mean(history[-10:]) < 0.9 * np.mean(history[:5])


# -- samplers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "sampler"), FITTING)
def test_an_image_does_not_depend_on_its_batch(target, sampler):
    model = model_of(target)
    together = draw(model, sampler=sampler, negative_prompt="blurred")
    for index, (prompt, seed) in enumerate(zip(PROMPTS, SEEDS, strict=True)):
        alone = draw(model, [prompt], [seed], sampler=sampler, negative_prompt="blurred")[0]
        assert np.abs(alone - together[index]).max() <= 1


@pytest.mark.parametrize(
    ("target", "sampler"),
    [("epsilon", "euler"), ("v", "euler"), ("flow", "ddim"), ("flow", "dpm++")],
)
def test_a_sampler_that_does_not_fit_is_refused(target, sampler):
    with pytest.raises(InputError, match=f"this model predicts {target}; accepted are"):
        draw(model_of(target), sampler=sampler)


def test_default_sampler_is_the_targets_first():
    for target, sampler in (("v", "ddim"), ("flow", "euler")):
        model = model_of(target)
        assert (draw(model) == draw(model, sampler=sampler)).all()


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_any_multiple_of_the_factor_is_a_size(factor):
    model = model_of(autoencoder=dataclasses.replace(AUTOENCODER, factor=factor))
    images = draw(model, ["a cat"], [1], height=3 * factor, width=5 * factor)
    assert images.shape == (1, 3 * factor, 5 * factor, 3)
    with pytest.raises(InputError, match=f"width 17: accepted are multiples of {factor}"):
        draw(model, ["a cat"], [1], width=17)


def test_negative_prompt_moves_the_image_only_under_guidance():
    model = model_of()
    images = {
        (scale, negative): draw(
            model, ["a cat"], [1], guidance_scale=scale, negative_prompt=negative
        ).tobytes()
        for scale in (1.0, 5.0)
        for negative in ("", "a drum")
    }
    assert images[1.0, ""] == images[1.0, "a drum"]
    assert images[5.0, ""] != images[5.0, "a drum"]


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", SCHEDULES)
@pytest.mark.parametrize("kind", ["folded", "fourier", "kl", "factor 4"])
def test_round_trip_keeps_every_setting(tmp_path, target, kind):
    autoencoder = {
        "folded": AUTOENCODER,
        "fourier": dataclasses.replace(AUTOENCODER, fourier_frequencies=(1.0, 2.0, 4.0)),
        "kl": KL,
        "factor 4": dataclasses.replace(AUTOENCODER, factor=4),
    }[kind]
    model = model_of(target, autoencoder=autoencoder, text=TextConfig(tokens=(77,)))
    model.fit_latent_statistics(torch.randn(8, 4, 2, 2) * 3 + 1)
    again = load_pipeline(save(model, tmp_path / "made"), "cpu")
    assert again.config() == json.loads(json.dumps(model.config()))
    drawn = draw(again)
    assert np.abs(drawn - draw(model)).max() <= HALF_PRECISION
    once_more = load_pipeline(save(again, tmp_path / "again"), "cpu")
    assert (draw(once_more) == drawn).all()


def test_diffusers_reads_the_denoiser_and_its_scheduler(tmp_path):
    folder = save(model_of(), tmp_path / "made")
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", dtype=torch.float32)
    ours = load_pipeline(folder, "cpu").unet
    for name, tensor in unet.state_dict().items():
        assert torch.equal(tensor, ours.state_dict()[name]), name
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    assert scheduler.config.prediction_type == "v_prediction"
    assert scheduler.config.timestep_spacing == "trailing"


def test_diffusers_reads_a_kl_autoencoder_that_normalises_its_latents(tmp_path):
    model = model_of(autoencoder=KL)
    x = torch.rand(3, 3, 16, 16) * 2 - 1
    model.fit_latent_statistics(torch.randn(8, 4, 2, 2) * 3 + 1)
    folder = save(model, tmp_path / "made")
    vae = AutoencoderKL.from_pretrained(folder / "vae", dtype=torch.float32).eval()
    with torch.no_grad():
        z = model.normalise(model.encode(x))
        assert torch.allclose(vae.encode(x).latent_dist.mode(), z, atol=2e-2)
        expected = model.autoencoder.decode(model.denormalise(z))
        assert torch.allclose(vae.decode(z).sample, expected, atol=2e-2)


@pytest.mark.parametrize("target", ["epsilon", "v"])
def test_diffusers_draws_the_same_images_where_the_architecture_allows(tmp_path, target):
    clip = tiny_encoders.write_clip(tmp_path / "clip")
    model = model_of(
        target,
        autoencoder=KL,
        unet=dataclasses.replace(UNET, sentence_vector=False),
        text=TextConfig((str(clip),), (16,), masked=False),
    )
    model.fit_latent_statistics(torch.randn(8, 4, 2, 2) * 2)
    folder = save(model, tmp_path / "made")
    pipeline = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        PROMPTS, num_inference_steps=3, guidance_scale=3.0,
        generator=[torch.Generator().manual_seed(seed) for seed in SEEDS],
    ).images  # fmt: skip
    assert theirs[0].size == (16, 16)
    theirs = np.stack([np.asarray(image) for image in theirs]).astype(int)
    assert np.abs(theirs - draw(load_pipeline(folder, "cpu"))).max() <= 1


def test_no_pipeline_is_promised_where_none_fits(tmp_path):
    folder = save(model_of(), tmp_path / "made")
    assert not (folder / "model_index.json").exists()


def test_the_platform_accepts_both_layouts(tmp_path):
    from evalplatform.checkpoints.layout import inspect

    clip = tiny_encoders.write_clip(tmp_path / "clip")
    whole = model_of(
        autoencoder=KL,
        unet=dataclasses.replace(UNET, sentence_vector=False),
        text=TextConfig((str(clip),), (16,), masked=False),
    )
    for index, model in enumerate((model_of(), whole)):
        folder = save(model, tmp_path / str(index))
        files = inspect(folder)
        assert files.family == "latent_diffusion"
        assert files.sha256 == content_sha256(checkpoints.file_hashes(folder))
    assert (folder / "model_index.json").is_file()


def test_two_text_encoders_are_sampled_saved_and_found_again(tmp_path):
    encoders = tiny_encoders.write_clip(tmp_path / "clip"), tiny_encoders.write_t5(tmp_path / "t5")
    model = model_of(
        unet=dataclasses.replace(UNET, text_width=32),
        text=TextConfig(tuple(map(str, encoders)), (16, 40)),
    )
    again = load_pipeline(save(model, tmp_path / "made"), "cpu")
    assert np.abs(draw(again) - draw(model)).max() <= HALF_PRECISION
    assert (draw(again, ["a cat"], [1]) != draw(again, ["a dog"], [1])).any()
    shutil.rmtree(encoders[1])
    with pytest.raises(CheckpointError, match="text encoder"):
        load_pipeline(tmp_path / "made", "cpu")
