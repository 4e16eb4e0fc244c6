"""What a tuning takes is known before it begins, and what would fit is told with a refusal."""

from dataclasses import replace

import pytest
import torch

from models_backend import train
from models_backend.configuration.loops import LoopConfig
from models_backend.errors import InputError
from models_backend.families.batch import training_batch
from models_backend.families.diffusers_pipelines.tuned import TunedPipeline
from models_backend.recipes.beforehand import tuned_of
from models_backend.recipes.configs import read_config
from models_backend.training.memory import Tuned, need_of, state_memory, what_fits
from models_backend.training.trainer import default_accelerator
from tests.models_backend import tiny_pipelines
from tests.models_backend.pretend_gpu import CUDA, pretend_gpu

GIB = 2**30
BILLION = 10**9
LOOP = LoopConfig(steps=1, batch_size=8, ema_decay=0.0)
SDXL = Tuned(trained=2_567_000_000, whole_example=12 * GIB, checkpointed_example=GIB)
"""About its U-Net at 1024 pixels; what activations take is made up."""
ADAPTER = replace(SDXL, trained=23_000_000, frozen=2_567_000_000)


@pytest.mark.parametrize(
    ("tuned", "loop", "bytes_a_parameter"),
    [
        (Tuned(BILLION), {}, 4 + 4 + 8),
        (Tuned(BILLION), {"ema_decay": 0.999}, 4 + 4 + 8 + 4),
        (Tuned(BILLION), {"optimizer": "adamw8bit"}, 4 + 4 + 2),
        (Tuned(BILLION), {"optimizer": "adafactor"}, 4 + 4),
        (Tuned(BILLION, halves=True), {"optimizer": "adafactor"}, 2 + 2),
        (Tuned(BILLION), {"mixed_precision": "bf16"}, 4 + 4 + 8 + 2),
        (Tuned(BILLION, halves=True), {"optimizer": "adafactor", "mixed_precision": "bf16"}, 2 + 2),
        (Tuned(0, frozen=BILLION, halves=True), {"mixed_precision": "bf16"}, 2),
        (Tuned(0, frozen=BILLION), {}, 4),
        (Tuned(0, frozen=BILLION, halves=True), {}, 2),
    ],
)
def test_bytes_are_those_of_weights_gradients_and_optimizer(tuned, loop, bytes_a_parameter):
    assert need_of(tuned, replace(LOOP, **loop)).total == bytes_a_parameter * BILLION


def test_an_adapter_is_single_beside_a_base_in_half_precision():
    need = need_of(replace(ADAPTER, halves=True), LOOP)
    assert need.weights == ADAPTER.frozen * 2 + ADAPTER.trained * 4
    assert need.gradients == ADAPTER.trained * 4
    assert need.optimizer == ADAPTER.trained * 8


def test_activations_are_those_of_a_micro_batch_on_one_process():
    assert need_of(SDXL, LOOP).activations == 8 * 12 * GIB
    assert need_of(SDXL, replace(LOOP, micro_batch_size=2)).activations == 2 * 12 * GIB
    assert need_of(SDXL, LOOP, processes=4).activations == 2 * 12 * GIB
    checkpointed = replace(LOOP, gradient_checkpointing=True, micro_batch_size=2)
    assert need_of(SDXL, checkpointed).activations == 2 * GIB


@pytest.mark.parametrize(
    ("tuned", "free", "told"),
    [
        (SDXL, 60, ["micro_batch_size = 1"]),
        (SDXL, 45, ["micro_batch_size = 1", "gradient_checkpointing = true"]),
        (SDXL, 30, ["micro_batch_size = 1", "gradient_checkpointing = true",
                    'optimizer = "adamw8bit"']),
        (SDXL, 14, ["micro_batch_size = 1", "gradient_checkpointing = true",
                    'weights = "bf16" with optimizer = "adafactor"']),
        (SDXL, 8, ["micro_batch_size = 1", "gradient_checkpointing = true",
                   'weights = "bf16" with optimizer = "adafactor"', "[lora] rank = 16"]),
        (ADAPTER, 12, ["micro_batch_size = 1", "gradient_checkpointing = true"]),
        (ADAPTER, 6.4, ["micro_batch_size = 1", "gradient_checkpointing = true",
                      'optimizer = "adamw8bit"', 'weights = "bf16"']),
        (ADAPTER, 3, []),
    ],
)  # fmt: skip
def test_the_fewest_settings_are_told_that_cost_least_first(tuned, free, told):
    assert what_fits(tuned, LOOP, int(free * GIB)) == told


def test_whole_weights_in_half_precision_are_told_no_optimizer_that_refuses_them():
    halves, loop = replace(SDXL, halves=True), replace(LOOP, optimizer="adafactor")
    for free in range(1, 60):
        assert 'optimizer = "adamw8bit"' not in what_fits(halves, loop, free * GIB)


def test_a_card_that_is_too_small_is_named_with_what_would_fit():
    with pretend_gpu(free_gib=24, total_gib=24):
        default_accelerator()
        with pytest.raises(InputError) as caught:
            state_memory(SDXL, LOOP, CUDA, "denoiser")
    said = str(caught.value)
    assert said.startswith("denoiser: this needs about 134.25 GiB (weights 9.56, gradients 9.56, ")
    assert "24.0 GiB are free on Pretended GPU (24.0 GiB)" in said
    assert said.endswith(
        "it would fit with micro_batch_size = 1, gradient_checkpointing = true, "
        'weights = "bf16" with optimizer = "adafactor"'
    )


def test_nothing_that_fits_says_so():
    with pretend_gpu(free_gib=2, total_gib=24):
        default_accelerator()
        with pytest.raises(InputError, match="no setting here makes it fit"):
            state_memory(SDXL, LOOP, CUDA, "denoiser")


# -- of a pipeline, by the command ----------------------------------------------------------------

TUNE = """
recipe = "finetune"
name = "tuned"
image_size = 16
{weights}
[training]
steps = 1
batch_size = 4
ema_decay = 0.0
{loop}
{lora}
"""


def settings(lora: bool, half: bool, optimizer: str, checkpointing: bool) -> dict[str, str]:
    return {
        "lora": "[lora]\nrank = 2" if lora else "",
        "weights": 'weights = "bf16"' if half else "",
        "loop": f'optimizer = "{optimizer}"\ngradient_checkpointing = {str(checkpointing).lower()}',
    }


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parent") / "sdxl"
    tiny_pipelines.write("sdxl", folder)
    return folder


def test_a_pipelines_need_is_stated_and_refused_on_a_card_that_is_too_small(
    parent, data, tmp_path, capsys
):
    """Refused with a KiB less than it says, before a step; with what it tells, it trains."""
    config = tmp_path / "tune.toml"
    config.write_text(TUNE.format(**settings(False, False, "adamw", False)))
    command = [str(each) for each in (config, "--data", data, "--parent", parent)]
    read = read_config(config, [])
    tuned = tuned_of(read, TunedPipeline.load_to_tune(parent, read), "denoiser")
    free = (need_of(tuned, read.training).total - 1024) / GIB
    with pretend_gpu(free_gib=free, total_gib=24):
        assert train.main([*command, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "denoiser: this needs about" in error
    assert not (tmp_path / "run/log.jsonl").exists()
    told = error.partition("it would fit with ")[2]
    assert told == "micro_batch_size = 1"
    more = ["--set", "training.micro_batch_size=1", "--out", str(tmp_path / "again")]
    with pretend_gpu(free_gib=free, total_gib=24):
        assert train.main([*command, *more]) == 0
    assert "denoiser: about" in capsys.readouterr().err


def test_every_way_of_tuning_a_pipeline_is_counted(parent):
    """By the parameters there are: full and adapter, precisions, optimisers, checkpointing."""
    needs = {}
    folder = parent.parent
    ways = [
        (False, False, "adamw"),
        (False, True, "adafactor"),  # AdamW would lose steps to rounding, and is refused
        (True, False, "adamw"),
        (True, True, "adamw"),
    ]
    for lora, half, optimizer in ways:
        for checkpointing in (False, True):
            given = (lora, half, optimizer, checkpointing)
            (folder / "tune.toml").write_text(TUNE.format(**settings(*given)))
            config = read_config(folder / "tune.toml", [])
            family = TunedPipeline.load_to_tune(parent, config)
            unet = family.part("denoiser")
            learned = sum(p.numel() for p in unet.parameters() if p.requires_grad)
            held = sum(p.numel() * p.element_size() for p in unet.parameters())
            beside = sum(p.numel() * 4 for p in family.pipeline.vae.parameters())
            need = need_of(tuned_of(config, family, "denoiser"), config.training)
            assert abs(need.weights - held - beside) <= 0.01 * need.weights
            assert need.optimizer == (8 * learned if optimizer == "adamw" else 0)
            assert need.gradients == learned * (2 if half and not lora else 4)
            needs[given] = need
    for way in ways:
        assert needs[*way, True].activations < needs[*way, False].activations
    whole, whole_half, adapter, adapter_half = (needs[*way, False] for way in ways)
    assert whole_half.weights < whole.weights
    assert adapter_half.weights < adapter.weights
    assert adapter.gradients < 0.5 * whole.gradients


def test_kept_bytes_are_what_a_real_step_keeps(parent):
    """Counted without memory; beside it the same network's real forward pass, by autograd."""
    path = parent.parent / "real.toml"
    path.write_text(TUNE.format(**settings(False, False, "adamw", False)))
    config = read_config(path, [])
    family = TunedPipeline.load_to_tune(parent, config)
    whole, _ = family.kept_by_example("denoiser", config.training)
    z = family.prepare(torch.rand(1, 3, 16, 16) * 2 - 1, "denoiser")
    batch = training_batch(
        z, family.text_encoder.encode(["a cat"]), torch.randn_like(z), torch.full((1,), 0.5)
    )
    network = family.part("denoiser").train()
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept: dict[int, int] = {}
    held = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held.append(tensor)
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = family.loss(batch)
    assert loss.requires_grad
    assert 0.8 < whole / sum(kept.values()) < 1.25
