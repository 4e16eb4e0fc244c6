"""Fusing LoRAs and single parts into a base: exact, repeatable, whole or not at all."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from evalplatform.checkpoints.layout import inspect
from models_backend import standby
from models_backend.checkpoints.fusing import Adapter, Part, fuse
from models_backend.checkpoints.fusing.ema import ema_name
from models_backend.checkpoints.loading import load_pipeline
from models_backend.errors import CheckpointError, InputError
from tests import warm
from tests.generation.original_layout import save_configurations, save_single_file
from tests.models_backend import tiny_loras, tiny_pipelines

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("pipelines")
    names = ("stable_diffusion", "sdxl", "stable_diffusion_3", "flux", "pixart_sigma")
    return {name: tiny_pipelines.write(name, base / name) for name in names}


@pytest.fixture
def sd(folders):
    return folders["stable_diffusion"]


def weights(folder: Path, component: str) -> dict[str, torch.Tensor]:
    found = {}
    for path in (folder / component).glob("*.safetensors"):
        found |= load_file(path)
    return found


def check_changed(base: Path, out: Path, changes, scale: float) -> None:
    """Every weight is what the change makes of it, and no other one was touched."""
    for component in sorted(path.name for path in base.iterdir() if path.is_dir()):
        before, after = weights(base, component), weights(out, component)
        assert before.keys() == after.keys()
        for name, value in before.items():
            change = changes.get((component, name))
            expected = value if change is None else (value.double() + scale * change).float()
            torch.testing.assert_close(after[name], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("pipeline", "names"),
    [
        ("stable_diffusion", "kohya"), ("stable_diffusion", "diffusers"),
        ("stable_diffusion", "peft"), ("sdxl", "kohya"), ("sdxl", "diffusers"), ("sdxl", "peft"),
        ("stable_diffusion_3", "peft"), ("flux", "peft"),
    ],
)  # fmt: skip
def test_weights_are_base_plus_scaled_product(folders, tmp_path, pipeline, names):
    """For kohya's names each layer has an alpha of its own, which diffusers alone mislays."""
    base = folders[pipeline]
    lora = tiny_loras.write(base, tmp_path / "lora.safetensors", names)
    record = fuse(base, tmp_path / "out", adapters=[Adapter(lora.file, 0.7)])
    check_changed(base, tmp_path / "out", lora.changes, 0.7)
    (told,) = record["adapters"]
    assert sum(told["layers"].values()) == len(lora.changes)
    assert told["scale"] == 0.7
    assert inspect(tmp_path / "out").family == "diffusers_pipeline"


def test_two_loras_are_added_each_by_its_scale(sd, tmp_path):
    one = tiny_loras.write(sd, tmp_path / "one.safetensors", "kohya", seed=1)
    two = tiny_loras.write(sd, tmp_path / "two.safetensors", "peft", seed=2)
    fuse(sd, tmp_path / "out", adapters=[Adapter(one.file, 0.5), Adapter(two.file, -0.25)])
    changes = {key: 0.5 * one.changes[key] - 0.25 * two.changes[key] for key in one.changes}
    check_changed(sd, tmp_path / "out", changes, 1.0)


@pytest.mark.parametrize("pipeline", ["stable_diffusion", "sdxl"])
def test_pictures_are_those_of_the_lora_loaded_beside_the_base(folders, tmp_path, pipeline):
    base = folders[pipeline]
    lora = tiny_loras.write(base, tmp_path / "lora.safetensors", "kohya", alpha="same")
    fuse(base, tmp_path / "out", adapters=[Adapter(lora.file, 0.8)])
    beside = tiny_loras.load(base)
    plain = draw(beside)
    beside.load_lora_weights(str(lora.file), adapter_name="one")
    beside.set_adapters(["one"], [0.8])
    expected, found = draw(beside), draw(load_pipeline(tmp_path / "out", "cpu").pipeline)
    assert np.abs(expected - found).max() < 1e-3
    assert np.abs(plain - found).max() > 1e-2


def draw(pipeline) -> np.ndarray:
    return pipeline(
        prompt="a cat", num_inference_steps=2, height=32, width=32, output_type="np",
        generator=torch.Generator().manual_seed(0),
    ).images[0]  # fmt: skip


def test_sdxl_lora_with_block_numbers_of_the_original_layout(folders, tmp_path):
    """Most LoRAs of SDXL name the U-Net's blocks as its authors do."""
    base, name = folders["sdxl"], "attentions.0.transformer_blocks.0.attn1.to_q"
    down, up = torch.randn(4, 16), torch.randn(16, 4)
    file = tmp_path / "sgm.safetensors"
    save_file(
        {
            f"lora_unet_{block}_transformer_blocks_0_attn1_to_q.{key}": value.clone()
            for block in ("input_blocks_3_1", "middle_block_1", "output_blocks_0_1")
            for key, value in (
                ("lora_down.weight", down), ("lora_up.weight", up), ("alpha", torch.tensor(1.0)),
            )
        },
        file,
    )  # fmt: skip
    fuse(base, tmp_path / "out", adapters=[Adapter(file)])
    change = (up.double() @ down.double()) / 4
    blocks = ("down_blocks.1", "mid_block", "up_blocks.0")
    changes = {("unet", f"{block}.{name}.weight"): change for block in blocks}
    check_changed(base, tmp_path / "out", changes, 1.0)


def test_fusing_again_gives_the_same_bytes_on_any_number_of_threads(sd, tmp_path):
    lora = tiny_loras.write(sd, tmp_path / "lora.safetensors", "kohya")
    for threads, name in enumerate(("one", "two"), start=1):
        torch.set_num_threads(threads)
        fuse(sd, tmp_path / name, adapters=[Adapter(lora.file, 0.3)])
        assert torch.get_num_threads() == threads
    torch.set_num_threads(1)
    assert inspect(tmp_path / "one").sha256 == inspect(tmp_path / "two").sha256
    assert inspect(tmp_path / "one").sha256 != inspect(sd).sha256


def test_half_precision_base_stays_in_half_precision_and_under_its_names(tmp_path):
    base = tiny_pipelines.write("stable_diffusion", tmp_path / "half", dtype=torch.float16)
    (base / "unet/diffusion_pytorch_model.safetensors").rename(
        base / "unet/diffusion_pytorch_model.fp16.safetensors"
    )
    lora = tiny_loras.write(
        tiny_pipelines.write("stable_diffusion", tmp_path / "single"),
        tmp_path / "lora.safetensors", "kohya",
    )  # fmt: skip
    fuse(base, tmp_path / "out", adapters=[Adapter(lora.file)])
    (file,) = (tmp_path / "out/unet").glob("*.safetensors")
    assert file.name == "diffusion_pytorch_model.fp16.safetensors"
    before, after = weights(base, "unet"), weights(tmp_path / "out", "unet")
    assert {value.dtype for value in after.values()} == {torch.float16}
    for name, value in before.items():
        change = lora.changes.get(("unet", name), 0.0)
        expected = (value.double() + change).float()
        torch.testing.assert_close(after[name].float(), expected, rtol=2**-10, atol=2**-24)
    load_pipeline(tmp_path / "out", "cpu")


def test_single_file_base_becomes_a_directory(sd, tmp_path):
    base = tmp_path / "single"
    save_configurations(sd, base / "config")
    save_single_file(sd, base / "model.safetensors")
    lora = tiny_loras.write(sd, tmp_path / "lora.safetensors", "kohya")
    fuse(base, tmp_path / "out", adapters=[Adapter(lora.file)])
    check_changed(sd, tmp_path / "out", lora.changes, 1.0)


# -- what is refused ------------------------------------------------------------------------------


def refused(base: Path, tmp_path: Path, match: str, **how) -> None:
    with pytest.raises(CheckpointError, match=match) as raised:
        fuse(base, tmp_path / "out", **how)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out.*"))


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 0.0, 11.0, -400.0])
def test_absurd_scale_is_refused(tmp_path, scale):
    with pytest.raises(InputError, match=r"accepted are numbers from -10 to 10 other than 0"):
        Adapter(tmp_path / "lora.safetensors", scale)


def test_lora_of_another_pipeline_is_refused(folders, tmp_path):
    lora = tiny_loras.write(folders["sdxl"], tmp_path / "xl.safetensors", "kohya")
    refused(
        folders["stable_diffusion"], tmp_path,
        r"24 of 160 tensors of xl.safetensors belong to nothing .*first: text_encoder_2\.",
        adapters=[Adapter(lora.file)],
    )  # fmt: skip


def test_lora_of_other_widths_is_refused(sd, tmp_path):
    name = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    tensors = {
        f"{name}.lora_A.weight": torch.ones(4, 24),
        f"{name}.lora_B.weight": torch.ones(24, 4),
    }
    save_file(tensors, tmp_path / "wide.safetensors")
    refused(sd, tmp_path, "size mismatch for", adapters=[Adapter(tmp_path / "wide.safetensors")])


def test_lora_that_matches_nothing_is_refused(sd, tmp_path):
    """diffusers warns of these, and goes on without them."""
    name = "unet.down_blocks.7.attentions.0.to_q"
    tensors = {
        f"{name}.lora_A.weight": torch.ones(4, 16),
        f"{name}.lora_B.weight": torch.ones(16, 4),
    }
    save_file(tensors, tmp_path / "lora.safetensors")
    refused(
        sd, tmp_path, r"2 of 2 tensors .* \(first: unet.down_blocks.7",
        adapters=[Adapter(tmp_path / "lora.safetensors")],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("lora_unet_mid_block.hada_w1_a", r"is a LoHa \(LyCORIS\) adapter; LoRAs are accepted"),
        ("lora_unet_mid_block.lokr_w1", "is a LoKr"),
        ("unet.mid_block.to_q.dora_scale", "is a DoRA adapter"),
        ("unet.conv_in.weight", "holds no LoRA: none of its 1 tensors"),
    ],
)
def test_other_kinds_of_adapters_are_refused(sd, tmp_path, name, match):
    save_file({name: torch.ones(4, 4)}, tmp_path / "other.safetensors")
    refused(sd, tmp_path, match, adapters=[Adapter(tmp_path / "other.safetensors")])


def test_lora_with_nan_is_refused(sd, tmp_path):
    lora = tiny_loras.write(sd, tmp_path / "lora.safetensors", "peft")
    tensors = load_file(lora.file)
    first = sorted(tensors)[0]
    save_file(tensors | {first: torch.full_like(tensors[first], torch.nan)}, lora.file)
    refused(sd, tmp_path, "holds NaN or infinity in", adapters=[Adapter(lora.file)])


@pytest.mark.parametrize(
    "lost",
    [
        "unet.down_blocks.0.resnets.0.conv1.lora.up.weight",
        "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_linear_layer.down.weight",
        "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight",
    ],
)
def test_lora_that_lacks_half_of_a_layer_is_refused(sd, tmp_path, lost):
    """peft would make the other half up, another one each time."""
    for names in ("diffusers", "peft"):
        lora = tiny_loras.write(sd, tmp_path / "lora.safetensors", names)
        tensors = load_file(lora.file)
        if lost in tensors:
            break
    del tensors[lost]
    save_file(tensors, lora.file)
    refused(
        sd, tmp_path, r"lacks one of the two tensors of 1 of its 68 layers \(first: .* alone\)",
        adapters=[Adapter(lora.file)],
    )  # fmt: skip


def test_lora_in_kohyas_names_that_lacks_half_of_a_layer_is_refused(sd, tmp_path):
    lora = tiny_loras.write(sd, tmp_path / "lora.safetensors", "kohya")
    tensors = load_file(lora.file)
    del tensors["lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight"]
    save_file(tensors, lora.file)
    refused(
        sd, tmp_path, "not been correctly renamed: lora_unet_down_blocks_0_resnets_0_conv1",
        adapters=[Adapter(lora.file)],
    )  # fmt: skip


def test_pipeline_that_takes_no_lora_is_refused(folders, sd, tmp_path):
    lora = tiny_loras.write(sd, tmp_path / "lora.safetensors", "peft")
    refused(
        folders["pixart_sigma"], tmp_path, "loads no LoRA into a PixArtSigmaPipeline",
        adapters=[Adapter(lora.file)],
    )  # fmt: skip


def test_directory_that_is_no_pipeline_is_refused(tmp_path, checkpoint_dir):
    refused(checkpoint_dir, tmp_path, "is no diffusers pipeline", parts=[])


# -- parts ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The same architecture with other weights."""
    return tiny_pipelines.write("stable_diffusion", tmp_path_factory.mktemp("other") / "sd", seed=9)


@pytest.mark.parametrize("component", ["unet", "vae", "text_encoder"])
def test_a_part_is_replaced_by_that_of_a_folder(sd, other, tmp_path, component):
    record = fuse(sd, tmp_path / "out", parts=[Part(component, other / component)])
    check_parts(sd, other, tmp_path / "out", component)
    assert record["parts"][0]["component"] == component
    load_pipeline(tmp_path / "out", "cpu")


def check_parts(base: Path, new: Path, out: Path, *replaced: str) -> None:
    for component in ("unet", "vae", "text_encoder"):
        expected = weights(new if component in replaced else base, component)
        found = weights(out, component)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("component", ["unet", "vae"])
def test_a_part_is_replaced_by_that_of_a_file(sd, other, tmp_path, component):
    """Named as diffusers names tensors, or as the model's authors did."""
    (plain,) = (other / component).glob("*.safetensors")
    original = save_single_file(other, tmp_path / "original.safetensors", (component,))
    for number, file in enumerate((plain, original)):
        fuse(sd, tmp_path / f"out{number}", parts=[Part(component, file)])
        check_parts(sd, other, tmp_path / f"out{number}", component)


def test_averaged_weights_of_a_file_are_taken_where_asked_for(sd, other, tmp_path):
    tensors = load_file(save_single_file(sd, tmp_path / "plain.safetensors", ("unet",)))
    averaged = load_file(save_single_file(other, tmp_path / "other.safetensors", ("unet",)))
    tensors |= {ema_name(name): value for name, value in averaged.items()}
    assert "model_ema.diffusion_modelout2weight" in tensors
    file = tmp_path / "both.safetensors"
    save_file(tensors, file)
    blank = tiny_pipelines.write("stable_diffusion", tmp_path / "blank", seed=4)
    for choice, expected in (("ema", other), ("plain", sd)):
        record = fuse(blank, tmp_path / choice, parts=[Part("unet", file, choice)])
        check_parts(blank, expected, tmp_path / choice, "unet")
        assert record["parts"][0]["weights"] == choice
    refused(
        blank, tmp_path, "holds no EMA weights",
        parts=[Part("unet", tmp_path / "plain.safetensors", "ema")],
    )  # fmt: skip


def test_averaged_weights_of_a_directory_are_taken_where_asked_for(sd, other, tmp_path):
    base = shutil.copytree(sd, tmp_path / "base")
    shutil.copytree(other / "unet", base / "unet_ema")
    record = fuse(base, tmp_path / "ema", weights="ema")
    check_parts(sd, other, tmp_path / "ema", "unet")
    assert (record["weights"], record["parts"][0]["source"]) == ("ema", "unet_ema")
    fuse(base, tmp_path / "plain", weights="plain")
    check_parts(sd, sd, tmp_path / "plain")
    assert not (tmp_path / "plain/unet_ema").exists()
    refused(sd, tmp_path, "holds no EMA weights", weights="ema")


def test_averaged_weights_of_a_single_file_are_taken_where_asked_for(sd, other, tmp_path):
    base = tmp_path / "single"
    save_configurations(sd, base / "config")
    tensors = load_file(save_single_file(sd, base / "model.safetensors"))
    averaged = load_file(save_single_file(other, tmp_path / "other.safetensors", ("unet",)))
    tensors |= {ema_name(name): value for name, value in averaged.items()}
    save_file(tensors, base / "model.safetensors")
    fuse(base, tmp_path / "ema", weights="ema")
    check_parts(sd, other, tmp_path / "ema", "unet")
    fuse(base, tmp_path / "plain", weights="plain")
    check_parts(sd, sd, tmp_path / "plain")


@pytest.mark.parametrize("component", ["unet", "vae", "text_encoder"])
def test_a_part_of_another_architecture_is_refused(folders, sd, tmp_path, component):
    source = {
        "unet": folders["sdxl"] / "unet",
        "vae": folders["stable_diffusion_3"] / "transformer",
        "text_encoder": folders["sdxl"] / "text_encoder_2",
    }
    match = {
        "unet": "does not fit the base's unet: 12 tensors differ",
        "vae": "is no AutoencoderKL: its config.json names SD3Transformer2DModel",
        "text_encoder": "is no CLIPTextModel: its config.json names CLIPTextModelWithProjection",
    }
    refused(sd, tmp_path, match[component], parts=[Part(component, source[component])])


def test_a_part_the_base_does_not_have_is_refused(sd, other, tmp_path):
    refused(
        sd, tmp_path, "has no transformer; it has text_encoder, unet, vae",
        parts=[Part("transformer", other / "unet")],
    )  # fmt: skip


def test_a_part_with_tensors_missing_is_refused(sd, other, tmp_path):
    part = shutil.copytree(other / "unet", tmp_path / "unet")
    file = part / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    del tensors["conv_in.weight"]
    save_file(tensors, file, metadata={"format": "pt"})
    refused(sd, tmp_path, "1 missing keys, such as conv_in.weight", parts=[Part("unet", part)])


def test_parts_and_loras_together(sd, other, tmp_path):
    lora = tiny_loras.write(sd, tmp_path / "lora.safetensors", "diffusers")
    fuse(
        sd, tmp_path / "out", parts=[Part("unet", other / "unet"), Part("vae", other / "vae")],
        adapters=[Adapter(lora.file, 0.5)],
    )  # fmt: skip
    expected = shutil.copytree(other, tmp_path / "expected")
    shutil.rmtree(expected / "text_encoder")
    shutil.copytree(sd / "text_encoder", expected / "text_encoder")
    check_changed(expected, tmp_path / "out", lora.changes, 0.5)


def test_record_is_plain_json(sd, tmp_path):
    lora = tiny_loras.write(sd, tmp_path / "lora.safetensors", "peft")
    record = fuse(sd, tmp_path / "out", adapters=[Adapter(lora.file)])
    assert json.loads(json.dumps(record)) == record
    assert record["versions"].keys() == {"diffusers", "peft", "torch"}


# -- the program ----------------------------------------------------------------------------------


def program(*arguments: object):
    begins = (sys.executable, standby.__file__, warm.programs_path())
    command = [*map(str, (*begins, "models_backend.fuse", *arguments))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes)


def test_program_tells_what_it_does_and_what_it_did(sd, tmp_path):
    lora = tiny_loras.write(sd, tmp_path / "lora.safetensors", "kohya")
    fuse(sd, tmp_path / "here", adapters=[Adapter(lora.file, 0.5)])
    process = program(sd, tmp_path / "out", "--lora", lora.file, "--scale", 0.5)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["adapters"][0]["scale"] == 0.5
    told = [
        "progress: copying the base",
        "progress: loading the base",
        "progress: adding lora.safetensors by 0.5",
        "progress: writing unet",
    ]
    assert [line for line in err.splitlines() if line in told] == told
    assert inspect(tmp_path / "out").sha256 == inspect(tmp_path / "here").sha256


def test_program_ends_and_cleans_up_when_its_parent_goes(sd, tmp_path):
    lora = tiny_loras.write(sd, tmp_path / "lora.safetensors", "kohya")
    process = program(sd, tmp_path / "out", "--lora", lora.file, "--while-stdin")
    for line in process.stderr:
        if line == "progress: loading the base\n":
            assert list(tmp_path.glob(".out.*"))
            break
    process.stdin.close()  # as the system does it for a parent that is killed
    process.stderr.read()
    assert process.wait(timeout=60) == 130
    process.stdout.close(), process.stderr.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lora.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--lora", "a", "--scale", "1", "--scale", "2"], "2 --scale for 1 --lora"),
        (["--lora", "a.safetensors", "--scale", "nan"], "scale nan of a.safetensors: accepted"),
        ([], "nothing to change in the base: give a LoRA, a part, or its weights"),
        (["--part", "vae"], "--part 'vae': give COMPONENT=PATH, or COMPONENT:ema=PATH"),
        (["--part", "vae:old=a"], "--part 'vae:old=a': give COMPONENT=PATH"),
        (["--part", "vae=a", "--part", "vae=b"], "two parts for vae; give one"),
    ],
)
def test_program_refuses_what_it_cannot_mean(sd, tmp_path, arguments, match):
    from models_backend.fuse import main

    with pytest.raises(InputError, match=match):
        main([str(sd), str(tmp_path / "out"), *arguments])


def test_program_makes_nothing_where_no_folder_is(sd, tmp_path):
    with pytest.raises(InputError, match="where out is to be made, is no folder; make it"):
        fuse(sd, tmp_path / "no" / "out", weights="plain")
