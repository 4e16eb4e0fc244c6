"""Registering checkpoints: verified, copied whole, never code."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from safetensors.numpy import save_file

from evalplatform.accounts.members import create_project
from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints.layout import inspect
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.selectors import registered_checkpoint
from evalplatform.checkpoints.services import register_checkpoint, registering
from evalplatform.core.errors import BadInputError
from models_backend.checkpoint_format import content_sha256
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def registry(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    return settings.CHECKPOINT_DIR


def make_pipeline(directory: Path, value: float = 1.0) -> Path:
    """Write what looks like a diffusers pipeline with one tensor."""
    (directory / "unet").mkdir(parents=True)
    save_file({"w": np.full(4, value)}, directory / "unet/diffusion_pytorch_model.safetensors")
    (directory / "unet/config.json").write_text("{}")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
    }
    (directory / "model_index.json").write_text(json.dumps(index))
    return directory


def make_trained(directory: Path, **metadata) -> Path:
    """Write what the trainer writes."""
    import hashlib

    (directory / "unet").mkdir(parents=True)
    weights = directory / "unet/model.safetensors"
    save_file({"w": np.full(4, metadata.pop("value", 1.0))}, weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    files = {"unet/model.safetensors": {"sha256": digest, "bytes": weights.stat().st_size}}
    content = {
        "format": "t2i-checkpoint/1",
        "name": "tuned",
        "role": "quality_tuned",
        "family": "latent_diffusion",
        "sha256": content_sha256({"unet/model.safetensors": digest}),
        "files": files,
        "parent_sha256": None,
        "training": {"recipe": "quality_tune", "seed": 3},
        "licences": ["MIT"],
    } | metadata
    (directory / "metadata.json").write_text(json.dumps(content))
    return directory


def test_trained_checkpoint_keeps_role_and_provenance(tmp_path, registry):
    checkpoint, created = register_checkpoint(
        project=default_project(), source=make_trained(tmp_path / "run")
    )
    assert created
    assert (checkpoint.name, checkpoint.role, checkpoint.status) == (
        "tuned",
        "quality_tuned",
        "verified",
    )
    assert checkpoint.training == {"recipe": "quality_tune", "seed": 3}
    assert checkpoint.directory == registry / checkpoint.sha256
    assert inspect(checkpoint.directory).sha256 == checkpoint.sha256


def test_diffusers_pipeline_is_external(tmp_path):
    checkpoint, _ = register_checkpoint(
        project=default_project(), source=make_pipeline(tmp_path / "sd"), name="sd"
    )
    assert (checkpoint.role, checkpoint.family) == ("external", "diffusers_pipeline")


def test_same_weights_are_registered_once(tmp_path):
    first, _ = register_checkpoint(
        project=default_project(), source=make_pipeline(tmp_path / "one"), name="one"
    )
    again, created = register_checkpoint(
        project=default_project(), source=make_pipeline(tmp_path / "two"), name="two"
    )
    assert (again, created) == (first, False)


def test_lineage_is_kept(tmp_path):
    parent, _ = register_checkpoint(
        project=default_project(), source=make_pipeline(tmp_path / "base"), name="base"
    )
    tuned = make_trained(tmp_path / "run", parent_sha256=parent.sha256)
    assert register_checkpoint(project=default_project(), source=tuned)[0].parent == parent


def test_tuned_weights_are_registered_without_their_parent(tmp_path, capsys):
    """A colleague got the tuned folder alone; its parent is linked when it comes."""
    base = make_pipeline(tmp_path / "base")
    sha256 = inspect(base).sha256
    run = make_trained(tmp_path / "run", parent_sha256=sha256)
    call_command("register_checkpoint", str(run))
    said = f"tuned from a checkpoint that is not registered (sha256 {sha256[:12]}…"
    assert said in capsys.readouterr().out
    tuned = Checkpoint.objects.get(name="tuned")
    assert (tuned.registered_parent, tuned.parent_sha256) == (None, sha256)
    call_command("register_checkpoint", str(base), "--name=base")
    assert "parent of tuned" in capsys.readouterr().out
    tuned = Checkpoint.objects.get(name="tuned")
    assert tuned.registered_parent == tuned.parent == Checkpoint.objects.get(name="base")
    call_command("register_checkpoint", str(run))
    assert "tuned from base" in capsys.readouterr().out


def test_a_parent_that_comes_in_an_archive_is_linked_too(tmp_path):
    base = make_pipeline(tmp_path / "base")
    run = make_trained(tmp_path / "run", parent_sha256=inspect(base).sha256)
    register_checkpoint(project=default_project(), source=run)
    archive = shutil.make_archive(str(tmp_path / "base"), "zip", base)
    parent, _ = register_checkpoint(project=default_project(), source=Path(archive), name="base")
    assert [child.name for child in parent.children.all()] == ["tuned"]


def test_weights_that_name_themselves_as_ancestor_are_refused(tmp_path):
    """Metadata is no part of the hash; a circle would have no oldest ancestor to begin with."""
    own = make_trained(tmp_path / "own", value=1.0)
    sha256 = inspect(own).sha256
    with pytest.raises(BadInputError, match="names itself among the checkpoints it was tuned from"):
        register_checkpoint(
            project=default_project(),
            source=make_trained(tmp_path / "self", value=1.0, parent_sha256=sha256),
        )
    other = make_trained(tmp_path / "other", name="other", value=2.0, parent_sha256=sha256)
    other_sha256 = inspect(other).sha256
    register_checkpoint(project=default_project(), source=other)
    with pytest.raises(BadInputError, match="names itself among"):
        register_checkpoint(
            project=default_project(),
            source=make_trained(tmp_path / "circle", value=1.0, parent_sha256=other_sha256),
        )
    assert list(Checkpoint.objects.values_list("name", flat=True)) == ["other"]


@pytest.mark.parametrize("component", ["tokenizer", "scheduler", "text_encoder"])
def test_pipeline_without_a_component_that_it_names_is_refused(tmp_path, component):
    path = make_pipeline(tmp_path / "sd")
    index = json.loads((path / "model_index.json").read_text())
    index |= {component: ["transformers", "CLIPTokenizer"], "text_encoder_3": [None, None]}
    index |= {"safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"]}
    (path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(BadInputError, match=f"names {component}, of which there is no folder"):
        register_checkpoint(project=default_project(), source=path, name="sd")
    (path / component).mkdir()
    (path / component / "config.json").write_text("{}")
    assert register_checkpoint(project=default_project(), source=path, name="sd")[1]


def test_a_parent_that_is_no_hash_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="parent_sha256"):
        register_checkpoint(
            project=default_project(),
            source=make_trained(tmp_path / "run", parent_sha256="sdxl-base"),
        )
    with pytest.raises(IntegrityError, match="checkpoint_parent_is_hex"):
        factories.make_checkpoint("tuned", parent_id="sdxl-base")


def test_taken_name_is_refused(tmp_path):
    register_checkpoint(
        project=default_project(), source=make_pipeline(tmp_path / "one"), name="sd"
    )
    with pytest.raises(BadInputError, match="belongs to other weights"):
        register_checkpoint(
            project=default_project(), source=make_pipeline(tmp_path / "two", 2.0), name="sd"
        )


def meanwhile(monkeypatch, **what):
    """Let another process register something while the first one's weights are looked at."""

    def look(directory, called):
        monkeypatch.setattr(registering, "refuse_unloadable", lambda *_: None)
        register_checkpoint(**what)

    monkeypatch.setattr(registering, "refuse_unloadable", look)


def test_two_that_register_the_same_weights_at_once_get_one_row(tmp_path, registry, monkeypatch):
    here = {"project": default_project(), "source": make_pipeline(tmp_path / "sd")}
    meanwhile(monkeypatch, **here, name="first")
    checkpoint, created = register_checkpoint(**here, name="second")
    assert (checkpoint.name, created) == ("first", False)
    assert [path.name for path in registry.iterdir()] == [checkpoint.sha256]


def test_weights_that_another_project_registers_meanwhile_are_not_given_away(tmp_path, monkeypatch):
    source = make_pipeline(tmp_path / "sd")
    theirs = create_project(name="theirs", owner=None)
    meanwhile(monkeypatch, project=theirs, source=source, name="secret")
    with pytest.raises(BadInputError, match="these weights are registered in another project"):
        register_checkpoint(project=default_project(), source=source, name="mine")
    assert [each.project for each in Checkpoint.objects.all()] == [theirs]


def test_name_that_is_taken_meanwhile_is_refused_and_leaves_nothing(
    tmp_path, registry, monkeypatch
):
    other = make_pipeline(tmp_path / "other", 2.0)
    meanwhile(monkeypatch, project=default_project(), source=other, name="sd")
    with pytest.raises(BadInputError, match="belongs to other weights"):
        register_checkpoint(
            project=default_project(), source=make_pipeline(tmp_path / "sd"), name="sd"
        )
    assert [path.name for path in registry.iterdir()] == [Checkpoint.objects.get().sha256]


def spoil_pickle(path):
    (path / "unet/diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")


def spoil_code(path):
    (path / "pipeline.py").write_text("print('hello')")


def spoil_link(path):
    (path / "unet/other.json").symlink_to("/etc/hostname")


def spoil_truncated(path):
    weights = path / "unet/diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])


def spoil_header(path):
    weights = path / "unet/diffusion_pytorch_model.safetensors"
    weights.write_bytes((2**62).to_bytes(8, "little") + weights.read_bytes()[8:])


def spoil_class(path):
    index = {"_class_name": "EvilPipeline", "unet": ["my_code", "Evil"]}
    (path / "model_index.json").write_text(json.dumps(index))


def spoil_json(path):
    (path / "model_index.json").write_text("{")


def spoil_no_index(path):
    (path / "model_index.json").unlink()


def spoil_no_weights(path):
    (path / "unet/diffusion_pytorch_model.safetensors").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_pickle, "could run code"),
        (spoil_code, "could run code"),
        (spoil_link, "is a link"),
        (spoil_truncated, "cut off"),
        (spoil_header, "not a whole safetensors"),
        (spoil_class, "not a text-to-image pipeline known here"),
        (spoil_json, "is not JSON"),
        (spoil_no_index, "a U-Net alone.* its base"),
        (spoil_no_weights, "no .safetensors weights"),
    ],
)
def test_unsafe_or_broken_directory_is_refused_and_nothing_is_left(
    tmp_path, registry, spoil, message
):
    directory = make_pipeline(tmp_path / "sd")
    spoil(directory)
    with pytest.raises(BadInputError, match=message):
        register_checkpoint(project=default_project(), source=directory, name="sd")
    assert Checkpoint.objects.count() == 0
    assert not registry.exists() or not list(registry.iterdir())


def test_changed_weights_are_noticed(tmp_path):
    directory = make_trained(tmp_path / "run")
    save_file({"w": np.full(4, 9.0)}, directory / "unet/model.safetensors")
    with pytest.raises(BadInputError, match="not what the trainer wrote"):
        register_checkpoint(project=default_project(), source=directory)


def test_command_says_what_it_registered(tmp_path, capsys):
    call_command("register_checkpoint", str(make_trained(tmp_path / "run")))
    assert "registered tuned (quality-tuned, latent_diffusion)" in capsys.readouterr().out


def test_missing_directory_exits_2(tmp_path):
    with pytest.raises(CommandError, match="is not there") as raised:
        call_command("register_checkpoint", str(tmp_path / "nowhere"))
    assert raised.value.returncode == 2


def test_unknown_checkpoint_lists_the_known(tmp_path):
    register_checkpoint(
        project=default_project(), source=make_pipeline(tmp_path / "one"), name="sd"
    )
    with pytest.raises(BadInputError, match="usable: sd"):
        registered_checkpoint("sdxl")


def test_ablation_by_data_size_registers_each_directory(tmp_path, monkeypatch, capsys):
    """The trainer itself is tested beside it; here it has already printed its directories."""
    from evalplatform.checkpoints.management.commands import ablate_data_size

    parent = make_trained(tmp_path / "parent", name="pretrained", role="pretrained")
    sha256 = inspect(parent).sha256
    tuned = make_trained(tmp_path / "tuned", name="tuned-100", value=2.0, parent_sha256=sha256)
    asked = []

    def run_backend(module: str, arguments: list[str]) -> list[str]:
        asked.append((module, arguments))
        return [str(parent), str(tuned)]

    monkeypatch.setattr(ablate_data_size, "run_backend", run_backend)
    call_command("ablate_data_size", "tune.toml", "--", "--sizes", "0", "100")
    assert asked == [("models_backend.studies.data_size", ["tune.toml", "--sizes", "0", "100"])]
    call_command("ablate_data_size", "--", "--family", "pixel_diffusion")
    assert asked[1][1] == ["--family", "pixel_diffusion"]
    row = Checkpoint.objects.get(name="tuned-100")
    assert row.parent == Checkpoint.objects.get(name="pretrained")
    assert "registered tuned-100" in capsys.readouterr().out


def test_weights_and_names_of_another_project_are_taken_and_no_more_is_said(tmp_path):
    theirs = create_project(name="theirs", owner=None)
    known, _ = register_checkpoint(
        project=theirs, source=make_pipeline(tmp_path / "one"), name="sd"
    )
    with pytest.raises(BadInputError) as refusal:
        register_checkpoint(
            project=default_project(), source=make_pipeline(tmp_path / "two"), name="mine"
        )
    assert str(refusal.value).startswith("these weights are registered in another project;")
    with pytest.raises(BadInputError, match=r"^the name 'sd' is taken in another project;"):
        register_checkpoint(
            project=default_project(), source=make_pipeline(tmp_path / "three", 2.0), name="sd"
        )
    Checkpoint.objects.update(is_shared=True)
    assert register_checkpoint(
        project=default_project(), source=make_pipeline(tmp_path / "four"), name="mine"
    ) == (known, False)
