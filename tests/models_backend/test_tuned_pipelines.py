"""Tuning a diffusers pipeline: what is learned, what is saved, what is refused."""

import json
import re
import shutil
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, DiffusionPipeline
from diffusers import FlowMatchEulerDiscreteScheduler as FlowScheduler
from PIL import Image
from safetensors.torch import load_file

from models_backend import checkpoints, train
from models_backend.checkpoints.check import check
from models_backend.configuration.tuning import FinetuneConfig, LoraConfig
from models_backend.data import dataset, manifest, shards
from models_backend.data.pictures import framing_of
from models_backend.errors import CheckpointError, InputError
from models_backend.families.diffusers_pipelines.pipeline import DiffusersPipeline
from models_backend.families.diffusers_pipelines.tuned import TunedPipeline
from models_backend.families.diffusers_pipelines.tuning.kinds import Flux, StableDiffusionXL
from models_backend.families.diffusers_pipelines.tuning.latents import Latents
from models_backend.families.diffusers_pipelines.tuning.objectives import (
    Diffusion,
    RectifiedFlow,
    shift_for,
)
from models_backend.families.settings import SamplingSettings
from models_backend.files import sha256_of_file
from models_backend.recipes.configs import read_config
from models_backend.training.trainer import Trainer
from tests.models_backend import tiny, tiny_encoders, tiny_pipelines

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("briefly_fitted_head"),
]

KINDS = ("stable_diffusion", "sdxl", "stable_diffusion_3", "flux", "pixart_sigma")
COMPONENT = dict.fromkeys(KINDS, "transformer") | dict.fromkeys(KINDS[:2], "unet")
WEIGHTS = "diffusion_pytorch_model.safetensors"
LORA = "pytorch_lora_weights.safetensors"
TUNE = """
recipe = "{recipe}"
name = "tuned"
seed = 6
image_size = 16
{more}
[training]
steps = 2
batch_size = 2
warmup_steps = 1
ema_decay = 0.5
save_every = 1
learning_rate = 0.02
{loop}
[early_stopping]
candidates = 0
{tables}
"""
ADAPTER = "[lora]\nrank = 2\nalpha = 4.0\n"


@pytest.fixture(scope="session")
def parents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pipeline of each kind; tests only read them."""
    folder = tmp_path_factory.mktemp("parents")
    for name in (*KINDS, "latent_consistency"):
        tiny_pipelines.write(name, folder / name)
    return folder


class Tune:
    """Runs the trainer on a parent."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder, self.data = folder, data
        self.list = tiny.write_tuning_list(folder / "picked.tsv")

    def __call__(
        self, parent: Path, out: str = "run", *options: str, recipe: str = "quality_tune",
        more: str | None = None, loop: str = "", tables: str = "",
    ) -> int:  # fmt: skip
        chosen = f'tuning_list = "{self.list}"' if more is None else more
        text = TUNE.format(recipe=recipe, more=chosen, loop=loop, tables=tables)
        config = self.folder / "tune.toml"
        config.write_text(text)
        run = ["--data", self.data, "--parent", parent, "--out", self.folder / out]
        return train.main([str(each) for each in (config, *run, *options)])


@pytest.fixture
def tune(tmp_path: Path, data: Path, one_thread: None) -> Tune:
    return Tune(tmp_path, data)


def to_tune(folder: Path, **settings: object) -> TunedPipeline:
    config = FinetuneConfig(name="x", training=_loop(), image_size=16, **settings)
    return TunedPipeline.load_to_tune(folder, config)


def _loop():
    from models_backend.configuration.loops import LoopConfig

    return LoopConfig(steps=1)


def pipeline_of(folder: Path):
    pipeline = DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def image_of(pipeline) -> np.ndarray:
    arguments = {"height": 16, "width": 16, "num_inference_steps": 2}
    if "PixArt" in type(pipeline).__name__:
        arguments |= {"use_resolution_binning": False, "clean_caption": False}
    generator = torch.Generator().manual_seed(1)
    image = pipeline(prompt="a cat", generator=generator, **arguments).images[0]
    return np.asarray(image).astype(int)


# -- what is saved --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_pipeline_tuned_whole_is_a_pipeline_again(kind, parents, tune, tmp_path, capsys):
    parent, checkpoint = parents / kind, tmp_path / "run" / "checkpoint"
    assert tune(parent) == 0
    assert "denoiser: about " in capsys.readouterr().err
    metadata = checkpoints.read_metadata(checkpoint)
    assert metadata["family"] == "tuned_pipeline"
    assert metadata["parent_sha256"] == checkpoints.sha256_of(parent)
    assert metadata["image_size"] == [16, 16]
    before, after = checkpoints.file_hashes(parent), checkpoints.file_hashes(checkpoint)
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == {f"{COMPONENT[kind]}/{WEIGHTS}"}
    check(checkpoint)
    mine = image_of(pipeline_of(checkpoint))
    assert np.abs(mine - image_of(pipeline_of(parent))).max() > 1
    model = checkpoints.load_pipeline(checkpoint, "cpu")
    settings = SamplingSettings(sampler="default", steps=2, height=16, width=16)
    assert model.sample(prompts=["a cat"], seeds=[1], settings=settings)[0].size == (16, 16)


@pytest.mark.parametrize("kind", ["stable_diffusion", "flux"])
def test_style_is_tailored_on_the_pipelines_own_noise_levels(kind, parents, tune, tmp_path):
    content = tmp_path / "content.tsv"
    content.write_text("flat\t1f000\nflat\t1f001\n")
    lists = f'tuning_list = "{tune.list}"\ncontent_list = "{content}"\nsplit = 0.75'
    assert tune(parents / kind, recipe="style_tailor", more=lists, tables=ADAPTER) == 0
    training = checkpoints.read_metadata(tmp_path / "run" / "checkpoint")["training"]
    assert (training["images"], training["content_images"]) == (5, 2)
    model = to_tune(parents / kind)
    levels = model.noise_levels((torch.arange(4000) + 0.5) / 4000)
    assert training["content_share"] == pytest.approx(
        float((levels > 0.75).double().mean()), abs=0.001
    )
    if kind == "stable_diffusion":  # whole steps, each as likely
        assert training["content_share"] == pytest.approx(0.249, abs=0.0011)


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_added_to_the_parent_is_the_fused_pipeline(kind, parents, tune, tmp_path):
    parent, checkpoint = parents / kind, tmp_path / "run" / "checkpoint"
    assert tune(parent, tables=ADAPTER) == 0
    check(checkpoint)
    pipeline = pipeline_of(parent)
    plain = image_of(pipeline)
    if hasattr(pipeline, "load_lora_weights"):
        pipeline.load_lora_weights(checkpoint)
    else:
        network = getattr(pipeline, COMPONENT[kind])
        _add(network, load_file(checkpoint / LORA), COMPONENT[kind])
    added, fused = image_of(pipeline), image_of(pipeline_of(checkpoint))
    assert np.abs(fused - plain).max() > 1
    assert np.abs(fused - added).max() <= 1


def _add(network, tensors, component):
    """Multiply the adapter out, as somebody without a loader for this class would."""
    for name in {key.rsplit(".lora_", 1)[0] for key in tensors}:
        layer = network.get_submodule(name.removeprefix(f"{component}."))
        down, up = (tensors[f"{name}.lora_{side}.weight"] for side in "AB")
        layer.weight.data += up @ down


def test_weights_keep_the_precision_of_the_parent(tmp_path, tune):
    parent = tiny_pipelines.write("stable_diffusion", tmp_path / "half", dtype=torch.float16)
    assert tune(parent, tables=ADAPTER) == 0
    stored = load_file(tmp_path / "run" / "checkpoint" / "unet" / WEIGHTS)
    assert {value.dtype for value in stored.values()} == {torch.float16}


def test_plain_finetuning_is_the_same_loop_on_every_image(parents, tune, tmp_path, capsys, caplog):
    assert tune(parents / "stable_diffusion", recipe="finetune", more="") == 0
    training = checkpoints.read_metadata(tmp_path / "run" / "checkpoint")["training"]
    assert (training["recipe"], training["images"]) == ("finetune", 12)
    assert training["config"]["noise_offset"] == 0.0
    said = capsys.readouterr().err
    assert f"{training['captions_cut']} of {training['captions']} captions are longer" in said
    assert "truncated" not in caplog.text  # the libraries print each, batch by batch
    assert "longer than the specified" not in caplog.text
    # A tuned pipeline is a parent like any other.
    assert tune(tmp_path / "run" / "checkpoint", "again", recipe="finetune", more="") == 0
    again = checkpoints.read_metadata(tmp_path / "again" / "checkpoint")
    assert again["parent_sha256"] == checkpoints.sha256_of(tmp_path / "run" / "checkpoint")


def test_shards_are_read_with_latents_and_embeddings_kept(parents, tune, tmp_path, capsys):
    shards.write_shards(tune.data, tmp_path / "shards", kind="tar", samples=6)
    tune.data = tmp_path / "shards"
    options = ["--cache", str(tmp_path / "cache"), "--set", "training.steps=6"]
    given = {"recipe": "finetune", "more": ""}
    assert tune(parents / "sdxl", "run", *options, **given) == 0
    assert checkpoints.read_metadata(tmp_path / "run" / "checkpoint")["training"]["images"] == 12
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"latents", "text"}
    before = checkpoints.file_hashes(tmp_path / "run" / "checkpoint")
    assert tune(parents / "sdxl", "again", *options, **given) == 0  # from what is kept
    assert checkpoints.file_hashes(tmp_path / "again" / "checkpoint") == before
    assert tune(parents / "sdxl", "picked") == 2
    assert "quality_tune takes a finished data directory" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["sdxl", "flux"])
def test_pictures_of_other_shapes_are_trained_in_buckets(kind, parents, tune, tmp_path):
    """SDXL is told each picture's own size, where it was cut, and its bucket's size."""
    wide = _write_sized(tmp_path / "wide", manifest.read_records(tune.data), [(40, 80)])
    shards.write_shards(wide, tmp_path / "shards", kind="tar", samples=6)
    tune.data = tmp_path / "shards"
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        for each in (StableDiffusionXL, Flux):
            patch.setattr(each, "predict", _told(each.predict, seen))
        more = "aspect_ratios = true"
        options = ("--set", "image_size=32")
        assert tune(parents / kind, "run", *options, recipe="finetune", more=more) == 0
    of_training = [told for told in seen if told[2] is not None]
    assert {told[0] for told in of_training} == {(24, 40)}
    size, ids, framing = of_training[0]
    assert framing.tolist() == [list(framing_of((40, 80), size))] * 2
    if kind == "sdxl":
        assert ids.tolist() == [[40, 80, 0, 4, 24, 40]] * 2


@pytest.mark.parametrize("is_curated", [True, False], ids=["curated", "data directory"])
def test_pictures_in_memory_are_tuned_in_buckets_of_their_shapes(
    is_curated, parents, tune, tmp_path
):
    """A third of them is tall: their bucket comes about as often, and no batch is of two."""
    records = manifest.read_records(tune.data)
    wide = _write_sized(tmp_path / "wide", records, [(40, 80), (40, 80), (90, 60)])
    given, listed = ("--tuning", str(wide)), ""
    if not is_curated:
        tune.data, given, listed = wide, (), f'tuning_list = "{tune.list}"\n'
    more = f"{listed}aspect_ratios = true"
    steps = ("--set", "image_size=32", "--set", "training.steps=30")
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StableDiffusionXL, "predict", _told(StableDiffusionXL.predict, seen))
        assert tune(parents / "sdxl", "run", *given, *steps, more=more) == 0
    told = [
        (size, *map(tuple, ids.unique(dim=0).tolist()))
        for size, ids, _ in seen
        if ids.device.type != "meta"  # a look before, at what it will take
    ]
    of_wide = ((24, 40), (40, 80, 0, 4, 24, 40))
    of_tall = ((40, 24), (90, 60, 0, 1, 40, 24))
    assert set(told) == {of_wide, of_tall}
    assert len(told) == 30
    assert 5 <= sum(each == of_tall for each in told) <= 15


def test_pictures_of_buckets_are_decoded_once_where_nothing_is_measured(
    parents, tune, tmp_path, monkeypatch
):
    records = manifest.read_records(tune.data)
    wide = _write_sized(tmp_path / "wide", records, [(40, 80), (90, 60)])
    decoded, decode = [], dataset.decode

    def counting(content: bytes, name: str):
        decoded.append(Path(name).name)
        return decode(content, name)

    monkeypatch.setattr(dataset, "decode", counting)
    assert tune(parents / "sdxl", "run", "--tuning", str(wide), more="aspect_ratios = true") == 0
    assert sorted(decoded) == sorted(Path(record.file).name for record in records)


def test_early_stopping_measures_the_shapes_that_are_trained(parents, tune, tmp_path):
    records = manifest.read_records(tune.data)
    tune.data = _write_sized(tmp_path / "wide", records, [(40, 80), (90, 60), (64, 48)])
    measured = [f"early_stopping.{each}" for each in
                ("candidates=1", "sampler_steps=1", "images=2")]  # fmt: skip
    sets = [part for each in ("image_size=32", *measured) for part in ("--set", each)]
    chosen = f'tuning_list = "{tune.list}"\naspect_ratios = true'
    seen, sampled = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StableDiffusionXL, "predict", _told(StableDiffusionXL.predict, seen))
        patch.setattr(TunedPipeline, "sample", _noting_sizes(TunedPipeline.sample, sampled))
        assert tune(parents / "sdxl", "run", *sets, more=chosen) == 0
    wide, tall = (40, 80, 0, 4, 24, 40), [(64, 48, 0, 3, 40, 24), (90, 60, 0, 1, 40, 24)]
    fixed = [ids for _, ids, _ in seen if ids.device.type != "meta" and len(ids) > 2]
    told = [sorted(map(tuple, ids.unique(dim=0).tolist())) for ids in fixed]
    # Held out are the tenth and the twelfth picture.
    assert told == 2 * [[wide], tall, [wide], tall[:1]]
    assert sum(map(len, fixed)) == 2 * 2 * 128
    assert sorted(sampled) == 4 * [(24, 40)] + 4 * [(40, 24)]
    training = checkpoints.read_metadata(tmp_path / "run" / "checkpoint")["training"]
    assert training["early_stopping"]["shapes"] == {"24 x 40": 2, "40 x 24": 2}


def test_buckets_are_refused_where_shapes_mean_nothing(parents, tune, capsys):
    tailored = "aspect_ratios = true\ncontent_list = 'x.tsv'"
    assert tune(parents / "sdxl", recipe="style_tailor", more=tailored) == 2
    assert "style_tailor trains squares" in capsys.readouterr().err


def test_early_stopping_tells_sdxl_what_is_seen_of_the_tuning_images(parents, tune, tmp_path):
    wide = _write_sized(tmp_path / "wide", manifest.read_records(tune.data)[:2], [(40, 80)])
    seen = []
    more = ("--tuning", str(wide), "--set", "early_stopping.candidates=1")
    sampled = ("--set", "early_stopping.sampler_steps=1", "--set", "early_stopping.images=2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StableDiffusionXL, "predict", _told(StableDiffusionXL.predict, seen))
        assert tune(parents / "sdxl", "run", *more, *sampled, more="") == 0
    fixed = [ids for _, ids, _ in seen if len(ids) == 128]
    told = [ids.unique(dim=0).tolist() for ids in fixed]
    of_tuning, of_held_out = told[0::2], told[1::2]
    assert of_tuning == [[[40, 80, 0, 8, 16, 16]]] * 2
    assert of_held_out == [[[16, 16, 0, 0, 16, 16]]] * 2


def _write_sized(
    folder: Path, records: list[manifest.Record], sizes: list[tuple[int, int]]
) -> Path:
    """Write a data set of plain pictures of (height, width), one size after the other."""
    for number, record in enumerate(records):
        (folder / record.file).parent.mkdir(parents=True, exist_ok=True)
        size = sizes[number % len(sizes)]
        Image.new("RGB", size[::-1], (9 * number, 90, 40)).save(folder / record.file)
    tiny.write_records(folder, [_as_it_is_now(folder, record) for record in records])
    return folder


def _as_it_is_now(folder: Path, record: manifest.Record) -> manifest.Record:
    return replace(record, sha256=sha256_of_file(folder / record.file))


def _noting_sizes(sample, seen: list):
    """Return `sample`, which notes the height and width it is asked for."""

    def noting(self, *, prompts, seeds, settings):
        seen.append((settings.height, settings.width))
        return sample(self, prompts=prompts, seeds=seeds, settings=settings)

    return noting


def _told(predict, seen: list):
    """Return `predict`, which notes the size and the framing it is given, and SDXL's time ids."""

    def noting(self, network, noisy, t, text, size, framing=None):
        ids = []
        hook = network.register_forward_pre_hook(
            lambda module, args, given: ids.append(
                (given.get("added_cond_kwargs") or {}).get("time_ids")
            ),
            with_kwargs=True,
        )
        said = predict(self, network, noisy, t, text, size, framing)
        hook.remove()
        seen.append((size, ids[0], framing))
        return said

    return noting


@pytest.mark.parametrize(
    "settings",
    [
        {"tables": ADAPTER, "more": 'weights = "bf16"'},
        {
            "more": 'weights = "bf16"',
            "loop": 'optimizer = "adafactor"\nmicro_batch_size = 1\ngradient_checkpointing = true',
        },
        pytest.param(
            {"loop": 'optimizer = "adamw8bit"'},
            marks=pytest.mark.skipif(not find_spec("bitsandbytes"), reason="no bitsandbytes"),
        ),
    ],
    ids=["adapter", "whole", "adamw8bit"],
)
def test_a_killed_tuning_goes_on_to_the_same_weights(
    settings, parents, tune, tmp_path, monkeypatch
):
    parent = parents / "stable_diffusion"
    settings = {"recipe": "finetune"} | settings
    assert tune(parent, "whole", **settings) == 0
    step = Trainer._train_step

    def killed(self):
        if self.step == 1:
            raise KeyboardInterrupt
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_train_step", killed)
        assert tune(parent, "killed", **settings) == 130
    assert tune(parent, "killed", "--resume", **settings) == 0
    whole, killed_run = (tmp_path / name / "checkpoint" for name in ("whole", "killed"))
    assert checkpoints.file_hashes(whole) == checkpoints.file_hashes(killed_run)
    hashes = checkpoints.file_hashes(parent)
    assert checkpoints.file_hashes(whole)[f"unet/{WEIGHTS}"] != hashes[f"unet/{WEIGHTS}"]


def test_early_stopping_measures_an_adapter(parents, tune, tmp_path, capsys):
    """Candidates are the adapter alone, and one is picked by hand like any other."""
    options = ["--set", "early_stopping.candidates=2", "--set", "early_stopping.sampler_steps=1"]
    options += ["--set", "early_stopping.images=3"]
    assert tune(parents / "sdxl", "run", *options, tables=ADAPTER) == 0
    candidate = load_file(tmp_path / "run" / "candidates" / "step-000001.safetensors")
    assert all(".lora_" in name for name in candidate)
    assert {value.dtype for value in candidate.values()} == {torch.float32}
    assert tune(parents / "sdxl", "run", *options, "--pick", "1", tables=ADAPTER) == 0
    picked = Path(capsys.readouterr().out.splitlines()[-1])
    chosen = checkpoints.read_metadata(picked)["training"]["early_stopping"]
    assert (chosen["picked_by"], chosen["picked_step"]) == ("person", 1)


# -- what is learned ------------------------------------------------------------------------------


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_targets_are_those_of_diffusers_schedulers(prediction):
    scheduler = DDPMScheduler(beta_schedule="scaled_linear", prediction_type=prediction)
    z, noise = torch.randn(2, 5, 4, 8, 8)
    u = torch.tensor([0.0, 0.2, 0.5, 0.77, 0.9999])
    noised = Diffusion(scheduler.config)(z, noise, u)
    t = (u * 1000).long()
    expected = {
        "epsilon": noise, "sample": z, "v_prediction": scheduler.get_velocity(z, noise, t),
    }[prediction]  # fmt: skip
    assert torch.equal(noised.t, t)
    torch.testing.assert_close(noised.noisy, scheduler.add_noise(z, noise, t))
    torch.testing.assert_close(noised.target, expected)


def test_a_flow_is_shifted_as_its_scheduler_shifts_steps():
    """SD3 by a constant, Flux by the number of the image's tokens; times are logit-normal."""
    u = torch.linspace(0.05, 0.95, 7)
    plain = torch.sigmoid(torch.distributions.Normal(0, 1).icdf(u.double()))
    fixed = RectifiedFlow(FlowScheduler(shift=3.0), 64).share_of_noise(u)
    expected = FlowScheduler(shift=3.0)
    expected.set_timesteps(sigmas=plain.flip(0).tolist())
    np.testing.assert_allclose(fixed.flip(0).numpy(), expected.sigmas[:-1].numpy(), atol=1e-6)
    dynamic = FlowScheduler(use_dynamic_shifting=True)
    moved = RectifiedFlow(dynamic, 1024).share_of_noise(u)
    dynamic.set_timesteps(sigmas=plain.flip(0).tolist(), mu=shift_for(1024, dynamic.config))
    np.testing.assert_allclose(moved.flip(0).numpy(), dynamic.sigmas[:-1].numpy(), atol=1e-6)
    z, noise = torch.randn(2, 7, 4, 8, 8)
    noised = RectifiedFlow(FlowScheduler(shift=3.0), 64)(z, noise, u)
    torch.testing.assert_close(noised.noisy - noised.target * noised.t.view(-1, 1, 1, 1) / 1000, z)


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_is_called_as_its_pipeline_calls_it(kind, parents):
    """One step of the pipeline without guidance; the same latents and caption asked of ours."""
    pipeline = pipeline_of(parents / kind)
    network, seen = getattr(pipeline, COMPONENT[kind]), {}

    def keep(module, args, given, said):
        seen.update(given, z=args[0] if args else given["hidden_states"], said=said[0])
        seen.setdefault("timestep", args[1] if len(args) > 1 else None)

    network.register_forward_hook(keep, with_kwargs=True)
    options = {"use_resolution_binning": False} if "PixArt" in type(pipeline).__name__ else {}
    pipeline(
        prompt="a cat", height=16, width=16, num_inference_steps=1, guidance_scale=1.0,
        output_type="latent", **options,
    )  # fmt: skip
    model = to_tune(parents / kind)
    tuning, z, t, said = model._tuned, seen["z"], seen["timestep"], seen["said"]
    if kind == "flux":
        z, t = pipeline._unpack_latents(z, 16, 16, 2), t * 1000
        said = pipeline._unpack_latents(said, 16, 16, 2)
    text = model.text_encoder.encode(["a cat"])
    with torch.no_grad():
        mine = tuning.kind.predict(tuning.kind.network, z, t.view(-1)[:1], text, (16, 16))
    torch.testing.assert_close(mine, said[:, : mine.shape[1]], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_sampling_from_kept_embeddings_is_sampling_from_prompts(kind, parents):
    """Encoders are let go once captions are read; samples are those of the untouched pipeline."""
    settings = SamplingSettings(sampler="default", steps=2, guidance_scale=3.0)
    plain = DiffusersPipeline.load(parents / kind, "cpu")
    model = to_tune(parents / kind, lora=LoraConfig(rank=2))
    sized = SamplingSettings(sampler="default", steps=2, guidance_scale=3.0, height=16, width=16)
    prompts, seeds = ["a cat", "a dog on it"], [1, 2]
    expected = plain.sample(prompts=prompts, seeds=seeds, settings=sized)
    model.text_encoder.rows(["", *prompts])
    model.text_encoder.rest()
    images = model.sample(prompts=prompts, seeds=seeds, settings=settings)
    assert model.text_encoder.loaded == []
    for mine, theirs in zip(images, expected, strict=True):
        assert np.abs(np.asarray(mine).astype(int) - np.asarray(theirs)).max() <= 1


def test_sdxl_without_a_caption_is_given_zeros(parents):
    text = to_tune(parents / "sdxl").text_encoder.encode(["", "a cat"])
    assert not text.tokens[0].any()
    assert not text.pooled[0].any()
    assert text.tokens[1].any()


def test_an_autoencoder_that_overflows_in_half_precision_works_in_single():
    torch.manual_seed(0)
    vae: AutoencoderKL = tiny_encoders.vae()
    vae.encoder.conv_in.weight.data *= 1e5
    pixels = torch.rand(1, 3, 16, 16) * 2 - 1
    half = vae.half()
    assert not torch.isfinite(half.encode(pixels.half()).latent_dist.mode()).all()
    z = Latents(half).of(pixels)
    assert torch.isfinite(z).all()
    expected = vae.encode(pixels).latent_dist.mode() * vae.config.scaling_factor
    torch.testing.assert_close(z, expected)


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", [("text_encoder_2", "tokenizer"), ("vae",), ("scheduler",)])
def test_a_parent_without_a_component_is_refused(lacking, parents, tune, tmp_path, capsys):
    parent = tmp_path / "copied"
    shutil.copytree(parents / "sdxl", parent)
    for name in lacking:
        shutil.rmtree(parent / name)
    said = f"copied lacks {', '.join(lacking)}, which its model_index.json names; copy it again"
    assert tune(parent) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(said)
    with pytest.raises(CheckpointError, match=said):
        checkpoints.load_pipeline(parent, "cpu")


def test_missing_package_of_8_bit_adamw_is_named(parents, tune, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    loop = 'optimizer = "adamw8bit"'
    assert tune(parents / "stable_diffusion", recipe="finetune", loop=loop) == 2
    assert "requirements-training.txt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("stable_diffusion", {"tables": "[lora]\nrank = 17\n"},
         r"lora.rank 17: above the width of \d+ of \d+ layers \(16 of \S+\); take at most 16"),
        ("flux", {"tables": '[lora]\ntargets = ["to_x"]\n'}, "lora.targets 'to_x': no layer"),
        ("stable_diffusion", {"more": 'weights = "bf16"', "recipe": "finetune"},
         'weights in bf16 are tuned whole with optimizer = "adafactor"'),
        ("latent_consistency", {}, "LatentConsistencyModelPipeline is sampled here, and not tuned"),
        ("sdxl", {"more": "image_size = 20", "recipe": "finetune"}, "multiples of 8"),
        ("pixart_sigma", {"more": "image_size = 24", "recipe": "finetune"}, "multiples of 16"),
    ],
)  # fmt: skip
def test_what_cannot_be_tuned_is_refused_in_words(kind, settings, words, parents, tune, capsys):
    if settings.get("more", "").startswith("image_size"):
        assert tune(parents / kind, "run", "--set", settings["more"].replace(" ", "")) == 2
    else:
        assert tune(parents / kind, **settings) == 2
    assert re.search(words, capsys.readouterr().err)


def test_a_parent_of_our_own_takes_no_adapter(checkpoint_dir, tune, capsys):
    assert tune(checkpoint_dir, tables=ADAPTER) == 2
    assert "[lora] is for diffusers pipelines" in capsys.readouterr().err


def test_a_tuning_set_of_one_image_is_warned_of(parents, tune, capsys):
    assert tune(parents / "pixart_sigma", "run", "--set", "tuning_images=1") == 0
    assert "one image: the model will learn to repeat it" in capsys.readouterr().err


def test_the_documented_configuration_is_read(tmp_path):
    from models_backend import train as module

    page = Path(module.__file__).resolve().parents[1] / "docs" / "training.md"
    section = page.read_text().partition("## Tuning a model you bring")[2]
    example = section.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "tune.toml").write_text(example)
    config = read_config(tmp_path / "tune.toml", [])
    assert config.lora == LoraConfig(rank=16)
    assert json.dumps(config.recipe) == '"quality_tune"'


def test_sampling_alone_cannot_be_tuned(parents):
    with pytest.raises(InputError, match="diffusers_pipeline model is sampled here"):
        DiffusersPipeline.load_to_tune(parents / "flux", FinetuneConfig(name="x", training=_loop()))
