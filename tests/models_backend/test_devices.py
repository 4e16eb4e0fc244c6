"""Every recipe on a GPU, as far as a machine without one can tell; see `pretend_gpu`."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models_backend import checkpoints, train
from models_backend.configuration.loops import LoopConfig
from models_backend.data import shards
from models_backend.errors import InputError
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.families.settings import SamplingSettings
from models_backend.nn.architecture import AutoencoderConfig, TextConfig, UNetConfig
from models_backend.nn.precision import sampling_dtype
from models_backend.nn.text import TextEncoder
from models_backend.recipes.streaming import TextCache
from models_backend.sampling.image_sampler import ImageSampler
from models_backend.studies.quality_tuning import __main__ as study
from models_backend.training.trainer import Trainer
from tests.models_backend import tiny, tiny_encoders, tiny_pipelines
from tests.models_backend.pretend_gpu import CUDA, pretend_gpu

pytestmark = pytest.mark.usefixtures("briefly_fitted_head")

STAGES = """
autoencoder_loss = {adversarial_weight = 0.5, adversarial_start = 2, perceptual_weight = 0.5}
sample_prompts = ["a cat", "a boat"]
stages = [
  {resolution = 16, steps = 4, batch_size = 4},
  {resolution = 32, steps = 3, batch_size = 4, noise_offset = 0.02, aspect_ratios = true},
]
"""


def run(*arguments: object) -> int:
    return train.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoders.write_clip(tmp_path_factory.mktemp("clip") / "clip")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """The tiny pretrain configuration in bfloat16, with a text encoder as small."""
    path = tmp_path_factory.mktemp("config") / "small.toml"
    text = f'[text]\nencoders = ["{clip}"]\ntokens = [16]\n'
    path.write_text(tiny.PRETRAIN + 'mixed_precision = "bf16"\n' + text)
    return path


@pytest.fixture(scope="module")
def on_gpu(tmp_path_factory: pytest.TempPathFactory, data: Path, small: Path) -> Path:
    """A run of the pretrain recipe."""
    out = tmp_path_factory.mktemp("gpu") / "run"
    with pretend_gpu():
        assert run(small, "--data", data, "--out", out) == 0
    return out


def losses(folder: Path) -> list[tuple[str, int, float]]:
    entries = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [(entry["stage"], entry["step"], entry["loss"]) for entry in entries]


# -- the pretence itself --------------------------------------------------------------------------


def test_what_a_gpu_refuses_is_refused():
    with pretend_gpu():
        there, here = torch.ones(3, device="cuda"), torch.ones(3)
        assert (there + here.to("cuda")).device == (there * here.sum()).device == CUDA
        assert there[torch.tensor([0, 1])].device == CUDA
        assert there.cpu().device.type == "cpu"
        with pytest.raises(RuntimeError, match="at least two devices"):
            there + here
        with pytest.raises(RuntimeError, match="at least two devices"):
            torch.cat([there, here])
        with pytest.raises(RuntimeError, match="at least two devices"):
            here[torch.ones(1, dtype=torch.long, device="cuda")]
        with pytest.raises(TypeError, match="to numpy"):
            there.numpy()
        with pytest.raises(RuntimeError, match="'cuda' device type for generator"):
            there.normal_(generator=torch.Generator())


def test_networks_are_trained_where_they_were_moved():
    with pretend_gpu():
        network = torch.nn.Linear(3, 2)
        held = network.weight
        network.to("cuda")
        assert held is network.weight
        with pytest.raises(RuntimeError, match="at least two devices"):
            network(torch.ones(3))
        optimizer = torch.optim.AdamW(network.parameters(), fused=True)
        network(torch.ones(3, device="cuda")).sum().backward()
        optimizer.step()
        assert held.grad.device == held.device == CUDA


# -- recipes --------------------------------------------------------------------------------------


def test_a_model_is_pre_trained_on_a_gpu(on_gpu):
    training = checkpoints.read_metadata(on_gpu / "checkpoint")["training"]
    assert training["device"] == "Pretended GPU"
    assert training["autoencoder_psnr_db"] > 0


def test_a_run_on_a_gpu_is_taken_up_again(tmp_path, data, small, on_gpu, monkeypatch):
    steps = Trainer._train_step
    arguments = [small, "--data", data, "--out", tmp_path]

    def killed(self):
        if self.stage == "denoiser" and self.step == 7:
            raise KeyboardInterrupt
        return steps(self)

    with pretend_gpu():
        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_train_step", killed)
            assert run(*arguments) == 130
        assert run(*arguments, "--resume") == 0
    assert losses(tmp_path) == losses(on_gpu)


def test_shards_train_on_a_gpu_in_stages_from_a_cache(tmp_path, data, small):
    shards.write_shards(data, tmp_path / "shards", kind="tar", samples=5)
    staged = tmp_path / "staged.toml"
    text = small.read_text().replace("image_size = 16", "image_size = 32")
    staged.write_text(text.replace("\n[autoencoder]\n", f"{STAGES}\n[autoencoder]\n"))
    arguments = [staged, "--data", tmp_path / "shards", "--out", tmp_path / "run"]
    with pretend_gpu():
        assert run(*arguments, "--cache", tmp_path / "cache") == 0
    stages = [stage for stage, *_ in losses(tmp_path / "run")]
    assert stages == ["autoencoder", "denoiser-1", "denoiser-2"]


def test_a_model_is_quality_tuned_on_a_gpu_with_early_stopping(tmp_path, data, on_gpu):
    listed = tiny.write_tuning_list(tmp_path / "picked.tsv")
    stopping = "candidates = 2\nimages = 4\nsampler_steps = 2"
    tune = tmp_path / "tune.toml"
    text = tiny.QUALITY_TUNE.format(tuning_list=listed)
    tune.write_text(text.replace("candidates = 0", stopping))
    arguments = [tune, "--data", data, "--parent", on_gpu / "checkpoint", "--out", tmp_path / "run"]
    with pretend_gpu():
        assert run(*arguments) == 0
    assert (tmp_path / "run" / "candidates" / "signals.png").is_file()


def test_an_adapter_of_a_pipeline_is_tuned_on_a_gpu(tmp_path, data):
    """Base in bfloat16, adapter in single precision; latents, texts and time ids on the device."""
    parent = tiny_pipelines.write("sdxl", tmp_path / "sdxl")
    tune = tmp_path / "tune.toml"
    text = tiny.QUALITY_TUNE.format(tuning_list=tiny.write_tuning_list(tmp_path / "picked.tsv"))
    more = 'image_size = 16\nweights = "bf16"\n[lora]\nrank = 2\n\n[training]\n'
    more += 'mixed_precision = "bf16"\ngradient_checkpointing = true'
    tune.write_text(text.replace("[training]", more))
    with pretend_gpu():
        assert run(tune, "--data", data, "--parent", parent, "--out", tmp_path / "run") == 0
    training = checkpoints.read_metadata(tmp_path / "run" / "checkpoint")["training"]
    assert training["device"] == "Pretended GPU"


def test_a_study_runs_on_a_gpu(tmp_path, data, on_gpu):
    listed = tiny.write_tuning_list(tmp_path / "picked.tsv", things=6)
    arguments = ["--data", data, "--out", tmp_path / "study", "--tuning-list", listed]
    arguments += ["--samples", 1, "--steps", 2, "--judge-steps", 3]
    arguments += ["--checkpoints", *[on_gpu / "checkpoint"] * 3]
    with pretend_gpu():
        assert study.main([str(argument) for argument in arguments]) == 0
    assert (tmp_path / "study" / "report.md").is_file()


# -- text encoders --------------------------------------------------------------------------------


def noted(monkeypatch) -> list[tuple[str, torch.dtype, int]]:
    """Note device, precision and number of texts of each call of a text encoder."""
    import transformers

    calls = []
    forward = transformers.CLIPTextModel.forward

    def note(self, *args, **kwargs):
        weight = next(self.parameters())
        calls.append((weight.device.type, weight.dtype, len(kwargs["input_ids"])))
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(transformers.CLIPTextModel, "forward", note)
    return calls


def test_text_encoders_work_on_the_gpu_and_are_let_go(tmp_path, data, small, monkeypatch):
    calls, loaded, models = noted(monkeypatch), [], []
    fit, create = Trainer.fit, LatentDiffusion.create

    def created(*args):
        models.append(create(*args))
        return models[-1]

    def watched(self, step):
        loaded.append(len(models[0].text_encoder.loaded))
        fit(self, step)
        loaded.append(len(models[0].text_encoder.loaded))

    monkeypatch.setattr(LatentDiffusion, "create", created)
    monkeypatch.setattr(Trainer, "fit", watched)
    with pretend_gpu():
        prompts = ["--set", 'sample_prompts=["a zebra"]']
        assert run(small, "--data", data, "--out", tmp_path, *prompts) == 0
    assert {call[:2] for call in calls} == {("cuda", torch.float16)}
    assert loaded == [0, 0, 0, 0]


def test_each_caption_is_encoded_once_and_kept_in_half_precision(tmp_path, clip, monkeypatch):
    t5 = tiny_encoders.write_t5(tmp_path / "t5")
    calls = noted(monkeypatch)
    monkeypatch.setattr("models_backend.nn.text_rows._CACHE_BYTES", 0)  # as in a set beyond memory
    model = LatentDiffusion.create(
        AutoencoderConfig(4, outer_width=8, inner_width=8, blocks=1),
        UNetConfig((32, 48), heads=2, text_width=16),
        (16, 16),
        TextConfig((str(clip), str(t5)), (16, 40)),
    )
    texts = TextCache(model, tmp_path / "cache", 0)
    captions = ["a cat", "a boat", "a cat"]
    first = texts.encode(captions)
    again = TextCache(model, tmp_path / "cache", 0).encode(captions)
    assert sum(count for *_, count in calls) == 2
    plain = TextEncoder(model.text_encoder.config).encode(captions)
    for name in ("tokens", "mask", "pooled"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert torch.allclose(getattr(first, name), getattr(plain, name), atol=2e-3)
    written = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.rows"))
    tokens, pooled, mask = 16 * 16 + 40 * 24, 16 + 24, 16 + 40
    assert written == 2 * 2 * (tokens + pooled + mask)


# -- precision, and memory ------------------------------------------------------------------------


def test_own_checkpoints_are_sampled_in_bfloat16_on_a_gpu(checkpoint_dir):
    ask = {"prompts": ["a cat", "a boat"], "seeds": [1, 2], "settings": SamplingSettings(steps=4)}
    plain = checkpoints.load(checkpoint_dir, "cpu")[0].sample(**ask)
    with pretend_gpu():
        model, _ = checkpoints.load(checkpoint_dir, "cuda")
        assert {p.dtype for m in model.modules() for p in m.parameters()} == {torch.bfloat16}
        halves = model.sample(**ask)
    for one, other in zip(plain, halves, strict=True):
        gap = np.abs(np.asarray(one).astype(int) - np.asarray(other))
        assert 0 < gap.mean() < 3


def test_a_gpu_without_bfloat16_samples_in_single_precision_and_says_so(caplog):
    with pretend_gpu(bf16=False):
        assert sampling_dtype(CUDA) == torch.float32
    assert "Pretended GPU does not compute bfloat16: sampling in single precision" in caplog.text


def test_training_in_bfloat16_is_refused_where_a_gpu_has_none(tmp_path, data, small, capsys):
    with pretend_gpu(bf16=False):
        assert run(small, "--data", data, "--out", tmp_path) == 2
    assert not (tmp_path / "log.jsonl").exists()  # told before the autoencoder is trained
    error = capsys.readouterr().err
    assert "denoiser: mixed_precision bf16, and Pretended GPU does not compute bfloat16" in error
    assert 'set mixed_precision = "no"' in error


@pytest.mark.parametrize(
    ("free", "total", "message"),
    [
        (0.9, 1.0, r"0\.9 GiB are free on Pretended GPU \(1\.0 GiB\), .*choose smaller widths"),
        (
            2, 80,
            r"2\.0 GiB are free on Pretended GPU \(80\.0 GiB\), 78\.0 GiB of it held by other "
            r"programs; wait for the other programs",
        ),
    ],
)  # fmt: skip
def test_too_little_memory_is_told_with_who_has_it(tmp_path, free, total, message):
    with torch.device("meta"):
        network = torch.nn.Linear(16_384, 16_384)
    with pretend_gpu(free_gib=free, total_gib=total), pytest.raises(InputError, match=message):
        Trainer(module=network, config=LoopConfig(steps=1), seed=0, stage="x", run=tmp_path)


def test_a_denoiser_that_does_not_fit_is_refused_before_anything_is_trained(
    tmp_path, data, small, capsys
):
    with pretend_gpu(free_gib=0.001):
        assert run(small, "--data", data, "--out", tmp_path) == 2
    assert "denoiser: " in capsys.readouterr().err
    assert not (tmp_path / "log.jsonl").exists()


def test_a_worker_leaves_other_programs_what_they_hold():
    with pretend_gpu(free_gib=20, total_gib=80):
        sampler = ImageSampler()
    assert sampler.pipelines.capacity_bytes == pytest.approx(0.7 * 20 * 2**30)
