"""Drawing images: our models, diffusers pipelines, contact sheets."""

import json
import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from diffusers.utils import logging as diffusers_logging
from PIL import Image
from transformers.utils import logging as transformers_logging

from models_backend import sample
from models_backend.checkpoints.loading import load_pipeline
from models_backend.errors import CheckpointError, InputError
from models_backend.families.base import Family
from models_backend.families.diffusers_pipelines.checking import check_directory
from models_backend.families.settings import SamplingSettings
from models_backend.sample import read_prompts
from models_backend.sampling.generate import generate
from tests.models_backend import tiny_encoders

# diffusers' multistep solver hands numpy a tensor in a way numpy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PROMPTS = ["an apple", "a cat on a very long red boat", "a drum"]
SEEDS = [1, 2, 3]


def settings(**changes: object) -> SamplingSettings:
    return SamplingSettings(**({"steps": 3} | changes))


def draw(model: Family, prompts: list[str], seeds: list[int], **changes: object) -> np.ndarray:
    images = generate(model, prompts=prompts, seeds=seeds, settings=settings(**changes))
    assert all(image.mode == "RGB" for image in images)
    return np.stack([np.asarray(image) for image in images]).astype(int)


def assert_alone_equals_batch(model: Family, **changes: object) -> None:
    together = draw(model, PROMPTS, SEEDS, **changes)
    for index, (prompt, seed) in enumerate(zip(PROMPTS, SEEDS, strict=True)):
        alone = draw(model, [prompt], [seed], **changes)[0]
        assert np.abs(alone - together[index]).max() <= 1


@pytest.fixture(scope="module")
def model(checkpoint_dir: Path) -> Family:
    return load_pipeline(checkpoint_dir, "cpu")


@pytest.mark.parametrize("sampler", ["ddim", "dpm++"])
def test_an_image_does_not_depend_on_its_batch(model, sampler):
    assert_alone_equals_batch(model, sampler=sampler)


def test_equal_requests_give_equal_images(model):
    assert (draw(model, PROMPTS, SEEDS) == draw(model, PROMPTS, SEEDS)).all()


def test_the_seed_decides_the_image(model):
    first, second = draw(model, ["a cat", "a cat"], [1, 2])
    assert (first != second).any()


def test_samplers_guidance_and_negative_prompt_matter(model):
    plain = draw(model, ["a cat"], [1])
    for change in ({"sampler": "dpm++"}, {"guidance_scale": 1.0}, {"guidance_scale": 9.0}):
        assert (draw(model, ["a cat"], [1], **change) != plain).any(), change


@pytest.mark.parametrize(("height", "width"), [(8, 24), (24, 40), (40, 16), (None, 24)])
def test_any_multiple_of_8_is_a_size(model, height, width):
    images = draw(model, ["a cat"], [1], height=height, width=width)
    assert images.shape == (1, height or 16, width or 16, 3)


@pytest.mark.parametrize("sampler", ["ddim", "dpm++"])
def test_one_step_is_enough_for_an_image(model, sampler):
    assert draw(model, ["a cat"], [1], steps=1, sampler=sampler).shape == (1, 16, 16, 3)


@pytest.mark.parametrize(
    "change",
    [{"sampler": "heun"}, {"steps": 0}, {"steps": 1001}, {"guidance_scale": -1},
     {"guidance_scale": float("nan")}, {"height": -8}, {"width": 0}, {"width": 9000}],
)  # fmt: skip
def test_bad_settings_are_refused_by_name(change):
    with pytest.raises(InputError, match=next(iter(change))):
        settings(**change)


@pytest.mark.parametrize(
    ("prompts", "seeds"), [([], []), (["a"], []), (["a"], [1, 2]), (["a"], [2**64])]
)
def test_each_prompt_needs_a_seed(model, prompts, seeds):
    with pytest.raises(InputError, match="seed"):
        generate(model, prompts=prompts, seeds=seeds, settings=settings())


# -- contact sheets -------------------------------------------------------------------------------


def test_contact_sheet_of_every_family_is_a_png(tmp_path, parents, capsys):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("an apple\n\na cat\n")
    out = tmp_path / "deep" / "sheet.png"
    given = ["--prompts", str(prompts), "--out", str(out), "--steps", "2", "--sampler", "default"]
    assert sample.main([*(str(folder) for folder in parents.values()), *given]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert [path.name for path in out.parent.iterdir()] == ["sheet.png"]
    with Image.open(out) as image:
        assert image.format == "PNG"
        assert image.width > image.height > 300


def test_loading_warns_of_nothing_that_is_not_there(checkpoint_dir, monkeypatch):
    for name in ("transformers", "transformers.utils.logging"):  # which this family needs not
        monkeypatch.setitem(sys.modules, name, None)
    heard: list[logging.LogRecord] = []
    ear = logging.Handler()
    ear.emit = heard.append
    logger = logging.getLogger("diffusers.models.modeling_utils")
    logger.addHandler(ear)
    logger.setLevel(logging.WARNING)
    try:
        load_pipeline(checkpoint_dir, "cpu")
        logger.warning("There are modules in X that should be kept in float32: ['norm'].")
    finally:
        logger.removeHandler(ear)
        logger.setLevel(logging.NOTSET)
    assert [each.getMessage() for each in heard] == [
        "There are modules in X that should be kept in float32: ['norm']."
    ]
    # What cannot be written fails where it is written, and says what it is.
    badly_put = logging.LogRecord(logger.name, logging.WARNING, "", 0, "%d", ("two",), None)
    assert logger.filter(badly_put)


def test_loading_and_checking_a_pipeline_draw_no_bars(sdxl_dir, capsys):
    for load in (lambda: load_pipeline(sdxl_dir, "cpu"), lambda: check_directory(sdxl_dir)):
        for library in (diffusers_logging, transformers_logging):
            library.enable_progress_bar()
        load()
        assert not diffusers_logging.is_progress_bar_enabled()
        assert not transformers_logging.is_progress_bar_enabled()
    assert capsys.readouterr().err == ""


def test_contact_sheet_of_no_checkpoint_exits_with_2(tmp_path, capsys):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("an apple\n")
    arguments = [str(tmp_path), "--prompts", str(prompts), "--out", str(tmp_path / "s.png")]
    assert sample.main(arguments) == 2
    assert "is not a checkpoint directory" in capsys.readouterr().err


def test_prompts_come_from_the_prompt_column(tmp_path):
    path = tmp_path / "prompts.tsv"
    path.write_text("Category\tPrompt\nAnimals\ta fox\n\nFood\ta pie\n")
    assert read_prompts(path) == ["a fox", "a pie"]


@pytest.mark.parametrize("text", ["", "\n", "a\tb\nc\td\n", "Category\tPrompt\nAnimals\n"])
def test_prompt_files_without_prompts_are_refused(tmp_path, text):
    path = tmp_path / "prompts.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"prompts\.tsv"):
        read_prompts(path)


# -- diffusers pipelines --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pipeline_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoders.write_stable_diffusion(tmp_path_factory.mktemp("diffusers"))


@pytest.fixture(scope="module")
def pipeline(pipeline_dir: Path) -> Family:
    return load_pipeline(pipeline_dir, "cpu")


@pytest.fixture(scope="module")
def sdxl_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoders.write_sdxl(tmp_path_factory.mktemp("sdxl"))


def test_sdxl_is_sampled_and_registered_unchanged(sdxl_dir):
    from evalplatform.checkpoints.layout import inspect

    files = inspect(sdxl_dir)
    assert files.family == "diffusers_pipeline"
    model = load_pipeline(sdxl_dir, "cpu")
    assert model.config() == {"pipeline": "StableDiffusionXLPipeline"}
    for sampler in ("default", "ddim", "dpm++"):
        assert_alone_equals_batch(model, sampler=sampler)
    plain = draw(model, ["a cat"], [1])
    assert (draw(model, ["a cat"], [1], negative_prompt="a boat") != plain).any()
    assert draw(model, ["a cat"], [1], height=24, width=32).shape == (1, 24, 32, 3)
    assert inspect(sdxl_dir).sha256 == files.sha256


@pytest.mark.parametrize("sampler", ["ddim", "dpm++", "default"])
def test_diffusers_image_does_not_depend_on_its_batch(pipeline, sampler):
    assert_alone_equals_batch(pipeline, sampler=sampler)


def test_diffusers_samplers_are_exchanged(pipeline):
    images = [
        draw(pipeline, ["a cat"], [1], sampler=sampler).tobytes()
        for sampler in ("ddim", "dpm++", "default", "ddim")
    ]
    assert images[0] == images[3]
    assert len(set(images)) == 3


def test_diffusers_seeds_and_sizes_matter(pipeline):
    first, second = draw(pipeline, ["a cat", "a cat"], [1, 2])
    assert (first != second).any()
    assert first.shape == (16, 16, 3)
    assert draw(pipeline, ["a cat"], [1], height=24, width=16).shape == (1, 24, 16, 3)
    with pytest.raises(InputError, match="needs both"):
        draw(pipeline, ["a cat"], [1], height=24)
    with pytest.raises(InputError, match="width 20: accepted are multiples of 8"):
        draw(pipeline, ["a cat"], [1], height=24, width=20)
    with pytest.raises(InputError, match="accepted are ddim, dpm\\+\\+, default"):
        draw(pipeline, ["a cat"], [1], sampler="euler")


def test_sampler_of_another_kind_of_model_is_refused(pipeline_dir):
    from diffusers import FlowMatchEulerDiscreteScheduler

    from models_backend.families.diffusers_pipelines.pipeline import DiffusersPipeline

    loaded = DiffusersPipeline.load(pipeline_dir, "cpu").pipeline
    loaded.scheduler = FlowMatchEulerDiscreteScheduler()
    with pytest.raises(InputError, match="accepted are euler, default"):
        draw(DiffusersPipeline(loaded), ["a cat"], [1], sampler="ddim")


@pytest.mark.parametrize("spoil", ["class", "weights", "json"])
def test_broken_pipeline_is_refused_in_one_line(tmp_path, pipeline_dir, spoil):
    broken = Path(shutil.copytree(pipeline_dir, tmp_path / "broken"))
    if spoil == "class":
        index = json.loads((broken / "model_index.json").read_text())
        (broken / "model_index.json").write_text(json.dumps(index | {"_class_name": "NoPipeline"}))
    elif spoil == "weights":
        next((broken / "unet").glob("*.safetensors")).write_bytes(b"short")
    else:
        (broken / "model_index.json").write_text("{")
    with pytest.raises(CheckpointError, match="not a pipeline diffusers can load") as caught:
        load_pipeline(broken, "cpu")
    assert "\n" not in str(caught.value)
