"""A decoder that learns transparency: how it begins, what it learns, and what it makes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from models_backend import checkpoints, train, transparency
from models_backend.checkpoint_format import content_sha256
from models_backend.checkpoints.check import check
from models_backend.data.manifest import manifest_sha256, read_records
from models_backend.data.pictures import on_white as picture_on_white
from models_backend.errors import CheckpointError, InputError
from models_backend.families.pictures import to_pictures
from models_backend.families.settings import SamplingSettings
from models_backend.nn.architecture import AutoencoderConfig
from models_backend.nn.autoencoder import Autoencoder, taken_off_white
from models_backend.nn.transparency import (
    alpha_error,
    on_ground,
    on_white,
    transparency_loss,
    with_alpha,
)
from models_backend.recipes.overfitting import to_pixels
from models_backend.sampling.contact_sheet import contact_sheet
from tests.models_backend import tiny

SMALL = AutoencoderConfig(4, outer_width=8, inner_width=8, blocks=1)
KL = {"kind": "kl", "factor": 2, "widths": (8, 16)}
SHORT = ["training.steps=6", "training.save_every=2", "training.batch_size=4", "held_out=0.34"]
SETTINGS = SamplingSettings(steps=2)


# -- the fourth channel ---------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"factor": 2}, {"factor": 4}, {"factor": 8}, KL])
@torch.no_grad()
def test_alpha_begins_as_the_mean_of_red_green_and_blue(changes):
    torch.manual_seed(0)
    parent = Autoencoder(replace(SMALL, **changes)).double()
    child = with_alpha(parent)
    z = torch.randn(2, 4, 3, 4, dtype=torch.double)
    before, after = parent.decode(z), child.painted(z)
    assert torch.allclose(after[:, :3], before, atol=1e-12)
    assert torch.allclose(after[:, 3:], before.mean(dim=1, keepdim=True), atol=1e-12)
    x = torch.randn(2, 3, 16, 16, dtype=torch.double)
    assert torch.equal(child.encode(x)[0], parent.encode(x)[0])


def test_a_decoder_that_has_alpha_is_refused():
    with pytest.raises(InputError, match="alpha channel already"):
        with_alpha(Autoencoder(replace(SMALL, alpha=True)))


# -- loss and grounds, by hand --------------------------------------------------------------------


def pixel(red: float, green: float, blue: float, alpha: float) -> Tensor:
    """One pixel, of values from 0 to 1."""
    return torch.tensor([red, green, blue, alpha]).view(1, 4, 1, 1) * 2 - 1


def test_loss_counts_alpha_and_colours_on_white():
    wanted, painted = pixel(1, 0, 0, 0.5), pixel(1, 0.5, 0.8, 1)  # wanted on white: 1, .5, .5
    # alpha |1 - .5|; colours 0, 0 and .3, ten times squared
    found = transparency_loss(painted, wanted).item()
    assert found == pytest.approx(0.5 + 0.1 + 10 * 0.09 / 3, abs=1e-6)
    assert alpha_error(painted, wanted).item() == pytest.approx(0.5)
    assert alpha_error(painted + 9, wanted).item() == pytest.approx(0.5)


def test_colour_of_what_is_clear_costs_nothing():
    assert transparency_loss(pixel(1, 1, 1, 0), pixel(0, 1, 0, 0)).item() == 0


def test_white_is_taken_off_and_comes_back():
    pink = taken_off_white(pixel(1, 0.5, 0.5, 0.5))
    torch.testing.assert_close(pink, pixel(1, 0, 0, 0.5))
    torch.testing.assert_close(on_white(pink), pixel(1, 0.5, 0.5, 1)[:, :3])
    torch.testing.assert_close(taken_off_white(pixel(0.2, 0.4, 0, 1)), pixel(0.2, 0.4, 0, 1))
    # Half clear over white is never darker than one half; clear is white.
    torch.testing.assert_close(taken_off_white(pixel(0.1, 0.9, 1, 0.5)), pixel(0, 0.8, 1, 0.5))
    torch.testing.assert_close(taken_off_white(pixel(0.1, 0.9, 1.0, 0)), pixel(1.0, 1, 1, 0))


@torch.no_grad()
def test_colours_on_white_are_the_parents_where_alpha_allows():
    """What alpha learns cannot spoil them: the reason for painting on white."""
    torch.manual_seed(0)
    parent = Autoencoder(SMALL)
    child = with_alpha(parent)
    last = child.last_convolution
    last.weight.data[12:], last.bias.data[12:] = 0, 1.0  # opaque everywhere
    z = torch.randn(2, 4, 3, 4)
    wanted = parent.decode(z).clamp(-1, 1)
    torch.testing.assert_close(on_white(child.decode(z)), wanted, atol=1e-5, rtol=0)


def test_checkpoint_of_an_earlier_version_keeps_its_colours():
    child = Autoencoder(replace(SMALL, alpha=True))
    z = torch.randn(2, 4, 3, 4)
    with torch.no_grad():
        assert torch.equal(child.decode(z), child.painted(z))


def test_half_clear_red_on_white_is_pink():
    assert on_white(pixel(1, 0, 0, 0.5)).flatten().tolist() == [1.0, 0.0, 0.0]
    blue = torch.tensor([-1.0, -1.0, 1.0]).view(1, 3, 1, 1)
    assert on_ground(pixel(1, 0, 0, 0), blue).flatten().tolist() == [-1.0, -1.0, 1.0]
    opaque = torch.rand(1, 3, 2, 2)
    assert on_white(opaque) is opaque


# -- pictures -------------------------------------------------------------------------------------


def test_four_channels_become_rgba_with_white_below_what_is_clear():
    (clear, red) = to_pictures(torch.cat([pixel(0, 0, 0, 0), pixel(1, 0, 0, 0.5)]))
    assert clear.mode == red.mode == "RGBA"
    assert clear.getpixel((0, 0)) == (255, 255, 255, 0)
    assert red.getpixel((0, 0)) == (255, 0, 0, 128)
    assert picture_on_white(red).getpixel((0, 0)) == (255, 127, 127)
    assert to_pixels([red]).flatten().tolist() == [255, 127, 127]


def test_contact_sheet_shows_transparency_by_a_checker():
    clear, red = (Image.new("RGBA", (8, 8), (255, 0, 0, a)) for a in (0, 255))
    sheet = contact_sheet(["a"], ["x", "y"], {(0, 0): clear, (0, 1): red})
    cell = np.asarray(sheet)[40:200, 260:420].reshape(-1, 3)
    assert {tuple(map(int, each)) for each in np.unique(cell, axis=0)} == {
        (208,) * 3, (255,) * 3
    }  # fmt: skip
    assert sheet.getpixel((500, 100)) == (255, 0, 0)


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny data set, each picture a disc on nothing."""
    folder = tiny.write_dataset(tmp_path_factory.mktemp("rgba"))
    y, x = np.mgrid[:16, :16] - 7.5
    disc = np.where(x**2 + y**2 < 30, 255, 0).astype(np.uint8)
    for record in read_records(folder):
        with Image.open(folder / record.file) as opened:
            picture = opened.convert("RGB")
        picture.putalpha(Image.fromarray(disc))
        picture.save(folder / record.file)
    return folder


def command(parent: Path, data: Path, out: Path, *more: str) -> int:
    sets = [part for setting in SHORT for part in ("--set", setting)]
    arguments = ["--parent", parent, "--data", data, "--out", out, *more, *sets]
    return transparency.main([str(each) for each in arguments])


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory, checkpoint_dir: Path, drawings: Path) -> Path:
    out = tmp_path_factory.mktemp("transparent") / "run"
    assert command(checkpoint_dir, drawings, out) == 0
    return out / "checkpoint"


def test_only_the_decoder_differs_from_the_parent(child, checkpoint_dir):
    names = {path.relative_to(child).as_posix() for path in child.rglob("*.safetensors")}
    weights = {"autoencoder/model.safetensors"}
    for name in names - weights:
        assert (child / name).read_bytes() == (checkpoint_dir / name).read_bytes()
    before, after = (load_file(each / weights.copy().pop()) for each in (checkpoint_dir, child))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("decoder.") for name in changed)
    assert (child / "unet/config.json").read_bytes() == (
        checkpoint_dir / "unet/config.json"
    ).read_bytes()


def test_checkpoint_knows_its_parent_and_what_was_held_out(child, checkpoint_dir):
    metadata = checkpoints.read_metadata(child)
    assert metadata["parent_sha256"] == checkpoints.sha256_of(checkpoint_dir)
    assert metadata["config"]["autoencoder"]["alpha"] is True
    assert metadata["training"]["images"] == 8  # of 6 things in 2 styles, 2 held out
    held_out = metadata["training"]["held_out"]
    assert held_out["drawings"] == 4
    assert 0 < held_out["alpha_mean_absolute_error"] < 1
    assert "Tuned from the checkpoint" in (child / "README.md").read_text()
    assert (child.parent / "reconstructions.png").is_file()
    assert not list(child.parent.glob("state-*"))


def test_drawings_that_nobody_saw_are_measured_too(checkpoint_dir, drawings, tmp_path, capsys):
    more = ("--unseen", str(drawings), "--set", "training.steps=1")
    assert command(checkpoint_dir, drawings, tmp_path / "run", *more) == 0
    training = checkpoints.read_metadata(tmp_path / "run/checkpoint")["training"]
    assert (training["held_out"]["drawings"], training["unseen"]["drawings"]) == (4, 12)
    assert training["unseen"]["data_manifest_sha256"] == manifest_sha256(drawings)
    assert f"12 drawings of {drawings}: alpha is off by" in capsys.readouterr().err


def test_samples_are_rgba_and_the_registry_would_take_them(child, tmp_path):
    check(child)
    model = checkpoints.load_pipeline(child)
    (image,) = model.sample(prompts=["a cat"], seeds=[3], settings=SETTINGS)
    assert (image.mode, image.size) == ("RGBA", (16, 16))
    noise = torch.randn(2, 4, 2, 2)
    graded = model.graded_images(["a", "b"], noise, SamplingSettings(steps=3), graded=2)
    assert graded.shape == (2, 3, 16, 16)


def test_registry_refuses_weights_without_the_alpha_they_are_said_to_have(
    child, checkpoint_dir, tmp_path
):
    from models_backend.families.latent_diffusion.checking import check as check_files

    folder = tmp_path / "copy"
    for each in ("autoencoder", "unet"):
        (folder / each).mkdir(parents=True)
        for path in (checkpoint_dir / each).iterdir():
            (folder / each / path.name).write_bytes(path.read_bytes())
    (folder / "config.json").write_text((child / "config.json").read_text())
    with pytest.raises(CheckpointError, match="decoder"):
        check_files(folder)


def test_a_killed_run_goes_on_to_the_same_decoder(child, checkpoint_dir, drawings, tmp_path):
    out = tmp_path / "run"

    def kill(self, state):
        original(self, state)
        if state["step"] == 4:
            raise KeyboardInterrupt

    original = transparency_trainer()._write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transparency_trainer(), "_write", kill)
        assert command(checkpoint_dir, drawings, out) != 0
    assert (out / "state-transparency.pt").is_file()
    assert command(checkpoint_dir, drawings, out) == 0
    weights = "autoencoder/model.safetensors"
    assert (out / "checkpoint" / weights).read_bytes() == (child / weights).read_bytes()


def transparency_trainer():
    from models_backend.training.trainer import Trainer

    return Trainer


def test_a_finished_run_is_found(child, checkpoint_dir, drawings, capsys):
    assert command(checkpoint_dir, drawings, child.parent) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(child)
    assert "is finished" in said.err


# -- what is refused ------------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert command(*arguments) == 2  # type: ignore[arg-type]
    error = capsys.readouterr().err
    reason, *by_command = error.splitlines()
    assert reason.startswith("error: ")
    assert [each.startswith("  ") for each in by_command] in ([], [True])
    return error


def test_opaque_drawings_are_refused(capsys, checkpoint_dir, data, tmp_path):
    error = refused(capsys, checkpoint_dir, data, tmp_path / "run")
    assert "holds no picture that is transparent anywhere" in error
    assert "--alpha --size 16" in error


def test_drawings_of_another_size_are_refused(capsys, checkpoint_dir, tmp_path):
    other = tiny.write_dataset(tmp_path / "large", size=24)
    error = refused(capsys, checkpoint_dir, other, tmp_path / "run")
    assert "24 x 24 pixels, image_size is 16" in error


def test_a_parent_that_has_alpha_is_refused(capsys, child, checkpoint_dir, drawings, tmp_path):
    error = refused(capsys, child, drawings, tmp_path / "run")
    assert "makes RGBA images already" in error
    assert checkpoints.sha256_of(checkpoint_dir) in error


def test_a_parent_without_a_decoder_is_refused(capsys, checkpoint_dir, drawings, tmp_path):
    folder = tmp_path / "pixels"
    folder.mkdir()
    metadata = json.loads((checkpoint_dir / "metadata.json").read_text())
    metadata |= {"family": "pixel_diffusion", "files": {}, "sha256": content_sha256({})}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    error = refused(capsys, folder, drawings, tmp_path / "run")
    assert "is a pixel_diffusion model, which has no decoder" in error
    (tmp_path / "sd").mkdir()
    (tmp_path / "sd/model_index.json").write_text("{}")
    error = refused(capsys, tmp_path / "sd", drawings, tmp_path / "run")
    assert "is a diffusers pipeline, whose decoder is not trained here" in error


def test_pre_training_does_not_begin_with_alpha(capsys, config, data, tmp_path):
    arguments = ["--data", data, "--out", tmp_path / "run", "--set", "autoencoder.alpha=true"]
    assert train.main([str(each) for each in (config, *arguments)]) == 2
    assert "a decoder learns transparency after pre-training" in capsys.readouterr().err
