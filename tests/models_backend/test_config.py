"""Run configurations are read strictly."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

import models_backend
from models_backend.configuration.feedback import PreferenceConfig
from models_backend.configuration.pretraining import PretrainConfig
from models_backend.configuration.tuning import MAX_TUNING_STEPS, QualityTuneConfig
from models_backend.errors import InputError
from models_backend.recipes.configs import read_config, read_transparency_config
from tests.models_backend import tiny

PACKAGE = Path(models_backend.__file__).resolve().parent
ROOT = PACKAGE.parent
TRANSPARENT = PACKAGE / "configs" / "transparent.toml"  # read by a program of its own
CONFIGS = sorted({*(PACKAGE / "configs").glob("*.toml")} - {TRANSPARENT})


@pytest.fixture
def tuning_config(tmp_path: Path) -> Path:
    path = tmp_path / "tune.toml"
    path.write_text(tiny.QUALITY_TUNE.format(tuning_list="x.tsv"))
    return path


def test_the_shipped_config_of_transparency_reads():
    assert read_transparency_config(TRANSPARENT, []).name == TRANSPARENT.stem


def test_the_trainer_says_which_recipes_it_takes_to_transparencys_config():
    with pytest.raises(InputError, match="recipe 'transparency': accepted are pretrain"):
        read_config(TRANSPARENT, [])


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_reads(path):
    config = read_config(path, [])
    assert config.name == path.stem
    assert path.stem.endswith(config.role)


def test_there_is_a_config_for_each_trained_role():
    assert {path.stem for path in CONFIGS} >= {"pretrained", "baseline", "quality_tuned"}


def test_pretrained_and_baseline_differ_in_latent_channels_and_seed_alone():
    """Otherwise a comparison of the two would not say what the latent channels are worth."""
    pretrained, baseline = (
        vars(read_config(path, [])).copy()
        for path in CONFIGS
        if path.stem in ("pretrained", "baseline")
    )
    different = {key for key in pretrained if pretrained[key] != baseline[key]}
    assert different == {"name", "role", "seed", "autoencoder"}


def test_values_arrive_where_they_belong(config):
    read = read_config(config, [])
    assert isinstance(read, PretrainConfig)
    assert read.autoencoder_training.steps == 12
    assert read.unet_config().widths == (32, 48)
    assert read.autoencoder_config().latent_channels == 4
    assert read.captions.plain == 0.45


def test_overrides_replace_values_and_make_tables(config):
    read = read_config(
        config,
        ["denoiser_training.steps=7", "captions.plain=1", "captions.keywords=0",
         "captions.styled=0.0", "name=other", "unet.widths=[16, 16]"],
    )  # fmt: skip
    assert isinstance(read, PretrainConfig)
    assert read.denoiser_training.steps == 7
    assert read.captions.plain == 1.0
    assert read.name == "other"
    assert read.unet_config().widths == (16, 16)


def test_tuning_config_reads(tuning_config):
    read = read_config(tuning_config, [])
    assert isinstance(read, QualityTuneConfig)
    assert read.role == "quality_tuned"
    assert read.noise_offset == 0.1


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("colour=1", "unknown key colour"),
        ("denoiser_training.colour=1", "unknown key denoiser_training.colour"),
        ("autoencoder.colour=1", "unknown key autoencoder.colour"),
        ("unet.colour=1", "unknown key unet.colour"),
        ("seed=1.5", "seed = 1.5 must be of type int"),
        ("seed=true", "seed = True must be of type int"),
        ("seed=-1", "seed -1"),
        ("name=3", "name = 3 must be of type str"),
        ('name=""', "name ''"),
        ('name="../x"', "name '../x'"),
        ("role=winner", "role 'winner'"),
        ("unet=3", "unet = 3 must be of type dict"),
        ("unet.widths=16", "unet.widths = 16 must be of type tuple"),
        ('unet.widths=["16", "32"]', "unet.widths = '16' must be of type int"),
        ("unet.widths=[16]", "unet.widths"),
        ("unet.widths=[16, 40]", "unet.widths"),
        ("unet.heads=0", "unet.heads 0"),
        ("unet.heads=3", "unet.widths"),
        ("unet.layers=0", "unet.layers 0"),
        ("autoencoder.latent_channels=5", "autoencoder.latent_channels 5"),
        ("autoencoder.outer_width=12", "autoencoder.outer_width 12"),
        ("autoencoder.blocks=2.0", "autoencoder.blocks = 2.0 must be of type int"),
        ("captions=3", "captions must be a table"),
        ("captions.plain=0.9", "captions"),
        ("image_size=20", "image_size 20"),
        ("image_size=8", "image_size 8"),
        ("caption_dropout=1.5", "caption_dropout 1.5"),
        ("caption_dropout=nan", "caption_dropout nan"),
        ("autoencoder_loss.kl_weight=inf", "autoencoder_loss.kl_weight inf"),
        ("autoencoder_loss.reconstruction=l3", "autoencoder_loss.reconstruction 'l3'"),
        ("autoencoder.factor=3", "autoencoder.factor 3"),
        ("unet.size=huge", "unet.size 'huge': accepted are tiny, small, base, large, emu"),
        ("unet.transformer_layers=[1]", "unet.transformer_layers [1]"),
        ("text.tokens=[24, 24]", "text.tokens [24, 24]"),
        ("text.tokens=[1]", "text.tokens [1]"),
        ("schedule.target=x0", "schedule.target 'x0': accepted are epsilon, v, flow"),
        ("schedule.target=epsilon", "ends in pure noise"),
        ("noise_offset=-0.1", "noise_offset -0.1"),
        ("denoiser_training.steps=0", "denoiser_training.steps 0"),
        ("denoiser_training.steps=many", "denoiser_training.steps = 'many' must be of type int"),
        ("autoencoder_training.batch_size=0", "autoencoder_training.batch_size 0"),
        ("denoiser_training.learning_rate=0", "denoiser_training.learning_rate 0"),
        ("denoiser_training.ema_decay=1", "denoiser_training.ema_decay 1"),
        ("denoiser_training.save_every=0", "denoiser_training.save_every 0"),
        ("denoiser_training", "'denoiser_training' is no setting; give key=value"),
        ("seed.deep=1", "'seed.deep=1' cannot be set: seed is not a table"),
        ("recipe=tailor", "recipe 'tailor': accepted are pretrain, reward, quality_tune, finetune"),
        ("recipe=[]", "recipe []"),
        ("family=cubism", "family 'cubism', accepted are latent_diffusion"),
    ],
)
def test_a_value_that_is_not_accepted_is_refused_by_name(config, override, named):
    with pytest.raises(InputError) as caught:
        read_config(config, [override])
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_quality_tuning_stops_at_15000_steps(tuning_config):
    assert MAX_TUNING_STEPS == 15_000
    read_config(tuning_config, ["training.steps=15000"])
    with pytest.raises(InputError, match=r"training\.steps 15001: quality-tuning stops"):
        read_config(tuning_config, ["training.steps=15001"])


@pytest.mark.parametrize(
    ("line", "named"),
    [('name = "tiny"', "name"), ("steps = 12", "autoencoder_training.steps"),
     ('recipe = "pretrain"', "recipe")],
)  # fmt: skip
def test_missing_key_is_named(tmp_path, line, named):
    path = tmp_path / "gap.toml"
    path.write_text(tiny.PRETRAIN.replace(line, "", 1))
    with pytest.raises(InputError, match=named):
        read_config(path, [])


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.toml cannot be read .*models_backend/configs"):
        read_config(tmp_path / "absent.toml", [])


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_named(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.toml is not TOML"):
        read_config(path, [])


@pytest.mark.parametrize(
    "module",
    [
        "checkpoints",
        "checkpoint_format",
        "families.registry",
        "train",
        "configuration.tuning",
        "recipes.configs",
        "data",
        "data.emoji.building",
        "data.manifest",
    ],
)
def test_importing_does_not_load_torch(module):
    """Web processes and set-up read metadata and data; torch takes seconds and half a gigabyte."""
    assert "torch" not in modules_after(f"models_backend.{module}")


def modules_after(module: str) -> set[str]:
    code = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(out.stdout.split())


def test_steps_alone_keep_the_rest_of_a_recipes_loop(tmp_path):
    path = tmp_path / "tune.toml"
    path.write_text('recipe = "preference"\nname = "child"\n[training]\nsteps = 7\n')
    asked, usual = read_config(path, []).training, PreferenceConfig(name="child").training
    assert asked == dataclasses.replace(usual, steps=7)
    path.write_text('recipe = "quality_tune"\nname = "child"\ntuning_list = "x.tsv"\n')
    assert read_config(path, ["training.save_every=5"]).training.learning_rate == 1e-5


def test_a_list_of_tables_and_a_table_that_may_be_left_out_are_read_as_strictly(config, tmp_path):
    stages = "[{resolution = 16, steps = 1, colour = 1}]"
    with pytest.raises(InputError, match=r"unknown key stages\.colour; accepted are resolution,"):
        read_config(config, [f"stages={stages}"])
    with pytest.raises(InputError, match=r"stages\.resolution 20: accepted are multiples of 8"):
        read_config(config, ["stages=[{resolution = 20, steps = 1}]"])
    path = tmp_path / "tune.toml"
    path.write_text('recipe = "finetune"\nname = "child"\n[training]\nsteps = 7\n')
    assert read_config(path, ["lora.rank=4"]).lora.scale == 1
    with pytest.raises(InputError, match=r"unknown key lora\.width; accepted are rank, alpha"):
        read_config(path, ["lora.width=4"])
    with pytest.raises(InputError, match=r"^lora\.rank 0: accepted are 1 to 4096$"):
        read_config(path, ["lora.rank=0"])
    with pytest.raises(InputError, match=r"^lora must be a table$"):
        read_config(path, ["lora=4"])


def test_an_integer_is_a_float_and_a_date_is_neither(config):
    assert read_config(config, ["noise_offset=0"]).noise_offset == 0.0
    with pytest.raises(InputError, match=r"^noise_offset = '1979-05-27' must be of type float$"):
        read_config(config, ["noise_offset=1979-05-27"])
