"""Checkpoints by hub id: what is fetched, how it goes on after a break, what is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from safetensors.numpy import save

from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints import services
from evalplatform.checkpoints.hub import download
from evalplatform.checkpoints.hub.listing import HubId
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from tests import factories, live
from tests.checkpoints import hostile
from tests.checkpoints.hub_server import COMMIT, Hub, entry, files_of, serve
from tests.generation.tiny import save_tiny_pipeline

pytestmark = pytest.mark.django_db
REPO = "hub:org/tiny-sd.v1"


@pytest.fixture(autouse=True)
def registry(tmp_path, settings, monkeypatch):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    monkeypatch.setattr(download, "_PAUSE", 0)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    # What arrived of such a piece is lost in a break; 10 MB in earnest.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 5)
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return settings.CHECKPOINT_DIR


@pytest.fixture
def hub(settings):
    with serve(Hub(hostile.members() | {"README.md": b"# a card"})) as hub:
        settings.HF_ENDPOINT = hub.address
        yield hub


def register(text=REPO, revision=None, **options):
    return services.register_from_hub(
        project=default_project(), hub_id=HubId.parse(text, revision), **options
    )


def asked(hub):
    return {each.rpartition("@")[0] for each in hub.asked}


def refused(message, text=REPO, **options):
    with pytest.raises(BadInputError, match=message) as refusal:
        register(text, **options)
    assert "\n" not in str(refusal.value)
    assert not Checkpoint.objects.exists()


def test_model_is_registered_with_the_commit_it_came_from(hub, registry):
    checkpoint, is_new = register(f"{REPO}@v1", role="baseline")
    assert is_new
    assert (checkpoint.name, checkpoint.role) == ("tiny-sd-v1", "baseline")
    assert checkpoint.origin == {"hub": "org/tiny-sd.v1", "commit": COMMIT}
    assert checkpoint.licences == ["openrail"]
    assert files_of(checkpoint.directory) == hub.files
    assert list((registry / "hub").iterdir()) == []  # the download is not kept


def test_commit_that_is_registered_is_not_fetched_again(hub):
    first, _ = register()
    hub.asked.clear()
    assert register(revision=COMMIT) == (first, False)
    assert hub.asked == []


def test_same_weights_from_a_directory_learn_where_they_are_from(hub, tmp_path):
    folder = tmp_path / "local"
    for name, content in hub.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    local, _ = services.register_checkpoint(project=default_project(), source=folder, name="local")
    again, is_new = register()
    assert (again, is_new, again.origin["commit"]) == (local, False, COMMIT)


def test_pickles_code_and_repeated_weights_are_not_fetched(hub, tmp_path):
    wanted = set(hub.files)
    hub.files |= {
        "unet/diffusion_pytorch_model.bin": hostile.bomb(tmp_path / "canary"),
        "unet/diffusion_pytorch_model.fp16.safetensors": save({"w": np.ones(4, np.float16)}),
        "unet/diffusion_pytorch_model.non_ema.safetensors": save({"w": np.zeros(4)}),
        "unet/model.onnx": b"onnx",
        "pipeline.py": b"import os",
        "v1-5-pruned.safetensors": save({"w": np.zeros(4)}),
        "v1-5-pruned.ckpt": hostile.bomb(tmp_path / "canary"),
        "example.png": b"PNG",
        "onnx_unet/config.json": b"{}",
    }
    checkpoint, _ = register()
    assert asked(hub) == wanted
    assert set(files_of(checkpoint.directory)) == wanted


def test_variant_is_registered_as_a_plain_pipeline(hub):
    half = save({"w": np.ones(4, np.float16)})
    index = hostile.INDEX | {"vae": ["diffusers", "AutoencoderKL"]}
    hub.files |= {
        "model_index.json": json.dumps(index).encode(),
        "unet/diffusion_pytorch_model.fp16.safetensors": half,
        "vae/config.json": b"{}",
        "vae/diffusion_pytorch_model.safetensors": save({"v": np.ones(2, np.float32)}),
    }
    checkpoint, _ = register(variant="fp16")
    assert checkpoint.origin["variant"] == "fp16"
    assert checkpoint.parameters == {"F16": 4, "F32": 2}  # the vae has no such variant
    assert (checkpoint.directory / hostile.WEIGHTS).read_bytes() == half


def test_shards_of_a_variant_are_named_in_their_table_as_they_are_saved(hub):
    parts = {
        f"unet/diffusion_pytorch_model.fp16-0000{n}-of-00002.safetensors": save(
            {f"w{n}": np.ones(n, np.float16)}
        )
        for n in (1, 2)
    }
    names = [name.removeprefix("unet/") for name in parts]
    table = {"metadata": {}, "weight_map": {"w1": names[0], "w2": names[1]}}
    hub.files |= parts
    hub.files["unet/diffusion_pytorch_model.safetensors.index.fp16.json"] = json.dumps(
        table
    ).encode()
    checkpoint, _ = register(variant="fp16")
    assert checkpoint.parameters == {"F16": 3}
    saved = checkpoint.directory / "unet/diffusion_pytorch_model.safetensors.index.json"
    assert json.loads(saved.read_text())["weight_map"] == {
        "w1": "diffusion_pytorch_model-00001-of-00002.safetensors",
        "w2": "diffusion_pytorch_model-00002-of-00002.safetensors",
    }


def test_broken_connection_goes_on_where_it_stopped(hub):
    whole = len(hub.files[hostile.WEIGHTS])
    hub.break_after[hostile.WEIGHTS] = [10, 20]
    checkpoint, _ = register()
    assert [each for each in hub.asked if each.startswith("unet/diff")] == [
        f"{hostile.WEIGHTS}@{start}" for start in (0, 10, 30)
    ]
    assert (checkpoint.directory / hostile.WEIGHTS).stat().st_size == whole


def test_killed_download_goes_on_where_it_stopped(hub, monkeypatch):
    hub.break_after[hostile.WEIGHTS] = [10]

    def killed(seconds):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("huggingface_hub.file_download.time.sleep", killed)
        with pytest.raises(KeyboardInterrupt):
            register()
    before = len(hub.asked)
    told = []
    register(progress=lambda here, total: told.append((here, total)))
    assert hub.asked[before:] == [f"{hostile.WEIGHTS}@10"]  # what was whole is not asked for
    total = sum(len(content) for content in hub.files.values())
    assert told[-1] == (total, total)
    assert told[0][0] > 10


def test_hub_that_gives_up_is_told_and_what_arrived_is_kept(hub, registry):
    hub.break_after[hostile.WEIGHTS] = [10] + [0] * 100
    refused("cannot be reached .*what has arrived is kept")
    kept = [path for path in registry.rglob("parts/*") if path.is_file()]
    assert [path.stat().st_size for path in kept] == [10]


def test_download_left_for_a_week_is_removed_when_the_next_begins(hub, registry):
    import os

    old = registry / "hub/org--other--0"
    old.mkdir(parents=True)
    (old / "lock").touch()
    os.utime(old / "lock", (1, 1))
    register()
    assert not old.exists()


# ---- refused ------------------------------------------------------------------------------------


def test_size_that_is_a_lie_is_noticed_as_it_is_passed(hub, registry):
    hub.said[hostile.WEIGHTS] = entry(hostile.WEIGHTS, hub.files[hostile.WEIGHTS][:20])
    refused("has 20 bytes and sends more")
    assert [path for path in registry.rglob("parts/*") if path.is_file()] == []


def test_file_shorter_than_said_is_noticed(hub):
    hub.said[hostile.WEIGHTS] = entry(hostile.WEIGHTS, hub.files[hostile.WEIGHTS] + b"more")
    refused("sends")


@pytest.mark.parametrize("name", [hostile.WEIGHTS, "unet/config.json"])
def test_content_of_another_hash_is_refused_and_removed(hub, registry, name):
    hub.said = {name: entry(name, hub.files[name])}
    hub.files[name] = hub.files[name].replace(b"{", b"[", 1)
    refused("another hash")
    assert [path for path in registry.rglob("parts/*") if path.is_file()] == []


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/evil.json", "unet/../../evil.json", "a\\..\\evil.json", ""]
)
def test_path_that_leads_elsewhere_is_refused_before_anything_is_fetched(hub, name, tmp_path):
    hub.said = {"evil": entry(name)}
    refused("plain relative paths")
    assert hub.asked == []
    assert not list(tmp_path.rglob("evil.json"))


@pytest.mark.parametrize(
    "lies",
    [{"size": None}, {"size": -1}, {"size": "9"}, {"blobId": "../x"}, {"blobId": None},
     {"rfilename": None}, {"lfs": {"size": 1}}],
)  # fmt: skip
def test_list_of_files_that_makes_no_sense_is_refused(hub, lies):
    hub.said = {"odd": entry("odd.json") | lies}
    refused("does not describe|does not say|plain relative paths")
    assert hub.asked == []


def test_commit_that_is_none_is_refused(hub):
    hub.commit = "../../elsewhere"
    refused("names no commit")


def test_model_too_large_is_refused_before_its_weights_are_fetched(hub, settings):
    settings.CHECKPOINT_MAX_BYTES = 2**20
    hub.said[hostile.WEIGHTS] = entry(hostile.WEIGHTS, b"", lfs={
        "sha256": "0" * 64, "size": 2**21, "pointerSize": 1
    })  # fmt: skip
    refused("CHECKPOINT_MAX_BYTES")
    assert asked(hub) == {"model_index.json"}


def test_foreign_pipeline_is_refused_before_its_weights_are_fetched(hub):
    hub.files["model_index.json"] = json.dumps(hostile.INDEX | {"_class_name": "Evil"}).encode()
    refused("not a text-to-image pipeline known here")
    assert asked(hub) == {"model_index.json"}


def test_refused_content_is_not_kept(hub, registry):
    hub.files["unet/config.json"] = b'{"_class_name": "subprocess.Popen"}'
    refused("names the class 'subprocess.Popen'")
    assert list((registry / "hub").iterdir()) == []


def test_model_of_pickles_alone_is_refused(hub, tmp_path):
    hub.files["unet/diffusion_pytorch_model.bin"] = hostile.bomb(tmp_path / "canary")
    del hub.files[hostile.WEIGHTS]
    refused("no safetensors of its unet, only pickles")


def test_model_without_weights_is_refused(hub):
    del hub.files[hostile.WEIGHTS]
    refused("holds no safetensors")


def test_model_that_comes_only_as_a_variant_says_which(hub):
    hub.files["unet/diffusion_pytorch_model.fp16.safetensors"] = hub.files.pop(hostile.WEIGHTS)
    refused("choose the variant fp16")


def test_unknown_variant_names_the_known(hub):
    hub.files["unet/diffusion_pytorch_model.fp16.safetensors"] = hub.files[hostile.WEIGHTS]
    refused("its variants: fp16", variant="bf16")


def test_single_file_model_says_how_to_take_it(hub):
    hub.files = {"sdxl.safetensors": hub.files[hostile.WEIGHTS]}
    refused("register it with its configuration")


def test_unknown_model_revision_and_gated_model_are_said_plainly(hub):
    refused("has no model org/nothing, or it is private.*HF_TOKEN", "hub:org/nothing")
    refused("is gated", "hub:org/gated")
    refused("no such revision", f"{REPO}@v9")


def test_private_model_needs_a_token(hub, monkeypatch):
    hub.token = "hf_secret"
    refused("HF_TOKEN")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert register()[1]


def test_token_is_shown_to_the_hub_and_not_to_the_storage_it_sends_one_on_to(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.token = "hf_secret"
    breaks = {hostile.WEIGHTS: [10]}
    with serve(Hub(hub.files, break_after=breaks)) as storage:
        hub.storage = storage.address.replace("127.0.0.1", "localhost")
        assert register()[1]
    assert set(hub.shown) == {"Bearer hf_secret"}
    assert set(storage.shown) == {None}
    assert f"{hostile.WEIGHTS}@10" in storage.asked  # resumed there


def test_no_network_is_said_plainly(settings):
    settings.HF_ENDPOINT = f"http://127.0.0.1:{live.free_port()}"
    refused("cannot be reached")


def test_what_is_no_hub_at_all_is_said_plainly(hub, monkeypatch):
    monkeypatch.setattr(Hub, "information", lambda self: ["not", "a", "hub"])
    refused("does not describe")


@pytest.mark.parametrize(
    ("text", "revision", "message"),
    [
        ("hub:noslash", None, "is no hub id"),
        ("hub:a/../b", None, "is no hub id"),
        ("hub:org/name@", None, "ends with @"),
        ("hub:org/name@v1", "v2", "give one of them"),
        ("hub:org/näme", None, "is no hub id"),
    ],
)
def test_what_is_no_hub_id_is_refused(text, revision, message):
    with pytest.raises(BadInputError, match=message):
        HubId.parse(text, revision)


def test_taken_name_is_refused_before_anything_is_fetched(hub):
    factories.make_checkpoint("tiny-sd-v1")
    with pytest.raises(BadInputError, match="belongs to other weights"):
        register()
    assert hub.asked == []


def test_hub_origin_without_a_commit_cannot_be_stored():
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.make_checkpoint("a", origin={"hub": "org/name"})


# ---- the command --------------------------------------------------------------------------------


def test_options_of_the_hub_are_refused_for_a_directory(tmp_path):
    with pytest.raises(CommandError, match="--variant is for hub:"):
        call_command("register_checkpoint", str(tmp_path), variant="fp16")


@pytest.mark.django_db(transaction=True)
def test_command_registers_by_hub_id_in_a_process_of_its_own(hub, tmp_path):
    hub.files = files_of(save_tiny_pipeline(tmp_path / "sd", seed=1))  # this process would load it
    out = subprocess.run(
        [sys.executable, "manage.py", "register_checkpoint", REPO, "--name", "from-hub"],
        env=live.environment(HF_ENDPOINT=hub.address), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert out.returncode == 0, out.stderr
    assert "registered from-hub (external, diffusers_pipeline)" in out.stdout
    assert Checkpoint.objects.get().origin["commit"] == COMMIT
