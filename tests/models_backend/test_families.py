"""The families interface: a kind of model the trainer and the sampler have never heard of."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from evalplatform.checkpoints.layout import inspect
from evalplatform.core.errors import BadInputError
from models_backend import checkpoints, sample
from models_backend.checkpoint_format import FAMILIES, LAYOUT_FAMILIES, Layout
from models_backend.checkpoints import load_pipeline
from models_backend.data.dataset import load_images, to_unit_range
from models_backend.data.manifest import read_records
from models_backend.errors import CheckpointError
from models_backend.families.batch import training_batch
from models_backend.families.registry import family_named, family_of_layout
from models_backend.families.settings import SamplingSettings
from models_backend.sampling.generate import generate
from models_backend.training.config import LoopConfig
from models_backend.training.trainer import StepLoss, Trainer
from tests.models_backend import pixel_diffusion
from tests.models_backend.pixel_diffusion import SIZE, PixelDiffusion

ROOT = Path(__file__).resolve().parents[2]
NAME = PixelDiffusion.name


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that a family of ours adds."""
    monkeypatch.setitem(FAMILIES, NAME, f"{pixel_diffusion.__name__}:PixelDiffusion")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A checkpoint of the toy family, made by the trainer as it is."""
    torch.manual_seed(0)
    model = PixelDiffusion()
    records = [record for record in read_records(data) if record.style == "flat"]
    z = model.normalise(model.encode(to_unit_range(load_images(data, records, SIZE))))
    text = model.text_encoder.encode([record.caption for record in records])

    def step(generator: torch.Generator) -> StepLoss:
        rows = torch.randint(len(z), (8,), generator=generator)
        noise = torch.randn((8, 3, SIZE, SIZE), generator=generator)
        u = torch.rand(8, generator=generator)
        return StepLoss(model.loss(training_batch(z[rows], text[rows], noise, u)), rows, {})

    run = tmp_path_factory.mktemp("toy")
    loop = LoopConfig(steps=150, batch_size=8, learning_rate=3e-3, warmup_steps=5, ema_decay=0.9)
    Trainer(module=model.denoiser, config=loop, seed=1, stage="toy", run=run).fit(step)
    training = {
        "recipe": "pretrain", "seed": 1, "code_version": "abc", "data_manifest_sha256": "0",
        "images": len(records),
    }  # fmt: skip
    checkpoints.save(
        model, run / "checkpoint", name="toy", role="pretrained", training=training,
        licences=["MIT"],
    )  # fmt: skip
    return run / "checkpoint"


@pytest.mark.usefixtures("declared")
def test_sampler_shows_what_the_new_family_learned(trained, data):
    model = load_pipeline(trained, "cpu")
    assert isinstance(model, PixelDiffusion)
    records = [record for record in read_records(data) if record.style == "flat"]
    real = load_images(data, records, SIZE).float().mean(dim=(2, 3)).numpy()
    images = generate(
        model,
        prompts=[record.caption for record in records],
        seeds=range(len(records)),
        settings=SamplingSettings(steps=5),
    )
    drawn = np.stack([np.asarray(image).mean(axis=(0, 1)) for image in images])
    nearest = np.linalg.norm(drawn[:, None] - real[None], axis=2).argmin(axis=1)
    assert nearest.tolist() == list(range(len(records)))


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
    with pytest.raises(BadInputError, match=r"'toy_pixel_diffusion'; accepted: latent_diffusion\."):
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


def ask_both(folder: Path, packages: Path) -> subprocess.CompletedProcess[str]:
    """Let a fresh process, which has the packages of one more folder, check and load `folder`."""
    environment = os.environ | {"PYTHONPATH": f"{packages}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, "-c", ASK_BOTH, str(folder)],
        env=environment, cwd=packages, capture_output=True, text=True,
    )  # fmt: skip


def test_one_file_and_one_line_make_a_family_in_a_fresh_process(trained, tmp_path):
    shutil.copyfile(pixel_diffusion.__file__, tmp_path / "their_family.py")
    told = ask_both(trained, tmp_path)
    assert told.returncode != 0
    assert "'toy_pixel_diffusion'; accepted: latent_diffusion" in told.stderr

    package = tmp_path / "their_family-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: their-family\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[models_backend.families]\ntoy_pixel_diffusion = their_family:PixelDiffusion\n"
    )
    told = ask_both(trained, tmp_path)
    assert told.stdout.split() == ["toy_pixel_diffusion", "their_family"], told.stderr
