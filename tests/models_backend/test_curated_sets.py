"""Tuning on a set that people curated: photographs of any size, with what was decided on them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from models_backend.checkpoint_format import METADATA
from models_backend.data import manifest
from models_backend.data.dataset import load_fitted
from models_backend.files import read_json, sha256_of_bytes, sha256_of_file
from models_backend.recipes.early_stopping import HeldOutCaptions
from models_backend.train import main
from tests.models_backend import tiny

pytestmark = pytest.mark.usefixtures("briefly_fitted_head")


@pytest.fixture(scope="module")
def curated(tmp_path_factory):
    """Six photographs of other sizes than the model's, as people's curation exports them."""
    folder = tmp_path_factory.mktemp("curated")
    rng = np.random.default_rng(0)
    records = []
    for number, size in enumerate([(40, 24), (24, 40), (9, 12), (16, 16), (64, 20), (33, 33)]):
        file = f"images/{number}.png"
        (folder / file).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / file)
        records.append(
            manifest.Record("Animals", f"thing {number}", [], "Animals", "photo", "pool", "CC0-1.0",
                            sha256_of_file(folder / file), file)
        )  # fmt: skip
    written = manifest.dump_records(records)
    (folder / manifest.MANIFEST_NAME).write_bytes(written)
    mark = {"format": manifest.FORMAT, "images": 6, "manifest_sha256": sha256_of_bytes(written)}
    (folder / manifest.MARK_NAME).write_text(json.dumps(mark))
    (folder / "curation.jsonl").write_text('{"kept": true}\n')
    return folder


def without_list(text, **more):
    lines = [line for line in text.splitlines() if not line.startswith("tuning_list")]
    return "\n".join([*(f"{key} = {value}" for key, value in more.items()), *lines])


def run(config, data, parent, out, *more):
    return main([str(a) for a in (config, "--data", data, "--parent", parent, "--out", out, *more)])


def test_whole_curated_set_is_tuned_on_and_its_decisions_are_recorded(
    tmp_path, data, checkpoint_dir, curated, capsys
):
    config, out = tmp_path / "tune.toml", tmp_path / "run"
    config.write_text(without_list(tiny.QUALITY_TUNE).replace("candidates = 0",
                      "candidates = 1\nimages = 4\nsampler_steps = 2"))  # fmt: skip
    assert run(config, data, checkpoint_dir, out) == 2
    assert "a curated set with --tuning DIR" in capsys.readouterr().err
    assert run(config, data, checkpoint_dir, out, "--tuning", curated) == 0
    training = read_json(out / "checkpoint" / METADATA)["training"]
    assert training["images"] == 6
    assert training["curated"]["tuning"] == {
        "manifest_sha256": manifest.manifest_sha256(curated),
        "curation_sha256": sha256_of_file(curated / "curation.jsonl"),
    }
    assert run(config, data, checkpoint_dir, out, "--tuning", curated) == 0  # finished
    assert run(config, data, checkpoint_dir, out, "--tuning", data) == 2  # another set
    listed = tmp_path / "both.toml"
    listed.write_text(tiny.QUALITY_TUNE.format(tuning_list="x.tsv"))
    assert run(listed, data, checkpoint_dir, tmp_path / "b", "--tuning", curated) == 2
    assert "give one of them" in capsys.readouterr().err


def test_style_is_tailored_from_two_folders_that_the_configuration_names(
    tmp_path, data, checkpoint_dir, curated, capsys
):
    config, out = tmp_path / "tailor.toml", tmp_path / "run"
    text = without_list(
        tiny.QUALITY_TUNE, split=0.5, tuning_set=f'"{curated}"', content_set=f'"{data}"'
    )
    config.write_text(text.replace("quality_tune", "style_tailor"))
    assert run(config, data, checkpoint_dir, out, "--content", data) == 2
    assert f"--content {data} and content_set {data}: give one" in capsys.readouterr().err
    assert run(config, data, checkpoint_dir, out) == 0
    training = read_json(out / "checkpoint" / METADATA)["training"]
    assert (training["content_images"], training["images"]) == (12, 18)
    assert training["curated"]["content"] == {"manifest_sha256": manifest.manifest_sha256(data)}


def test_picture_is_turned_scaled_and_cut_to_its_middle(tmp_path):
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 16:32] = 200
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(wide).save(tmp_path / "a.png")
    Image.fromarray(wide).rotate(90, expand=True).save(tmp_path / "b.png", exif=exif)
    pictures, framing = load_fitted([tmp_path / "a.png", tmp_path / "b.png"], (16, 16))
    assert pictures.shape == (2, 3, 16, 16)
    assert (pictures == 200).all()
    assert framing.tolist() == [[16, 48, 0, 16]] * 2  # the second as it is shown, not as it lies


def test_concept_of_a_curated_image_is_not_held_out_under_another_name(data):
    everything = manifest.read_records(data)
    tuning = [replace(everything[0], concept="Animals", caption="as people wrote it")]
    held_out = HeldOutCaptions.of(everything, tuning, 50)
    assert everything[0].concept not in {record.concept for record in held_out.records}
