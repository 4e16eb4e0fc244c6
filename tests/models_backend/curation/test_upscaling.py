"""Small images enlarged by an upsampler of pixel diffusion, with their lineage."""

import json

import numpy as np
import pytest
from PIL import Image

from models_backend.curation.__main__ import main
from models_backend.curation.reading import read_picture
from models_backend.curation.upscaling import shrunk_back
from models_backend.data.manifest import Record, read_mark, read_records
from models_backend.files import sha256_of_file
from tests.models_backend.tiny import write_records

SIZES = ((9, 14), (16, 16), (40, 30))


@pytest.fixture
def mixed(tmp_path):
    """A small picture that no factor divides, one that is enlarged twice, and a large one."""
    folder, records = tmp_path / "mixed", []
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, (width, height) in enumerate(SIZES):
        path = folder / "images" / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        records.append(
            Record(f"c{number}", "a thing", [], "Animals", "", "drawn", "CC0-1.0",
                   sha256_of_file(path), f"images/{number}.png")
        )  # fmt: skip
    write_records(folder, records)
    (folder / "curation.jsonl").write_text("{}\n")
    return folder


def upscale(data, weights, out, *more):
    command = ["upscale", "--data", data, "--weights", weights, "--out", out, "--steps", "2"]
    return main([str(each) for each in (*command, *more)])


def test_small_images_are_enlarged_beside_their_originals(mixed, parents, tmp_path, capsys):
    out = tmp_path / "large"
    assert upscale(mixed, parents["pixel_diffusion"], out, "--min-side", 24) == 0
    said = capsys.readouterr().err
    assert "2 of 3 images enlarged" in said
    assert f"by {read_mark(out)['upscaled_shrunk_back_db']} dB of PSNR" in said
    before, after = read_records(mixed), read_records(out)
    for old, new, size in zip(before, after, SIZES, strict=True):
        assert (out / old.file).read_bytes() == (mixed / old.file).read_bytes()
        shown = read_picture((out / new.file).read_bytes()).image.size
        assert min(shown) >= 24
        assert sha256_of_file(out / new.file) == new.sha256
        if min(size) < 24:
            told = json.loads((out / new.file).with_suffix(".json").read_text())
            assert (told["original_sha256"], told["original_size"]) == (old.sha256, list(size))
            assert told["passes"] == (2 if size == SIZES[0] else 1)
            original = read_picture((mixed / old.file).read_bytes()).image
            large = read_picture((out / new.file).read_bytes()).image
            assert told["shrunk_back_db"] == round(shrunk_back(large, original), 1)
        else:
            assert new == old
    assert read_mark(out)["upscaled"] == 2
    assert (out / "curation.jsonl").is_file()


def test_picture_that_was_only_made_larger_shrinks_back_to_itself():
    small = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8))
    assert shrunk_back(small.resize((24, 32), Image.Resampling.NEAREST), small) == 99
    brighter = Image.fromarray(np.minimum(np.asarray(small) // 2 + 10, 255).astype(np.uint8))
    darker = Image.fromarray(np.asarray(brighter) - 10)
    assert shrunk_back(brighter, darker) == pytest.approx(20 * np.log10(25.5))


def test_killed_run_goes_on_and_makes_nothing_twice(mixed, parents, tmp_path, monkeypatch):
    from models_backend.curation.upscaling import Upscaler

    out, calls = tmp_path / "large", []
    whole = Upscaler.enlarge

    def dies(self, image, caption):
        calls.append(image.size)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(self, image, caption)

    monkeypatch.setattr(Upscaler, "enlarge", dies)
    assert upscale(mixed, parents["pixel_diffusion"], out, "--min-side", 24) == 130
    first = sha256_of_file(next((out / "upscaled").glob("*.png")))
    assert upscale(mixed, parents["pixel_diffusion"], out, "--min-side", 24) == 0
    assert calls == [SIZES[0], SIZES[1], SIZES[1]]
    assert first in {record.sha256 for record in read_records(out)}


def test_wrong_weights_and_sizes_are_told(mixed, parents, tmp_path, capsys):
    latent = parents["latent_diffusion"]
    assert upscale(mixed, latent, tmp_path / "a", "--min-side", 24) == 2
    assert "is no pixel diffusion with an upsampler" in capsys.readouterr().err
    assert upscale(mixed, parents["pixel_diffusion"], tmp_path / "b", "--min-side", 0) == 2
    assert "--min-side 0" in capsys.readouterr().err
    assert upscale(mixed, parents["pixel_diffusion"], tmp_path / "c", "--min-side", 1000) == 2
    assert "too small to be enlarged" in capsys.readouterr().err
