"""The families interface: a kind of model the trainer and the sampler have never heard of."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evalplatform.checkpoints.layout import inspect
from evalplatform.core.errors import BadInputError
from models_backend import checkpoints, sample
from models_backend.checkpoint_format import FAMILIES, LAYOUT_FAMILIES, Layout
from models_backend.checkpoints import load_pipeline
from models_backend.data.dataset import load_images
from models_backend.data.manifest import read_records
from models_backend.errors import CheckpointError
from models_backend.families.registry import family_named, family_of_layout
from models_backend.families.settings import SamplingSettings
from models_backend.sampling.generate import generate
from tests import warm
from tests.models_backend import pixel_diffusion, tiny
from tests.models_backend.pixel_diffusion import SIZE, PixelDiffusion

ROOT = Path(__file__).resolve().parents[2]
NAME = PixelDiffusion.name


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that a family of ours adds."""
    monkeypatch.setitem(FAMILIES, NAME, f"{pixel_diffusion.__name__}:PixelDiffusion")


CONFIG = """
recipe = "pretrain"
family = "toy_pixel_diffusion"
name = "toy"
role = "pretrained"
seed = 1
image_size = 16
caption_dropout = 0.0

[captions]
plain = 1.0
keywords = 0.0
styled = 0.0

[denoiser_training]
steps = 300
batch_size = 8
learning_rate = 3e-3
warmup_steps = 5
ema_decay = 0.9
"""
TUNE = """
recipe = "quality_tune"
name = "toy_tuned"
tuning_list = "{tuning_list}"

[training]
steps = 4
batch_size = 4
learning_rate = 1e-3
warmup_steps = 1
ema_decay = 0.5
save_every = 2

[early_stopping]
candidates = 2
images = 4
sampler_steps = 2
"""


def package(folder: Path) -> Path:
    """Install the toy family as its author would: one file, and the line that declares it."""
    folder.mkdir(exist_ok=True)
    shutil.copyfile(pixel_diffusion.__file__, folder / "their_family.py")
    about = folder / "their_family-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-family\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[models_backend.families]\ntoy_pixel_diffusion = their_family:PixelDiffusion\n"
    )
    return folder


def run_beside(packages: Path, said: Path, module: str, *arguments: object) -> str:
    """Run a module where the packages are installed; return what it prints."""
    with said.open("w+") as file:
        process = warm.start(
            "tests.models_backend.with_packages", packages, module, *arguments, stdout=file
        )
        assert process.wait() == 0
        file.seek(0)
        return file.read().strip()


def in_a_fresh_process(packages: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{packages}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment, cwd=packages, capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(tmp_path_factory.mktemp("packages") / "site")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path, packages: Path) -> Path:
    """A checkpoint of the toy family, made by the command as it is in a process of its own."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy.toml").write_text(CONFIG)
    arguments = [folder / "toy.toml", "--data", data, "--out", folder / "run"]
    return Path(run_beside(packages, folder / "said", "models_backend.train", *arguments))


def test_new_family_is_quality_tuned_and_stopped_early_as_it_is(trained, packages, data, tmp_path):
    listed = tiny.write_tuning_list(tmp_path / "tune.tsv")
    (tmp_path / "tune.toml").write_text(TUNE.format(tuning_list=listed))
    arguments = [tmp_path / "tune.toml", "--data", data, "--out", tmp_path / "run"]
    arguments += ["--parent", trained]
    told = run_beside(packages, tmp_path / "said", "models_backend.train", *arguments)
    metadata = checkpoints.read_metadata(Path(told))
    assert metadata["family"] == "toy_pixel_diffusion"
    assert metadata["parent_sha256"] == checkpoints.read_metadata(trained)["sha256"]
    assert metadata["training"]["early_stopping"]["picked_step"] in (2, 4)


@pytest.mark.usefixtures("declared")
def test_sampler_shows_what_the_new_family_learned(trained, data):
    model = load_pipeline(trained, "cpu")
    assert isinstance(model, PixelDiffusion)
    records = read_records(data)
    pictures = load_images(data, records, SIZE).float().mean(dim=(2, 3)).numpy()
    captions = sorted({record.caption for record in records})
    real = np.stack(
        [pictures[[r.caption == caption for r in records]].mean(axis=0) for caption in captions]
    )
    images = generate(
        model, prompts=captions, seeds=range(len(captions)), settings=SamplingSettings(steps=5)
    )
    drawn = np.stack([np.asarray(image).mean(axis=(0, 1)) for image in images])
    nearest = np.linalg.norm(drawn[:, None] - real[None], axis=2).argmin(axis=1)
    assert nearest.tolist() == list(range(len(captions)))


@pytest.mark.usefixtures("declared")
def test_contact_sheets_take_the_new_family(trained, tmp_path, checkpoint_dir):
    (tmp_path / "prompts.txt").write_text("an apple\na boat\n")
    out = tmp_path / "sheet.png"
    folders = [str(trained), str(checkpoint_dir)]
    arguments = ["--prompts", str(tmp_path / "prompts.txt"), "--out", str(out), "--steps", "2"]
    assert sample.main([*folders, *arguments]) == 0
    assert out.is_file()


@pytest.mark.usefixtures("declared")
def test_platform_accepts_the_new_familys_directory(trained):
    assert inspect(trained).family == "toy_pixel_diffusion"
    card = (trained / "README.md").read_text()
    assert "toy pixel diffusion" in card
    assert "diffusers reads" not in card


def test_platform_and_worker_refuse_a_family_nobody_declared(trained):
    with pytest.raises(
        BadInputError, match=r"'toy_pixel_diffusion'; accepted: latent_diffusion, masked_transf"
    ):
        inspect(trained)
    with pytest.raises(CheckpointError, match="'toy_pixel_diffusion', accepted are latent_diff"):
        load_pipeline(trained, "cpu")


@pytest.mark.parametrize("layout", LAYOUT_FAMILIES)
def test_trainers_metadata_cannot_name_the_family_of_another_layout(layout):
    with pytest.raises(CheckpointError, match=f"'{layout.value}', accepted are latent_diffusion"):
        family_named(layout.value)


def test_every_declared_family_is_found_under_its_name():
    assert {family_named(name).name for name in FAMILIES} == set(FAMILIES)
    others = set(Layout) - {Layout.TRAINED}
    assert {family_of_layout(layout).name for layout in others} == {each.value for each in others}


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("no_such_module:Family", "cannot be imported .No module named 'no_such_module'"),
        ("tests.models_backend.pixel_diffusion:Absent", "cannot be imported .*Absent"),
        ("tests.models_backend.pixel_diffusion:PixelDiffusion", "calls itself 'toy_pixel_diff"),
    ],
)
def test_wrong_declaration_of_a_family_is_refused(monkeypatch, place, reason):
    monkeypatch.setitem(FAMILIES, "broken", place)
    with pytest.raises(CheckpointError, match=reason):
        family_named("broken")


ASK_BOTH = """
import sys
from pathlib import Path
from evalplatform.checkpoints.layout import inspect
family = inspect(Path(sys.argv[1])).family
assert "torch" not in sys.modules, "the platform loaded torch"
from models_backend.checkpoints import load_pipeline
print(family, type(load_pipeline(Path(sys.argv[1]), "cpu")).__module__)
"""


def test_one_file_and_one_line_make_a_family_in_a_fresh_process(trained, packages, tmp_path):
    told = in_a_fresh_process(tmp_path, "-c", ASK_BOTH, trained)
    assert told.returncode != 0
    assert "'toy_pixel_diffusion'; accepted: latent_diffusion" in told.stderr

    told = in_a_fresh_process(packages, "-c", ASK_BOTH, trained)
    assert told.stdout.split() == ["toy_pixel_diffusion", "their_family"], told.stderr
