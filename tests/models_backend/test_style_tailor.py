"""Style Tailoring: two sets, split by how noisy an example is."""

import json

import pytest
import torch

from models_backend import train
from models_backend.checkpoints import file_hashes, read_metadata
from models_backend.errors import InputError
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.families.masked_transformer.model import MaskedTransformer
from models_backend.nn.architecture import ScheduleConfig
from models_backend.nn.schedule import NoiseSchedule
from models_backend.recipes.rows import OneSet, TwoSets
from tests.models_backend import tiny

pytestmark = pytest.mark.usefixtures("briefly_fitted_head")

CONFIG = """
recipe = "style_tailor"
name = "tailored"
content_list = "{content}"
tuning_list = "{style}"
split = 0.7

[training]
steps = 4
batch_size = 4
warmup_steps = 1
ema_decay = 0.5
save_every = 2

[early_stopping]
candidates = 0
"""
CONTENT, STYLE, BATCH = 30, 7, 20_000


def levels_of(name):
    """Noise levels by u, as the families that train here have them."""
    if name == "masked":
        return lambda u: MaskedTransformer.noise_levels(None, u)
    return NoiseSchedule(ScheduleConfig(target=name)).levels


def drawn(name, *, split=0.7, draw="time_first", batch=BATCH):
    levels = levels_of(name)
    plan = TwoSets(content=CONTENT, style=STYLE, split=split, draw=draw, levels=levels)
    pictures, u = plan(batch, torch.Generator().manual_seed(3))
    return plan, pictures, levels(u)


FAMILIES = pytest.mark.parametrize("name", ["v", "flow", "masked"])
BOTH = pytest.mark.parametrize("draw", ["time_first", "halves"])


@FAMILIES
@BOTH
def test_content_is_learned_above_the_split_and_style_below(name, draw):
    _, pictures, levels = drawn(name, draw=draw)
    is_content = pictures % (CONTENT + STYLE) < CONTENT
    assert is_content.any()
    assert not is_content.all()
    # Whole steps, and the ends of a range in single precision, lie on the split itself.
    assert bool((levels[is_content] >= 0.7 - 1e-4).all())
    assert bool((levels[~is_content] <= 0.7 + 1e-4).all())


@FAMILIES
def test_time_first_leaves_the_levels_as_they_are_drawn_in_training(name):
    plan, pictures, levels = drawn(name)
    usual = levels_of(name)(torch.rand(BATCH, generator=torch.Generator().manual_seed(4)))
    for q in (0.1, 0.5, 0.9):
        assert levels.float().quantile(q) == pytest.approx(
            float(usual.float().quantile(q)), abs=0.02
        )
    share = float((pictures % (CONTENT + STYLE) < CONTENT).double().mean())
    assert share == pytest.approx(plan.content_share, abs=0.015)


@FAMILIES
def test_halves_gives_each_set_half_of_the_rows_over_its_whole_range(name):
    _, pictures, levels = drawn(name, draw="halves")
    is_content = pictures % (CONTENT + STYLE) < CONTENT
    assert is_content.tolist() == [row % 2 == 0 for row in range(BATCH)]
    usual = levels_of(name)(torch.rand(10 * BATCH, generator=torch.Generator().manual_seed(4)))
    for mine, theirs in (
        (levels[is_content], usual[usual > 0.7]),
        (levels[~is_content], usual[usual <= 0.7]),
    ):
        for q in (0.1, 0.5, 0.9):
            wanted = float(theirs.float().quantile(q))
            assert float(mine.float().quantile(q)) == pytest.approx(wanted, abs=0.02)


@BOTH
def test_every_picture_and_its_mirror_image_comes_as_often_as_the_others_of_its_set(draw):
    _, pictures, _ = drawn("v", split=0.5, draw=draw)
    counts = torch.bincount(pictures, minlength=2 * (CONTENT + STYLE)).view(2, -1)
    content, style = counts[:, :CONTENT].double(), counts[:, CONTENT:].double()
    for each in (content, style):
        assert float((each / each.mean() - 1).abs().max()) < 0.25
    # At half of the levels the smaller set has as many rows as the larger one.
    assert float(style.sum() / content.sum()) == pytest.approx(1, abs=0.05)


def test_rows_hang_on_the_generator_alone():
    first, again = (drawn("v", batch=64)[1].tolist() for _ in range(2))
    assert first == again


@pytest.mark.parametrize(("split", "left_out"), [(0.0, "style"), (1.0, "content")])
def test_split_that_leaves_a_set_no_level_is_refused(split, left_out):
    def levels(u):
        return 0.001 + 0.998 * u

    with pytest.raises(InputError, match=f"no noise level to the {left_out} set"):
        TwoSets(content=1, style=1, split=split, draw="halves", levels=levels)


def test_set_without_images_is_refused():
    with pytest.raises(InputError, match="0 content and 3 style images: give both lists"):
        TwoSets(content=0, style=3, split=0.5, draw="halves", levels=lambda u: u)


def test_one_set_draws_as_training_always_did():
    pictures, u = OneSet(12)(50, torch.Generator().manual_seed(1))
    wanted = torch.randint(24, (50,), generator=torch.Generator().manual_seed(1))
    assert pictures.equal(wanted)
    assert u is None


# -- end to end -----------------------------------------------------------------------------------


@pytest.fixture
def tailor(tmp_path, data, checkpoint_dir):
    """Run the recipe on a content set of flat and a style set of 3d drawings."""
    content = tmp_path / "content.tsv"
    content.write_text("".join(f"flat\t1f{index:03x}\n" for index in range(4)))
    style = tiny.write_tuning_list(tmp_path / "style.tsv")
    config = tmp_path / "tailor.toml"
    config.write_text(CONFIG.format(content=content, style=style))

    def run(*settings, out="run"):
        arguments = [config, "--data", data, "--out", tmp_path / out, "--parent", checkpoint_dir]
        for setting in settings:
            arguments += ["--set", setting]
        return train.main([str(each) for each in arguments])

    run.folder = tmp_path / "run"
    return run


def test_checkpoint_says_what_was_tailored_from_what(tailor, checkpoint_dir):
    assert tailor() == 0
    told = read_metadata(tailor.folder / "checkpoint")
    assert told["parent_sha256"] == read_metadata(checkpoint_dir)["sha256"]
    training = told["training"]
    assert (training["recipe"], training["images"], training["content_images"]) == (
        "style_tailor", 7, 4,
    )  # fmt: skip
    assert training["content_share"] == pytest.approx(0.299, abs=0.002)
    assert training["config"]["split"] == 0.7
    mine, theirs = file_hashes(tailor.folder / "checkpoint"), file_hashes(checkpoint_dir)
    changed = {name for name in theirs if mine.get(name) != theirs[name]}
    assert changed == {"unet/diffusion_pytorch_model.safetensors"}


def test_network_sees_content_only_where_it_is_noisy(tailor, monkeypatch, data):
    seen = []
    loss = LatentDiffusion.loss

    def watched(self, batch, part=None):
        seen.append((batch["z"].clone(), self.noise_levels(batch["u"])))
        return loss(self, batch, part)

    monkeypatch.setattr(LatentDiffusion, "loss", watched)
    latents = {}

    def kept(self, pixels, part):
        found = self.normalise(self.encode(pixels))
        latents.setdefault("all", []).append(found)
        return found

    monkeypatch.setattr(LatentDiffusion, "prepare", kept)
    assert tailor("training.steps=12", "training.batch_size=16") == 0
    prepared = torch.cat(latents["all"])  # four of content, three of style, and their mirrors
    assert len(prepared) == 14
    for z, levels in seen:
        rows = torch.cdist(z.flatten(1), prepared.flatten(1)).argmin(dim=1) % 7
        assert ((rows < 4) == (levels > 0.7)).all()
    assert len(seen) >= 12


def test_other_content_in_the_same_folder_is_another_run(tailor, capsys):
    assert tailor() == 0
    content = tailor.folder.parent / "content.tsv"
    content.write_text("flat\t1f004\n")
    assert tailor() == 2
    assert "content_images_sha256" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("split=1.5", "split 1.5"),
        ('draw="thirds"', "accepted are time_first and halves"),
        ('content_list="nowhere.tsv"', "nowhere.tsv: no such file"),
        ("split=1.0", "no noise level to the content set"),
    ],
)
def test_what_cannot_be_tailored_is_refused(tailor, capsys, setting, said):
    assert tailor(setting) == 2
    assert said in capsys.readouterr().err


def test_candidates_are_measured_on_the_style_set(tailor):
    assert tailor("early_stopping.candidates=2", "early_stopping.images=2",
                  "early_stopping.sampler_steps=1") == 0  # fmt: skip
    told = read_metadata(tailor.folder / "checkpoint")["training"]["early_stopping"]
    assert told["picked_by"] == "rule"
    assert json.dumps(told["signals"])
