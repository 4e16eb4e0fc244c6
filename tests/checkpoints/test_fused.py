"""LoRAs and parts with a base: a checkpoint of its own, with where it came from, or one line."""

import shutil

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from safetensors.numpy import load_file, save_file

from evalplatform.accounts.projects import default_project
from evalplatform.campaigns.models import Arm
from evalplatform.campaigns.protocol import arm_in_protocol
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services import (
    Lora,
    register_fused,
    retire_checkpoint,
    uploading,
    verify_upload,
)
from evalplatform.checkpoints.services import fusing as fusing_service
from evalplatform.checkpoints.services.backend import ask_backend
from evalplatform.core.errors import BadInputError
from tests import factories
from tests.checkpoints.test_uploads import begin, part
from tests.models_backend import tiny_on_disk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("programs_stand_by")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two tiny pipelines of one architecture, and a LoRA for them."""
    folder = tmp_path_factory.mktemp("made")
    tiny_on_disk.write("stable_diffusion", folder / "sd")
    tiny_on_disk.write("stable_diffusion", folder / "other", seed=9)
    tiny_on_disk.write_lora(folder / "sd", folder / "style.safetensors")
    return folder


@pytest.fixture(autouse=True)
def registry(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    return settings.CHECKPOINT_DIR


@pytest.fixture
def base(made):
    call_command("register_checkpoint", str(made / "sd"), "--name=base")
    return Checkpoint.objects.get(name="base")


def test_lora_and_part_that_are_uploaded_go_into_their_base(client, rania, monkeypatch, registry):
    base = factories.make_checkpoint("base")
    Checkpoint.objects.update(family="diffusers_pipeline")
    base.directory.mkdir(parents=True)
    client.force_login(rania)
    asked = []

    def fused(**given):
        lora = given["loras"][0] if given["loras"] else None
        file = lora.source if lora else given["parts"]["unet"]
        asked.append((file.name, file.read_bytes(), lora and lora.scale, given["name"]))
        if lora is None:
            raise BadInputError("it does not fit")
        return base, True

    monkeypatch.setattr(uploading, "register_fused", fused)

    def sent(file_name, content, **told):
        begun = begin(client, len(content), file_name, base="base", **told)
        assert begun.status_code == 201, begun.content
        part(client, begun["Location"], 0, content)
        return verify_upload(identifier=begun["Location"].split("/")[-2], now=timezone.now())

    lora = sent("my style!.safetensors", b"lora", name="styled", scale="0.8")
    unet = sent("unet.safetensors", b"unet", name="swapped", part="unet")
    assert (lora.status, lora.base, lora.checkpoint) == ("verified", base, base)
    assert (unet.status, unet.reason) == ("rejected", "it does not fit")
    # The record names the file as the person did, in letters that do no harm.
    assert asked == [
        ("my_style_.safetensors", b"lora", 0.8, "styled"),
        ("unet.safetensors", b"unet", None, "swapped"),
    ]
    assert list((registry / "uploads").iterdir()) == []


def test_weights_of_a_pipeline_that_is_uploaded_are_chosen(client, rania, monkeypatch, registry):
    known = factories.make_checkpoint("known")
    client.force_login(rania)
    asked = []

    def chosen(**given):
        asked.append((given["source"].read_bytes(), given["weights"], given["name"]))
        return known, True

    monkeypatch.setattr(uploading, "register_chosen", chosen)
    begun = begin(client, 7, "both.zip", name="averaged", weights="ema")
    part(client, begun["Location"], 0, b"archive")
    upload = verify_upload(identifier=begun["Location"].split("/")[-2], now=timezone.now())
    assert (upload.status, upload.checkpoint) == ("verified", known)
    assert asked == [(b"archive", "ema", "averaged")]
    assert list((registry / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "told", "said"),
    [
        ("both.zip", {"weights": "best"}, "send ema or plain"),
        ("style.safetensors", {"base": "base", "weights": "ema"}, "of a whole pipeline"),
        ("style.pt", {"base": "base"}, "is no .safetensors file"),
        ("style.safetensors", {}, "names its base"),
        ("style.safetensors", {"part": "vae"}, "goes into a base"),
        ("style.safetensors", {"base": "none"}, "no checkpoint 'none'; usable: base"),
        ("style.safetensors", {"base": "base", "part": "head"}, "is one of lora, unet"),
        ("style.safetensors", {"base": "base", "scale": "much"}, "send a number such as 0.8"),
        ("style.safetensors", {"base": "base", "scale": "nan"}, "scale is nan"),
        (
            "style.safetensors",
            {"base": "base", "part": "vae", "scale": "0.5"},
            "of a LoRA is added",
        ),
    ],
)
def test_what_goes_into_no_base_is_refused_before_it_is_sent(client, rania, name, told, said):
    factories.make_checkpoint("base")
    Checkpoint.objects.update(family="diffusers_pipeline")
    client.force_login(rania)
    answer = begin(client, 100, name, **told)
    assert answer.status_code == 400
    assert said in answer.content.decode()


def test_lora_on_a_base_is_a_checkpoint_of_its_own(base, made, capsys, client, rania, registry):
    arguments = ["register_checkpoint", "--base=base", "--name=styled"]
    arguments += [f"--lora={made / 'style.safetensors'}", "--scale=0.8"]
    call_command(*arguments)
    said = capsys.readouterr()
    assert "registered styled (external, diffusers_pipeline, tuned from base)" in said.out
    assert "LoRA style.safetensors added by 0.8 (sha256 " in said.out
    assert said.err.splitlines() == [
        "copying the base", "loading the base", "adding style.safetensors by 0.8",
        "writing text_encoder", "writing unet",
    ]  # fmt: skip
    styled = Checkpoint.objects.get(name="styled")
    assert (styled.parent, styled.training["recipe"]) == (base, "fused")
    (told,) = styled.training["adapters"]
    assert (told["file"], told["scale"]) == ("style.safetensors", 0.8)
    assert told["layers"].keys() == {"text_encoder", "unet"}
    assert len(told["sha256"]) == 64
    assert {path.name for path in registry.iterdir()} == {base.sha256, styled.sha256}
    card = (styled.directory / "README.md").read_text()
    assert f"Made from base (content sha256 `{base.sha256}`)" in card
    assert "LoRA style.safetensors" in card
    client.force_login(rania)
    page = client.get(reverse("registry:checkpoint", args=["styled"])).content.decode()
    assert "LoRA style.safetensors added by 0.8" in page
    assert arm_in_protocol(Arm(place=0, checkpoint=styled))["made_from"] == styled.made_from
    assert "made_from" not in arm_in_protocol(Arm(place=0, checkpoint=base))
    call_command(*arguments)
    assert "already registered: styled" in capsys.readouterr().out


def test_unet_of_a_trainers_output_replaces_the_bases(base, made, tmp_path, capsys):
    """A folder as train_text_to_image leaves it, with its averaged weights and its optimizer."""
    output = tmp_path / "checkpoint-500"
    shutil.copytree(made / "other/unet", output / "unet")
    shutil.copytree(made / "sd/unet", output / "unet_ema")
    (output / "optimizer.bin").write_bytes(b"\x80\x04.")
    arguments = ["register_checkpoint", "--base=base", "--name=tuned", f"--unet={output}"]
    with pytest.raises(CommandError, match=r"holds unet/ and unet_ema/: choose .* --weights ema"):
        call_command(*arguments)
    call_command(*arguments, "--weights=plain")
    assert "unet from unet, plain weights (sha256 " in capsys.readouterr().out
    tuned = Checkpoint.objects.get(name="tuned")
    file = "unet/diffusion_pytorch_model.safetensors"
    expected, found = load_file(made / "other" / file), load_file(tuned.directory / file)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_averaged_weights_of_a_whole_pipeline_are_taken_where_asked_for(made, tmp_path, capsys):
    source = shutil.copytree(made / "sd", tmp_path / "sd")
    shutil.copytree(made / "other/unet", source / "unet_ema")
    call_command("register_checkpoint", str(source), "--name=plain")
    assert "--weights ema takes those" in capsys.readouterr().err
    call_command("register_checkpoint", str(source), "--name=averaged", "--weights=ema")
    assert "unet from unet_ema, ema weights" in capsys.readouterr().out
    averaged = Checkpoint.objects.get(name="averaged")
    assert averaged.parent_sha256 is None
    file = "unet/diffusion_pytorch_model.safetensors"
    expected, found = load_file(made / "other" / file), load_file(averaged.directory / file)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


# -- what is refused ------------------------------------------------------------------------------


@pytest.fixture
def tiny_base():
    """A base of which nothing is ever loaded."""
    checkpoint = factories.make_checkpoint("base", family="diffusers_pipeline")
    checkpoint.directory.mkdir(parents=True)
    return checkpoint


def lora(folder, name="lora.safetensors"):
    save_file({"unet.conv_in.lora_A.weight": np.ones((4, 4))}, folder / name)
    return folder / name


def refused(match, *arguments):
    with pytest.raises(CommandError, match=match) as raised:
        call_command("register_checkpoint", *map(str, arguments))
    assert raised.value.returncode == 2
    assert "\n" not in str(raised.value)
    assert Checkpoint.objects.count() <= 1


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--name=n"], "give what to register"),
        (["--base=base", "--lora={lora}"], "give --name"),
        (["--base=base", "--name=n"], "nothing to change in the base: give a LoRA.* --lora"),
        (["--base=nobody", "--name=n", "--lora={lora}"], "no checkpoint 'nobody'; usable: base"),
        (["{lora}", "--base=base", "--name=n"], "or --base: with a base, give --lora"),
        (["{lora}", "--lora={lora}", "--name=n"], "--lora is for a base"),
        (["--base=base", "--name=n", "--lora={lora}", "--scale=1", "--scale=2"], "2 --scale for 1"),
        (["--base=base", "--name=n", "--lora={folder}/none"], "none is not there; give a .safe"),
        (["--base=base", "--name=n", "--lora={folder}/empty"], "holds no single LoRA"),
        (["--base=base", "--name=n", "--unet={folder}/empty"], "is no unet: it needs config.json"),
        (["--base=base", "--name=n", "--lora={folder}/w.bin"], "a pickle, which could run code"),
        (["--base=base", "--name=n", "--lora={folder}/cut.safetensors"], "not a whole safetensors"),
        (["--base=base", "--name=n/m", "--lora={lora}"], "cannot name a checkpoint"),
        (["--base=base", "--name=base", "--lora={lora}"], "belongs to other weights"),
        (
            ["--base=base", "--name=n", "--unet={lora}", "--weights=ema"],
            "holds no EMA weights; take its plain weights.* --weights plain",
        ),
        (["--base=base", "--name=n", "--lora={folder}/a\nb.safetensors"], "names no weights; name"),
        (["--base=base", "--name=n", "--unet={folder}/a\udcffb"], "names no weights; name them"),
        (["hub:a/b", "--weights=ema"], "--weights is for a checkpoint on this machine"),
    ],
)
def test_what_can_be_seen_without_loading_is_refused_at_once(
    tiny_base, tmp_path, arguments, match, monkeypatch
):
    monkeypatch.setattr(fusing_service, "ask_backend", lambda *_, **__: pytest.fail("asked"))
    (tmp_path / "empty").mkdir()
    shutil.copy(lora(tmp_path), tmp_path / "a\nb.safetensors")
    shutil.copy(lora(tmp_path), tmp_path / "a\udcffb")
    (tmp_path / "w.bin").write_bytes(b"\x80\x04.")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10" + bytes(7))
    names = {"lora": lora(tmp_path), "folder": tmp_path}
    refused(match, *(each.format(**names) for each in arguments))


def test_folder_of_a_part_may_hold_no_pickle(tiny_base, made, tmp_path):
    part = shutil.copytree(made / "sd/unet", tmp_path / "unet")
    (part / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")
    refused("could run code", "--base=base", "--name=n", f"--unet={part}")


def test_retired_base_is_refused(tiny_base, tmp_path):
    retire_checkpoint(checkpoint=tiny_base, user=None, now=timezone.now())
    refused("the base 'base' was retired on", "--base=base", "--name=n", f"--lora={lora(tmp_path)}")


def test_base_of_our_own_family_is_refused(tmp_path):
    checkpoint = factories.make_checkpoint("ours", family="latent_diffusion")
    checkpoint.directory.mkdir(parents=True)
    refused(
        "family latent_diffusion, which diffusers cannot load whole",
        "--base=ours", "--name=n", f"--lora={lora(tmp_path)}",
    )  # fmt: skip


def test_what_does_not_fit_leaves_nothing(base, made, registry, tmp_path):
    """The reason comes from the program that loads it."""
    other = tmp_path / "other.safetensors"
    tensors = {
        "unet.nowhere.lora_A.weight": np.ones((4, 4), "f"),
        "unet.nowhere.lora_B.weight": np.ones((4, 4), "f"),
    }
    save_file(tensors, other)
    refused("2 of 2 tensors of other.safetensors belong to nothing in StableDiffusionPipeline",
            "--base=base", "--name=n", f"--lora={other}")  # fmt: skip
    assert {path.name for path in registry.iterdir()} == {base.sha256}


def test_program_that_dies_is_told(tiny_base, tmp_path, monkeypatch, registry):
    monkeypatch.setattr(fusing_service, "PROGRAM", "this.module.is.not.there")
    refused(
        "this.module.is.not.there ended with status 1", "--base=base", "--name=n",
        f"--lora={lora(tmp_path)}",
    )  # fmt: skip
    assert [path.name for path in registry.iterdir()] == [tiny_base.sha256]


def test_reason_of_a_program_is_told_apart_from_its_line_for_commands(tmp_path):
    halves = ["--learn", tmp_path / "learn", "--judge", tmp_path / "judge"]
    with pytest.raises(BadInputError) as refused:
        ask_backend("models_backend.preferences", ["divide", tmp_path, *halves], say=print)
    assert str(refused.value).endswith("a finished preference set (preferences.json is missing).")
    assert "preferences import SOURCE --from FORMAT" in refused.value.by_command


def test_too_little_room_is_told_before_anything_is_copied(tiny_base, tmp_path):
    tiny_base.size_bytes = 2**60
    with pytest.raises(BadInputError, match="make room for a second copy"):
        register_fused(
            project=default_project(), base=tiny_base, name="n",
            loras=[Lora(lora(tmp_path))],
        )  # fmt: skip
