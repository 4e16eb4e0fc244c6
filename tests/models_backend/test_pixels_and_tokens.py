"""Pixel diffusion and masked transformers: trained by the recipes, sampled, kept and refused."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models_backend import checkpoints, train
from models_backend.checkpoints import load_pipeline
from models_backend.data import shards
from models_backend.data.pictures import bucket_sizes
from models_backend.errors import CheckpointError, InputError
from models_backend.families.batch import training_batch
from models_backend.families.guidance import undo_noise
from models_backend.families.masked_transformer.filling import fill_in, halton_order, still_hidden
from models_backend.families.masked_transformer.model import MaskedTransformer
from models_backend.families.pixel_diffusion import files
from models_backend.families.pixel_diffusion.model import PixelDiffusion
from models_backend.families.pixel_diffusion.stages import (
    beyond,
    noised_small,
    pooled_noise,
    with_residual,
)
from models_backend.families.registry import family_named
from models_backend.families.settings import SamplingSettings
from models_backend.nn.architecture import ScheduleConfig, TokenizerConfig
from models_backend.nn.fsq import Tokenizer
from models_backend.nn.schedule import NoiseSchedule
from models_backend.recipes.configs import read_config
from models_backend.training.trainer import Trainer
from tests.models_backend import tiny

# diffusers makes a numpy array of a tensor in the schedule of dpm++.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("briefly_fitted_head"),
]

OWN = {"pixel_diffusion": tiny.PIXEL_DIFFUSION, "masked_transformer": tiny.MASKED_TRANSFORMER}
PROMPTS = ["an apple", "a boat", "a cat", "a drum", "an egg"]
SETTINGS = SamplingSettings(sampler="default", steps=4)
TUNE = tiny.QUALITY_TUNE.replace("candidates = 0", "candidates = 2\nimages = 4\nsampler_steps = 3")


def run(*arguments: object) -> int:
    return train.main([str(each) for each in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, Path]:
    """A checkpoint of each family, by its name."""
    folder = tmp_path_factory.mktemp("families")
    for name, text in OWN.items():
        (folder / f"{name}.toml").write_text(text)
        assert run(folder / f"{name}.toml", "--data", data, "--out", folder / name) == 0
    return {name: folder / name / "checkpoint" for name in OWN}


@pytest.fixture(params=OWN)
def checkpoint(request, trained) -> Path:
    return trained[request.param]


def latents(model, prompts, seeds, settings=SETTINGS) -> torch.Tensor:
    return model.denoise(prompts=prompts, seeds=seeds, settings=settings).latents


def test_image_is_the_same_alone_and_among_five(checkpoint):
    """Of tokens bit for bit: one that fell otherwise would be another image."""
    model = load_pipeline(checkpoint, "cpu")
    together = latents(model, PROMPTS, range(5))
    alone = torch.cat([latents(model, [p], [seed]) for seed, p in enumerate(PROMPTS)])
    if isinstance(model, MaskedTransformer):
        assert torch.equal(together, alone)
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    assert not torch.equal(together[0], latents(model, PROMPTS[:1], [9])[0])


def test_weights_come_back_as_they_were_saved(checkpoint, tmp_path):
    model = load_pipeline(checkpoint, "cpu")
    model.save(tmp_path / "again")
    again = type(model).load(tmp_path / "again", "cpu")
    assert torch.equal(latents(model, PROMPTS, range(5)), latents(again, PROMPTS, range(5)))
    assert again.config() == model.config()


def test_sampling_makes_pictures_of_the_models_size(checkpoint):
    model = load_pipeline(checkpoint, "cpu")
    images = model.sample(prompts=PROMPTS[:2], seeds=[1, 2], settings=SETTINGS)
    assert [image.size for image in images] == [(16, 16), (16, 16)]
    unguided = SamplingSettings(sampler="default", steps=4, guidance_scale=1.0)
    assert len(model.sample(prompts=PROMPTS[:1], seeds=[1], settings=unguided)) == 1


def test_checkpoint_of_a_killed_run_is_that_of_one_in_one_go(checkpoint, data, tmp_path):
    family = checkpoints.read_metadata(checkpoint)["family"]
    config = tmp_path / "config.toml"
    config.write_text(OWN[family])
    original, killed = Trainer._train_step, []

    def dies(trainer):
        if trainer.stage in ("base", "transformer") and trainer.step == 7 and not killed:
            killed.append(trainer.stage)
            raise KeyboardInterrupt
        return original(trainer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_train_step", dies)
        assert run(config, "--data", data, "--out", tmp_path / "run") == 130
        assert run(config, "--data", data, "--out", tmp_path / "run", "--resume") == 0
    again = checkpoints.read_metadata(tmp_path / "run" / "checkpoint")
    assert again["sha256"] == checkpoints.read_metadata(checkpoint)["sha256"]


def test_every_part_is_tuned_and_stopped_by_its_own_signals(checkpoint, data, tmp_path):
    listed = tiny.write_tuning_list(tmp_path / "list.tsv", things=3)
    (tmp_path / "tune.toml").write_text(TUNE.format(tuning_list=listed))
    offset = 0.1 if "pixel" in str(checkpoint) else 0.0
    given = (
        tmp_path / "tune.toml", "--data", data, "--out", tmp_path / "run", "--parent", checkpoint,
        "--set", f"noise_offset={offset}",
    )  # fmt: skip
    assert run(*given) == 0
    tuned = checkpoints.read_metadata(tmp_path / "run" / "checkpoint")
    parent = checkpoints.read_metadata(checkpoint)
    assert tuned["parent_sha256"] == parent["sha256"]
    parts = load_pipeline(checkpoint, "cpu").parts
    changed = {
        name.partition("/")[0]
        for name, entry in tuned["files"].items()
        if entry["sha256"] != parent["files"][name]["sha256"]
    }
    assert changed == set(parts)
    choice = tuned["training"]["early_stopping"]
    assert {*choice.get("other_parts", {})} == set(parts[1:])
    assert tuned["training"]["steps"] == dict.fromkeys(parts, 4)

    assert run(*given, "--pick", f"{parts[-1]}=2") == 0
    picked = checkpoints.read_metadata(tmp_path / "run" / f"checkpoint-{parts[-1]}-2")
    last = picked["training"]["early_stopping"]
    last = last.get("other_parts", {}).get(parts[-1], last)
    assert (last["picked_by"], last["picked_step"]) == ("person", 2)


def test_noise_offset_is_refused_where_there_is_no_noise(trained, data, tmp_path, capsys):
    listed = tiny.write_tuning_list(tmp_path / "list.tsv")
    (tmp_path / "tune.toml").write_text(TUNE.format(tuning_list=listed))
    given = ("--data", data, "--out", tmp_path / "run", "--parent", trained["masked_transformer"])
    assert run(tmp_path / "tune.toml", *given) == 2
    assert "learns tokens, which have no noise to shift; set noise_offset = 0" in (
        capsys.readouterr().err
    )


def test_part_that_a_family_lacks_is_refused(trained, data, tmp_path, capsys):
    listed = tiny.write_tuning_list(tmp_path / "list.tsv")
    (tmp_path / "tune.toml").write_text(TUNE.format(tuning_list=listed))
    given = ("--data", data, "--out", tmp_path / "run", "--parent", trained["pixel_diffusion"])
    assert run(tmp_path / "tune.toml", *given, "--set", 'parts=["denoiser"]') == 2
    assert "parts 'denoiser': a pixel_diffusion model has base, upsampler_1" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("family", "sampler", "accepted"),
    [
        ("pixel_diffusion", "halton", "predicts v; accepted are ddim, dpm[+][+] and default"),
        ("masked_transformer", "ddim", "accepted are confidence, halton and default"),
    ],
)
def test_sampler_of_another_family_is_refused(trained, family, sampler, accepted):
    model = load_pipeline(trained[family], "cpu")
    with pytest.raises(InputError, match=accepted):
        latents(model, PROMPTS[:1], [1], SamplingSettings(sampler=sampler, steps=2))


@pytest.mark.parametrize(
    ("family", "says"),
    [("pixel_diffusion", "accepted are multiples of 4"), ("masked_transformer", "makes the 16")],
)
def test_size_that_the_model_cannot_make_is_refused(trained, family, says):
    model = load_pipeline(trained[family], "cpu")
    with pytest.raises(InputError, match=f"height 18: .*{says}"):
        latents(model, PROMPTS[:1], [1], SamplingSettings(sampler="default", height=18))


def test_pixels_are_sampled_at_other_sizes_too(trained):
    model = load_pipeline(trained["pixel_diffusion"], "cpu")
    wide = SamplingSettings(sampler="dpm++", steps=3, height=16, width=24)
    assert latents(model, PROMPTS[:1], [1], wide).shape == (1, 3, 16, 24)


# -- files ----------------------------------------------------------------------------------------


def test_weights_of_another_shape_are_refused_without_loading(checkpoint, tmp_path):
    model = load_pipeline(checkpoint, "cpu")
    model.save(tmp_path / "spoiled")
    type(model).check(tmp_path / "spoiled")
    path = next((tmp_path / "spoiled" / model.parts[-1]).glob("*.safetensors"))
    tensors = load_file(path)
    name = max(tensors, key=lambda each: tensors[each].dim())
    tensors[name] = torch.cat([tensors[name], tensors[name]])
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match=f"{model.parts[-1]} holds .* where its config"):
        type(model).check(tmp_path / "spoiled")
    with pytest.raises(CheckpointError, match="is not a whole"):
        type(model).load(tmp_path / "spoiled", "cpu")


@pytest.mark.parametrize("spoil", ["{}", '{"image_size": [16, "x"]}', '{"image_size": 3}'])
def test_strange_configuration_is_refused(checkpoint, tmp_path, spoil):
    model = load_pipeline(checkpoint, "cpu")
    model.save(tmp_path / "spoiled")
    whole = json.loads((tmp_path / "spoiled" / "config.json").read_text())
    changed = json.dumps(whole | json.loads(spoil)) if spoil != "{}" else spoil
    (tmp_path / "spoiled" / "config.json").write_text(changed)
    with pytest.raises(CheckpointError):
        type(model).check(tmp_path / "spoiled")


def test_diffusers_reads_the_stages_of_pixel_diffusion(trained):
    from diffusers import DDIMScheduler, UNet2DConditionModel

    for name in ("base", "upsampler_1"):
        unet = UNet2DConditionModel.from_pretrained(trained["pixel_diffusion"] / name)
        assert unet.config.cross_attention_dim == 384
    scheduler = DDIMScheduler.from_pretrained(trained["pixel_diffusion"] / "scheduler")
    assert scheduler.config.thresholding is True


# -- configurations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "override", "named"),
    [
        ("pixel_diffusion", "sizes=[16, 8]", "sizes [16, 8]: give rising sides"),
        ("pixel_diffusion", "sizes=[8, 12]", "sizes [8, 12]: give rising sides"),
        ("pixel_diffusion", "sizes=[4, 8, 16]", "1 given, sizes [4, 8, 16] need 2"),
        ("pixel_diffusion", "base.unfold=3", "base.unfold 3: accepted are 1, 2, 4 and 8"),
        ("pixel_diffusion", "base.unfold=8", "8 is no multiple of 16"),
        ("pixel_diffusion", "base.augmentation=0.9", "base.augmentation 0.9"),
        ("pixel_diffusion", "base.colour=1", "unknown key base.colour"),
        ("pixel_diffusion", "base.unfold=2.5", "base.unfold = 2.5 must be of type int"),
        ("pixel_diffusion", "thresholding=2", "thresholding 2"),
        ("pixel_diffusion", "autoencoder.blocks=1", "unknown key autoencoder"),
        ("masked_transformer", "tokenizer.levels=[1, 5]", "tokenizer.levels [1, 5]: give channels"),
        ("masked_transformer", "tokenizer.levels=[512, 512]", "at most 65,536"),
        ("masked_transformer", "image_size=18", "image_size 18: accepted are multiples of 4"),
        ("masked_transformer", "transformer.size=vast", "transformer.size 'vast'"),
        ("masked_transformer", "transformer.heads=5", "transformer.width 32"),
        ("masked_transformer", "filling.temperature=-1", "filling.temperature -1"),
        ("masked_transformer", "unet.layers=1", "unknown key unet"),
    ],
)
def test_value_that_a_family_does_not_accept_is_refused_by_name(tmp_path, family, override, named):
    path = tmp_path / "config.toml"
    path.write_text(OWN[family])
    with pytest.raises(InputError) as caught:
        read_config(path, [override])
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("family", "overrides", "least"),
    [
        ("pixel_diffusion", ['base.size="emu"', "base.widths=[384, 768, 1536]"], 2.0e9),
        ("masked_transformer", ['transformer.size="muse"'], 2.0e9),
    ],
)
def test_papers_scale_can_be_configured_without_memory(tmp_path, family, overrides, least):
    text = OWN[family].replace("widths = [16, 32]\nheads = 2\n[[", "[[", 1)
    text = (
        text.replace("width = 32\nlayers = 2\nheads = 2\n", "")
        .replace("image_size = 16", "image_size = 256")
        .replace("sizes = [8, 16]", "sizes = [64, 256]")
    )
    path = tmp_path / "config.toml"
    path.write_text(text)
    config = read_config(path, overrides)
    kind = family_named(family)
    with torch.device("meta"):
        model = kind.from_config(config)
    assert sum(each.numel() for each in model.denoiser.parameters()) > least


# -- pixels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["v", "epsilon", "flow"])
def test_clean_image_undoes_what_noising_did(target):
    beta = "squaredcos_cap_v2" if target == "v" else "scaled_linear"
    schedule = NoiseSchedule(ScheduleConfig(target=target, beta_schedule=beta))
    z, noise = torch.randn(4, 3, 8, 8), torch.randn(4, 3, 8, 8)
    t = schedule.times(torch.tensor([0.1, 0.3, 0.5, 0.7]))
    noisy, told = schedule.noise_and_target(z, noise, t)
    torch.testing.assert_close(schedule.clean(told, noisy, t), z, atol=1e-4, rtol=1e-4)


def test_noise_of_the_small_image_keeps_its_variance():
    noise = torch.randn(16, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    pooled = pooled_noise(noise, 4)
    assert pooled.shape == (16, 3, 16, 16)
    assert abs(float(pooled.std()) - 1) < 0.02
    small = torch.randn(16, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    for level in (0.0, 0.3, 1.0):
        noised = noised_small(small, pooled, torch.full((16,), level), (16, 16))
        assert abs(float(noised.std()) - 1) < 0.03
    clean = noised_small(small, pooled, torch.zeros(16), (16, 16))
    torch.testing.assert_close(clean, small)


def test_upsampler_learns_from_its_own_pictures_at_its_own_size(trained):
    model = load_pipeline(trained["pixel_diffusion"], "cpu")
    assert isinstance(model, PixelDiffusion)
    pixels = torch.rand(2, 3, 16, 16) * 2 - 1
    base = model.prepare(pixels, "base")
    torch.testing.assert_close(base, torch.nn.functional.avg_pool2d(pixels, 2))
    assert torch.equal(model.prepare(pixels, "upsampler_1"), pixels)
    text = model.text_encoder.encode(PROMPTS[:2])
    noise = torch.randn(2, *model.noise_shape("upsampler_1", (3, 16, 16)))
    half = torch.full((2,), 0.5)
    losses = [
        model.loss(training_batch(pixels, text, noise, half, half * level), "upsampler_1")
        for level in (0.0, 2.0)
    ]
    assert losses[0].shape == (2,)
    assert not torch.equal(*losses)  # the level of the small image's noise is told


def test_upsampler_that_learned_nothing_enlarges_as_interpolation_does(trained):
    model = load_pipeline(trained["pixel_diffusion"], "cpu")
    small = torch.nn.functional.avg_pool2d(torch.rand(2, 3, 16, 16) * 2 - 1, 2)
    for parameter in model.part("upsampler_1").parameters():
        parameter.data.zero_()
    settings = replace(SETTINGS, steps=2, guidance_scale=1.0)
    large = model.upscale(small, captions=PROMPTS[:2], seeds=[1, 2], settings=settings)
    bicubic = torch.nn.functional.interpolate(small, size=(16, 16), mode="bicubic").clamp(-1, 1)
    off = float((large - bicubic).std())
    assert 0 < off < 0.11  # noise of the size of a residual; of a whole image it would be 1


def test_residual_is_what_enlarging_loses():
    pixels = torch.rand(2, 3, 16, 16) * 1.8 - 0.9
    small = torch.nn.functional.avg_pool2d(pixels, 2)
    learned = beyond(pixels, small, 0.1)
    torch.testing.assert_close(with_residual(learned, small, 0.1), pixels)
    flat = torch.full((1, 3, 16, 16), 0.5)
    torch.testing.assert_close(beyond(flat, flat[..., ::2, ::2], 0.1), torch.zeros_like(flat))
    assert torch.equal(beyond(pixels, small, 0.0), pixels)


def test_upsampler_of_an_earlier_version_learns_whole_images_still(trained, tmp_path):
    folder = shutil.copytree(trained["pixel_diffusion"], tmp_path / "earlier")
    config = json.loads((folder / "config.json").read_text())
    assert [stage.pop("residual") for stage in config["stages"]] == [0.1, 0.1]
    (folder / "config.json").write_text(json.dumps(config))
    earlier = files.load(folder)
    assert [each.residual for each in earlier.configs] == [0.0, 0.0]
    assert earlier.thresholding == 0.0


def _thresholded(thresholding: float) -> torch.Tensor:
    """Return what a step makes of a clean image with values up to 4."""
    sampler = NoiseSchedule().sampler("ddim", thresholding=thresholding)
    sampler.set_timesteps(2)
    t = int(sampler.timesteps[-1])
    kept = sampler.alphas_cumprod[t]
    v = -((1 - kept).sqrt()) * SATURATED
    return sampler.step(v, t, kept.sqrt() * SATURATED).pred_original_sample


SATURATED = torch.linspace(-4, 4, 3 * 8 * 8).view(1, 3, 8, 8)


def test_saturated_image_is_scaled_back_by_its_quantile():
    """Dynamic thresholding (Saharia et al. 2022, section 2.3)."""
    bound = SATURATED.abs().median()
    wanted = SATURATED.clamp(-bound, bound) / bound
    torch.testing.assert_close(_thresholded(0.5), wanted, atol=0.02, rtol=0.02)
    assert float((wanted.abs() < 1).float().mean()) > 0.4


def test_saturated_image_is_cut_off_where_thresholding_is_0():
    torch.testing.assert_close(_thresholded(0.0), SATURATED.clamp(-1, 1), atol=0.01, rtol=0.01)


@pytest.mark.parametrize("thresholding", [0.0, 0.5])
def test_noise_goes_with_the_image_that_thresholding_left(thresholding):
    """However the network overshoots, no step leaves more noise than its level has."""
    schedule = NoiseSchedule()
    sampler = schedule.sampler("ddim", thresholding=thresholding)
    seen = []

    def overshoots(z, t, text):
        kept = sampler.alphas_cumprod[int(t)]
        if seen:  # made of the image thresholded before and the noise that goes with it
            before, t_before, clean = seen[-1]
            was = sampler.alphas_cumprod[t_before]
            noise = (before - was.sqrt() * clean) / (1 - was).sqrt()
            torch.testing.assert_close(
                z, kept.sqrt() * clean + (1 - kept).sqrt() * noise, atol=0.01, rtol=0
            )
        bound = 1.0
        if thresholding:
            bound = float(SATURATED.abs().flatten().quantile(thresholding))
        clean = SATURATED.clamp(-bound, bound) / bound
        seen.append((z, int(t), clean))
        noise = (z - kept.sqrt() * SATURATED) / (1 - kept).sqrt()
        return kept.sqrt() * noise - (1 - kept).sqrt() * SATURATED

    settings = SamplingSettings(steps=6, guidance_scale=1.0)
    start = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    undo_noise(overshoots, start, None, settings, sampler)
    assert len(seen) == 6


def test_last_step_of_graded_images_alone_has_a_gradient(trained):
    model = load_pipeline(trained["pixel_diffusion"], "cpu")
    seen = []
    model.part("base").register_forward_hook(lambda m, i, out: seen.append(out.requires_grad))
    settings = SamplingSettings(sampler="default", steps=5)
    images = model.graded_images(PROMPTS[:2], torch.randn(2, 3, 8, 8), settings, graded=3)
    assert images.shape == (2, 3, 16, 16)
    assert seen == [False, False, False, True]


def test_tokens_have_no_graded_images(trained):
    model = load_pipeline(trained["masked_transformer"], "cpu")
    with pytest.raises(InputError, match=r"by choosing, which has no gradient.*preferences"):
        model.graded_images(PROMPTS[:1], torch.randn(1, 16), SETTINGS, graded=1)


# -- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [(8, 5), (2, 3), (4,)])
def test_every_level_is_reached_and_none_beyond(levels):
    tokenizer = Tokenizer(
        TokenizerConfig(levels=levels, outer_width=8, inner_width=8, blocks=1, factor=2)
    )
    swept = torch.linspace(-9, 9, 400).view(1, 1, 400, 1).expand(1, len(levels), 400, 1)
    rounded = tokenizer._bound(swept).round() + (tokenizer.counts // 2).view(1, -1, 1, 1)
    for d, count in enumerate(levels):
        assert rounded[0, d].unique().tolist() == list(range(count))


def test_tokens_come_back_through_the_decoder(trained, data):
    model = load_pipeline(trained["masked_transformer"], "cpu")
    assert isinstance(model, MaskedTransformer)
    x = torch.rand(3, 3, 16, 16) * 2 - 1
    tokens = model.tokenizer.encode(x)
    assert tokens.shape == (3, 16, 2)
    assert torch.equal(model.tokenizer.reconstruct(x), model.tokenizer.decode(tokens, 4, 4))


def test_loss_counts_hidden_tokens_alone(trained):
    model = load_pipeline(trained["masked_transformer"], "cpu")
    text = model.text_encoder.encode(PROMPTS[:1])
    z = torch.zeros(1, 16, 2, dtype=torch.long)
    noise = torch.arange(16.0).view(1, 16)  # the first are hidden first
    u = torch.tensor([2 / math.pi * math.acos(0.25)])  # a quarter of them
    before = model.loss(training_batch(z, text, noise, u))
    z[0, -1] = 3  # one that is seen: it may change what is predicted, not what is counted
    z[0, 0, 0] = 4  # one that is hidden
    hidden_changed = model.loss(training_batch(z, text, noise, u))
    assert not torch.equal(before, hidden_changed)
    all_seen_but_one = training_batch(z, text, noise, torch.tensor([0.999999]))
    assert torch.isfinite(model.loss(all_seen_but_one)).all()


def test_halton_settles_each_token_once_and_spreads_the_first():
    order = halton_order((8, 8))
    assert sorted(order.tolist()) == list(range(64))
    first = [place for place in range(64) if order[place] < 4]
    assert len({(place // 8 // 4, place % 8 // 4) for place in first}) >= 3


@pytest.mark.parametrize("steps", [1, 2, 7, 64])
def test_hidden_tokens_fall_to_none(steps):
    left = [still_hidden(step, steps, 64) for step in range(steps)]
    assert left[-1] == 0
    assert left == sorted(left, reverse=True)
    assert left[0] < 64


@pytest.mark.parametrize("sampler", ["confidence", "halton"])
def test_what_is_settled_stays_settled(sampler):
    """Logits that change at every step: a token drawn anew would show it."""
    history = []

    def logits(levels, hidden, scale):
        history.append((levels.clone(), hidden.clone()))
        shift = torch.full((1, 16, 4), 0.0)
        shift[..., len(history) % 4] = 50.0
        return [shift]

    filled = fill_in(
        logits, levels=[4], grid=(4, 4), seeds=[3], steps=4, guidance=2.0, sampler=sampler,
        temperature=1.0, order_temperature=1.0, device=torch.device("cpu"),
    )  # fmt: skip
    for levels, hidden in history:
        kept = ~hidden[0]
        assert torch.equal(levels[0][kept], filled[0][kept])
    assert [int(hidden.sum()) for _, hidden in history] == [16, 14, 11, 6]


def test_pixels_are_trained_in_buckets_that_every_stage_can_make(trained):
    model = load_pipeline(trained["pixel_diffusion"], "cpu")
    assert model.size_multiple == 8
    base, upsampler = model.stages.configs
    folded = replace(model.stages, configs=(replace(base, unfold=4), upsampler))
    model = PixelDiffusion(folded)
    assert model.size_multiple == 16
    sizes = bucket_sizes(64, aspect_ratios=True, multiple=model.size_multiple)
    assert len(sizes) > 2
    for height, width in sizes:
        model._sizes(SamplingSettings(height=height, width=width))  # else it refuses


def test_tokens_known_by_their_place_are_not_tuned_in_buckets(trained, data, tmp_path, capsys):
    shards.write_shards(data, tmp_path / "shards", kind="tar", samples=6)
    text = 'recipe = "finetune"\nname = "tuned"\naspect_ratios = true\n[training]\nsteps = 1\n'
    (tmp_path / "tune.toml").write_text(text + "batch_size = 2\n")
    given = ("--data", tmp_path / "shards", "--parent", trained["masked_transformer"])
    assert run(tmp_path / "tune.toml", *given, "--out", tmp_path / "run") == 2
    said = "aspect_ratios: a masked_transformer model makes images of one shape"
    assert said in capsys.readouterr().err


# -- parts that are kept --------------------------------------------------------------------------


def _again(trained, folder: Path, data: Path, *settings: str, text: str = tiny.PIXEL_DIFFUSION):
    config = folder / "again.toml"
    config.write_text(text)
    sets = [part for each in settings for part in ("--set", each)]
    return run(config, "--data", data, "--out", folder / "run", *sets)


def test_upsampler_is_made_anew_beside_a_base_that_is_kept(trained, data, tmp_path):
    parent = trained["pixel_diffusion"]
    kept = ('kept=["base"]', f'kept_from="{parent}"', "seed=77")
    assert _again(trained, tmp_path, data, *kept) == 0
    made = tmp_path / "run/checkpoint"
    weights = [f"{part}/diffusion_pytorch_model.safetensors" for part in ("base", "upsampler_1")]
    assert (made / weights[0]).read_bytes() == (parent / weights[0]).read_bytes()
    assert (made / weights[1]).read_bytes() != (parent / weights[1]).read_bytes()
    told = checkpoints.read_metadata(made)["training"]
    assert told["kept_parts"] == ["base"]
    assert told["kept_from_sha256"] == checkpoints.sha256_of(parent)
    assert list(told["steps"]) == ["upsampler_1"]
    card = (made / "README.md").read_text()
    assert (
        f"Kept as they are: base of the checkpoint with content sha256 `{told['kept_from_sha256']}`"
        in card
    )
    assert '"stage": "base"' not in (tmp_path / "run/log.jsonl").read_text()


TWO = "upsamplers=[{widths=[16, 32], heads=2}, {widths=[16, 32], heads=2}]"
ANOTHER_TASK = "upsamplers=[{widths=[16, 32], heads=2, unfold=2, residual=0}]"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (('kept=["base"]',), "kept and kept_from: give both"),
        (('kept=["sky"]', "from"), "accepted are some, not all, of base, upsampler_1"),
        (('kept=["base", "upsampler_1"]', "from"), "accepted are some, not all, of base"),
        (('kept=["base"]', "from", "base.widths=[16, 16]"), "its base is of another shape"),
        (('kept=["base"]', "from", 'schedule.target="flow"'), "its schedule is "),
        (
            ('kept=["upsampler_1"]', "from", ANOTHER_TASK),
            "residual of its upsampler_1 is 0.1, this",
        ),
        (('kept=["base"]', "from", "sizes=[4, 16]"), "size of its base is [8, 8], this"),
        (('kept=["upsampler_2"]', "from", "sizes=[4, 8, 16]", TWO), "it has no upsampler_2, only"),
        (('kept=["base"]', "other"), "a masked_transformer model; accepted is pixel_diffusion"),
    ],
)
def test_parts_that_cannot_be_kept_are_refused(trained, data, tmp_path, capsys, settings, says):
    where = {
        "from": f'kept_from="{trained["pixel_diffusion"]}"',
        "other": f'kept_from="{trained["masked_transformer"]}"',
    }
    assert _again(trained, tmp_path, data, *(where.get(each, each) for each in settings)) == 2
    error = capsys.readouterr().err
    assert says in error
    assert len(error.splitlines()) == 1


def test_fresh_run_does_not_remove_the_checkpoint_that_parts_are_kept_from(
    trained, data, tmp_path, capsys
):
    out = tmp_path / "run"
    shutil.copytree(trained["pixel_diffusion"].parent, out)
    for folder, says in (
        ("checkpoint", "beginning anew would remove"),
        ("gone", "gone: there is no such directory"),
    ):
        kept = ('kept=["base"]', f'kept_from="{out / folder}"')
        sets = [part for each in kept for part in ("--set", each)]
        config = tmp_path / "again.toml"
        config.write_text(tiny.PIXEL_DIFFUSION)
        assert run(config, "--data", data, "--out", out, "--fresh", *sets) == 2
        assert says in capsys.readouterr().err
        assert (out / "checkpoint/metadata.json").exists()


def test_run_whose_kept_parts_come_from_another_checkpoint_now_is_another_run(
    trained, data, tmp_path, capsys
):
    parent = shutil.copytree(trained["pixel_diffusion"], tmp_path / "parent")
    kept = ('kept=["base"]', f'kept_from="{parent}"', "seed=77")
    assert _again(trained, tmp_path, data, *kept) == 0
    shutil.rmtree(parent)
    shutil.copytree(tmp_path / "run/checkpoint", parent)
    assert _again(trained, tmp_path, data, *kept) == 2
    assert "other settings (kept_from_sha256)" in capsys.readouterr().err


def test_parts_beside_a_fresh_tokenizer_are_not_kept(trained, data, tmp_path, capsys):
    settings = ('kept=["transformer"]', f'kept_from="{trained["masked_transformer"]}"')
    assert _again(trained, tmp_path, data, *settings, text=tiny.MASKED_TRANSFORMER) == 2
    assert "hang on its tokenizer, which is trained anew" in capsys.readouterr().err
