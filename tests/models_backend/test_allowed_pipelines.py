"""Pipelines newer than the list: accepted where an operator allows them and diffusers has them."""

import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from evalplatform.checkpoints.layout import inspect
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.verification.configs import check_model_index
from evalplatform.core.errors import BadInputError
from models_backend.checkpoint_format import diffusers_classes
from models_backend.checkpoints.loading import load_pipeline
from models_backend.families.settings import SamplingSettings
from models_backend.sampling.generate import generate
from tests.models_backend import tiny_pipelines

# diffusers' own class uses what diffusers is about to move.
pytestmark = pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def chroma(tmp_path_factory):
    return tiny_pipelines.write("chroma", tmp_path_factory.mktemp("newer") / "chroma")


def test_pipeline_off_the_list_is_refused_with_the_way_to_allow_it(chroma):
    match = r"'ChromaPipeline' is not a .* known here; .* accept it with PIPELINES_ALLOWED=Chroma"
    with pytest.raises(BadInputError, match=match):
        inspect(chroma)


@pytest.mark.django_db
def test_allowed_pipeline_is_registered_loaded_and_sampled(chroma, settings, tmp_path, capsys):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    settings.PIPELINES_ALLOWED = ["ChromaPipeline"]
    call_command("register_checkpoint", str(chroma), "--name=chroma")
    assert "registered chroma (external, diffusers_pipeline)" in capsys.readouterr().out
    checkpoint = Checkpoint.objects.get(name="chroma")
    assert checkpoint.config == {"pipeline": "ChromaPipeline"}
    model = load_pipeline(checkpoint.directory, "cpu")
    how = SamplingSettings(sampler="default", steps=2, guidance_scale=3.0, height=32, width=32)
    images = [
        np.asarray(generate(model, prompts=[prompt], seeds=[1], settings=how)[0])
        for prompt in ("a cat", "a cat", "a dog")
    ]
    assert images[0].shape == (32, 32, 3)
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


@pytest.mark.django_db
def test_allowed_class_that_diffusers_lacks_is_refused_with_what_is_installed(
    chroma, settings, tmp_path
):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    settings.PIPELINES_ALLOWED = ["Chroma9Pipeline"]
    index = json.loads((chroma / "model_index.json").read_text())
    future = tmp_path / "future"
    future.mkdir()
    (future / "model_index.json").write_text(json.dumps(index | {"_class_name": "Chroma9Pipeline"}))
    match = r"but diffusers \d.*, which is installed, has no such class; it has ChromaPipeline"
    with pytest.raises(CommandError, match=match):
        call_command("register_checkpoint", str(future), "--name=future")


@pytest.mark.parametrize(
    ("component", "source"),
    [
        ("transformer", ["my_code", "ChromaTransformer2DModel"]),
        ("transformer", ["diffusers", "MyTransformer"]),
        ("text_encoder", ["transformers", "pipeline"]),
        ("text_encoder", ["os", "OldModel"]),
    ],
)
def test_component_of_an_allowed_pipeline_is_a_class_of_the_libraries(
    chroma, settings, tmp_path, component, source
):
    settings.PIPELINES_ALLOWED = ["ChromaPipeline"]
    index = json.loads((chroma / "model_index.json").read_text())
    check_model_index(index | {component: ["chroma", "ChromaTextEncoder"]})
    with pytest.raises(BadInputError, match=f"component '{component}' names the class"):
        check_model_index(index | {component: source})


def test_names_of_the_installed_diffusers_are_those_it_exports():
    import diffusers

    assert {name for name in dir(diffusers) if name.endswith("Pipeline")} <= diffusers_classes()
