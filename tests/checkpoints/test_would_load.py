"""A checkpoint is verified only when its classes could be built and its tensors fit them."""

import io
import json
import shutil
import subprocess

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from safetensors.numpy import load_file, save_file

from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints import services
from evalplatform.checkpoints.hub.listing import HubId
from evalplatform.checkpoints.layout import inspect
from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.checkpoints.services import loading
from evalplatform.core.errors import BadInputError
from tests import factories
from tests.checkpoints import hostile
from tests.checkpoints.hub_server import Hub, files_of, serve
from tests.generation.tiny import save_tiny_pipeline

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.would_load,
    pytest.mark.usefixtures("programs_stand_by"),
]
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return save_tiny_pipeline(tmp_path_factory.mktemp("tiny") / "sd", seed=5)


@pytest.fixture(autouse=True)
def registry(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    return settings.CHECKPOINT_DIR


@pytest.fixture
def half(pipeline, tmp_path):
    """The pipeline with half of its U-Net's tensors."""
    folder = shutil.copytree(pipeline, tmp_path / "half")
    tensors = load_file(folder / UNET)
    save_file({name: tensors[name] for name in sorted(tensors)[::2]}, folder / UNET)
    return folder


def test_command_registers_what_would_load_and_refuses_the_rest_in_one_line(
    pipeline, half, registry, capsys
):
    call_command("register_checkpoint", str(pipeline), "--name=whole")
    assert "registered whole" in capsys.readouterr().out
    call_command("register_checkpoint", str(pipeline), "--name=copy")
    assert "its name stays whole: the same weights are one" in capsys.readouterr().out
    with pytest.raises(CommandError, match=r"half would not load: unet lacks \d+ tens") as refusal:
        call_command("register_checkpoint", str(half), "--name=half")
    assert (refusal.value.returncode, str(refusal.value).count("\n")) == (2, 0)
    (kept,) = registry.iterdir()
    assert kept == Checkpoint.objects.get().directory


def test_upload_that_would_not_load_is_rejected_with_the_reason(half, rania, registry):
    archive = io.BytesIO()
    hostile.zipped(archive, files_of(half))
    size = len(archive.getvalue())
    upload = services.begin_upload(
        project=default_project(),
        file_name="half.zip",
        size_bytes=size,
        name="half",
        role="",
        user=rania,
        now=timezone.now(),
    )
    upload.file.write_bytes(archive.getvalue())
    Upload.objects.update(status=Upload.Status.VERIFYING)
    upload = services.verify_upload(identifier=str(upload.pk), now=timezone.now())
    assert upload.status == "rejected"
    assert upload.reason.startswith("the checkpoint would not load: unet lacks")
    assert [path.name for path in registry.iterdir()] == ["uploads"]


def test_model_of_a_hub_that_would_not_load_is_refused_and_not_kept(half, registry, settings):
    with serve(Hub(files_of(half))) as hub:
        settings.HF_ENDPOINT = hub.address
        with pytest.raises(BadInputError, match="the checkpoint would not load: unet lacks"):
            services.register_from_hub(
                project=default_project(), hub_id=HubId.parse("hub:org/tiny-sd.v1", None)
            )
    assert not Checkpoint.objects.exists()
    assert list((registry / "hub").iterdir()) == []


def test_what_is_made_from_a_base_is_refused_where_it_would_not_load(half, pipeline, registry):
    """The base lost half of its U-Net on the disk; the part that is given is whole."""
    vae = save_tiny_pipeline(half.parent / "other", seed=6) / "vae"
    files = inspect(half)
    base = factories.make_checkpoint("base", sha256=files.sha256, family=files.family)
    shutil.copytree(half, base.directory)
    with pytest.raises(BadInputError, match="the checkpoint would not load: unet lacks"):
        services.register_fused(
            project=default_project(), base=base, parts={"vae": vae}, name="made"
        )
    assert [path.name for path in registry.iterdir()] == [base.sha256]
    services.register_fused(
        project=default_project(), base=base, parts={"unet": pipeline / "unet"}, name="mended"
    )
    assert Checkpoint.objects.get(name="mended").parent == base


def test_precisions_mixed_by_component_would_load(pipeline, tmp_path):
    """Full denoiser, text encoder in half precision alone: what diffusers needs two calls for."""
    folder = shutil.copytree(pipeline, tmp_path / "mixed")
    weights = folder / "text_encoder/model.safetensors"
    halves = {name: each.astype("float16") for name, each in load_file(weights).items()}
    save_file(halves, folder / "text_encoder/model.fp16.safetensors")
    weights.unlink()
    checkpoint, _ = services.register_checkpoint(
        project=default_project(), source=folder, name="mixed"
    )
    assert set(checkpoint.parameters) == {"F32", "F16"}


def test_configuration_of_endless_size_is_refused_and_costs_little(pipeline, tmp_path, monkeypatch):
    folder = shutil.copytree(pipeline, tmp_path / "endless")
    path = folder / "unet/config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"block_out_channels": [2**45, 2**45]}))
    with pytest.raises(BadInputError, match="would not load: unet"):
        services.register_checkpoint(project=default_project(), source=folder, name="endless")
    path.write_text(json.dumps(config | {"layers_per_block": 10**9}))
    monkeypatch.setattr(loading, "_SECONDS", 2)
    with pytest.raises(BadInputError, match=r"its model was not built|its configuration"):
        services.register_checkpoint(project=default_project(), source=folder, name="endless")


@pytest.mark.parametrize("status", [-9, 1])
def test_attempt_that_dies_is_a_refusal(pipeline, monkeypatch, status):
    died = subprocess.CompletedProcess([], status, "", "line\nlast words \0")
    monkeypatch.setattr(loading.subprocess, "run", lambda *_, **__: died)
    with pytest.raises(BadInputError, match=f"ended with status {status} .last words ") as refusal:
        services.register_checkpoint(project=default_project(), source=pipeline, name="sd")
    assert str(refusal.value).isprintable()


def test_line_for_commands_is_no_part_of_the_reason(tmp_path, monkeypatch):
    said = "error: its text encoder is not installed here\n  `pip install it` does it.\n"
    ended = subprocess.CompletedProcess([], 2, stderr=said)
    monkeypatch.setattr(loading.subprocess, "run", lambda *given, **asked: ended)
    with pytest.raises(BadInputError) as refused:
        loading.refuse_unloadable(tmp_path, "it")
    assert str(refused.value) == "it would not load: its text encoder is not installed here."
