"""Captioned images in the forms people have them: what trains, and what is said of the rest."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from models_backend import train
from models_backend.data import indexing, shard_source, shards
from models_backend.data.dataset import load_images
from models_backend.data.loose import read_loose
from models_backend.data.manifest import Record
from models_backend.data.opening import open_source
from models_backend.data.pictures import decode
from models_backend.errors import InputError
from tests.models_backend.test_data_stream import tar

CAPTION = "a red and blue flag"


def flag(kind: str = "JPEG", **options: object) -> bytes:
    """A picture twice as wide as high: its left red, the rest blue, a white bar on top."""
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :10], pixels[:, 10:], pixels[:3] = (220, 30, 30), (30, 30, 200), 255
    return encoded(Image.fromarray(pixels), kind, **options)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def on_its_side() -> bytes:
    """As a phone writes it: stored lying, to be turned clockwise."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return flag(quality=95, exif=exif)


def cut_short() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    whole = encoded(Image.fromarray(noise), "JPEG", quality=95)
    return whole[: len(whole) * 3 // 4]


def deep() -> bytes:
    return encoded(Image.fromarray(np.full((8, 8), 40_000, np.uint16)), "PNG")


def samples(*images: bytes, ending: str = "jpg") -> dict[str, bytes]:
    members = {}
    for number, image in enumerate(images):
        members |= {f"{number}.{ending}": image, f"{number}.txt": CAPTION.encode()}
    return members


def index(folder: Path, *options: str) -> int:
    return shards.main(["--index", str(folder), *options])


# -- pictures -------------------------------------------------------------------------------------


def test_a_photo_is_turned_as_a_viewer_shows_it(tmp_path):
    upright = decode(on_its_side(), "x")
    assert upright.size == (16, 32)
    red, _, blue = upright.getpixel((5, 2))
    assert red > 150 > blue  # its left is on top now
    assert min(upright.getpixel((15, 16))) > 200  # and its top on the right
    tar(tmp_path / "a.tar", samples(on_its_side(), flag()))
    assert index(tmp_path) == 0
    assert open_source(tmp_path).sizes()[0].tolist() == [[32, 16], [16, 32]]


def test_photos_held_in_memory_are_turned_too(tmp_path):
    picture = Image.open(io.BytesIO(on_its_side())).resize((16, 16))
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.jpg").write_bytes(encoded(picture, "JPEG", quality=95, exif=exif))
    record = Record("x", "a", [], "x", "x", "x", "MIT", "", "a.jpg")
    pixels = load_images(tmp_path, [record], 16)
    assert pixels[0, :, 8, 15].min() > 180


@pytest.mark.parametrize(
    ("bad", "ending", "reason"),
    [
        (cut_short(), "jpg", "truncated"),
        (deep(), "png", "mode I;16"),
        (b"", "jpg", "cannot be read"),
    ],
    ids=["cut short", "16 bits", "empty"],
)
def test_indexing_refuses_what_training_could_not_read(tmp_path, capsys, bad, ending, reason):
    members = samples(flag(), flag(), flag()) | {f"1.{ending}": bad}
    if ending != "jpg":
        del members["1.jpg"]
    tar(tmp_path / "a.tar", members)
    assert index(tmp_path) == 2
    error = capsys.readouterr().err
    assert "a.tar, sample 1 " in error
    assert reason in error
    assert "`--skip-bad` goes on without" in error
    assert not (tmp_path / shard_source.INDEX).exists()


def test_what_is_bad_is_left_out_counted_and_listed_on_request(tmp_path, capsys):
    tar(tmp_path / "a.tar", samples(flag(), cut_short(), flag()) | {"3.jpg": flag()})
    tar(tmp_path / "b.tar", samples(deep(), ending="png"))
    tar(tmp_path / "c.tar", samples(flag()))
    assert index(tmp_path, "--skip-bad") == 0
    assert "3 samples skipped, 3 left" in capsys.readouterr().err
    first, second, third = (tmp_path / indexing.SKIPPED).read_text().splitlines()
    assert "a.tar, sample 1 cannot be read as an image" in first
    assert "a.tar, sample 3: no caption" in second
    assert "b.tar, sample 0 is an image of mode I;16" in third
    source = open_source(tmp_path)
    assert [len(sizes) for sizes in source.sizes()] == [2, 1]
    assert source.read(0, 1).image == flag()


def test_a_folder_without_one_good_image_is_refused_all_the_same(tmp_path, capsys):
    tar(tmp_path / "a.tar", samples(cut_short(), cut_short()))
    assert index(tmp_path) == 2
    assert "1 more of this file cannot be used either" in capsys.readouterr().err
    assert index(tmp_path, "--skip-bad") == 2
    assert "holds no samples that can be used; see" in capsys.readouterr().err


def test_shards_that_are_as_they_were_are_not_decoded_again(tmp_path, monkeypatch):
    looked = []
    examine = indexing.examine
    monkeypatch.setattr(indexing, "examine", lambda *a: looked.append(a[1]) or examine(*a))
    tar(tmp_path / "a.tar", samples(flag(), cut_short()))
    assert index(tmp_path) == 2
    assert index(tmp_path, "--skip-bad") == 0
    assert len(looked) == 2
    first = json.loads((tmp_path / shard_source.INDEX).read_text())
    tar(tmp_path / "b.tar", samples(flag()))
    assert index(tmp_path, "--skip-bad") == 0
    assert len(looked) == 3
    second = json.loads((tmp_path / shard_source.INDEX).read_text())
    assert second["shards"][0] == first["shards"][0]
    assert second["sha256"] != first["sha256"]


# -- captions -------------------------------------------------------------------------------------


def test_a_downloaders_text_stands_in_for_a_caption_its_record_lacks(tmp_path):
    tar(
        tmp_path / "a.tar",
        {"0.jpg": flag(), "0.json": b'{"caption": null, "url": "x"}', "0.txt": b"a flag"},
    )
    assert index(tmp_path) == 0
    assert open_source(tmp_path).read(0, 0).caption == "a flag"


def test_names_have_dots_and_capitals(tmp_path):
    tar(tmp_path / "a.tar", {"x/IMG_1.v2.JPG": flag(), "x/IMG_1.v2.txt": b"a flag"})
    assert index(tmp_path) == 0
    assert open_source(tmp_path).read(0, 0).caption == "a flag"


def hub_table(folder: Path, caption: str) -> Path:
    """As a hub's library writes it: the image is a struct of bytes and path."""
    rows = [{"image": {"bytes": flag(), "path": f"{i}.jpg"}, caption: CAPTION} for i in range(5)]
    folder.mkdir()
    table = pyarrow.Table.from_pylist(rows)
    parquet.write_table(table, folder / "train-00000-of-00001.parquet")
    return folder


def test_a_caption_of_another_name_is_asked_for(tmp_path, capsys):
    folder = hub_table(tmp_path / "hub", "text")
    assert index(folder) == 2
    assert "has no column caption; its columns are image, text" in capsys.readouterr().err
    assert index(folder, "--caption-column", "text") == 0
    assert open_source(folder).read(0, 3).caption == CAPTION


def test_a_parquet_row_without_bytes_is_refused(tmp_path, capsys):
    table = pyarrow.Table.from_pylist([{"image": {"bytes": None, "path": "a.jpg"}, "caption": "a"}])
    parquet.write_table(table, tmp_path / "a.parquet")
    assert index(tmp_path) == 2
    assert "row 0 of group 0: column image must hold the bytes" in capsys.readouterr().err


# -- loose files ----------------------------------------------------------------------------------


def image_folder(folder: Path, form: str) -> Path:
    """Loose images: named by a metadata file in a folder of theirs, or each beside its text."""
    inside = folder / "train"
    inside.mkdir(parents=True)
    for number in range(5):
        (inside / f"{number}.jpg").write_bytes(flag())
        if form == "txt":
            (inside / f"{number}.txt").write_text(CAPTION + "\n")
    rows = [{"file_name": f"{number}.jpg", "text": CAPTION} for number in range(5)]
    if form == "jsonl":
        (inside / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if form == "csv":
        lines = ["file_name,text", *(f'{row["file_name"]},"{row["text"]}"' for row in rows)]
        (inside / "metadata.csv").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("form", "column"), [("jsonl", "text"), ("csv", "text"), ("txt", "caption")]
)
def test_loose_images_become_shards(tmp_path, form, column):
    loose, out = image_folder(tmp_path / "loose", form), tmp_path / "shards"
    arguments = ["--from", str(loose), "--out", str(out), "--samples", "3"]
    assert shards.main([*arguments, "--caption-column", column]) == 0
    source = open_source(out)
    assert [len(sizes) for sizes in source.sizes()] == [3, 2]
    assert (source.read(1, 1).caption, source.read(1, 1).image) == (CAPTION, flag())


def test_captions_of_a_table_keep_their_line_breaks(tmp_path):
    loose = image_folder(tmp_path / "csv", "csv")
    caption = "a cat\non a\u2028mat"
    (loose / "train" / "metadata.csv").write_text(f'file_name,text\n0.jpg,"{caption}"\n')
    assert [row["caption"] for _, row in read_loose(loose, caption="text")] == [caption]
    loose = image_folder(tmp_path / "jsonl", "jsonl")
    row = json.dumps({"file_name": "0.jpg", "text": caption}, ensure_ascii=False)
    (loose / "train" / "metadata.jsonl").write_text(row + "\n")
    assert [row["caption"] for _, row in read_loose(loose, caption="text")] == [caption]


def test_loose_images_are_refused_with_the_way_on(tmp_path, capsys):
    loose = image_folder(tmp_path / "loose", "jsonl")
    assert index(loose) == 2
    assert f"--from {loose} --out OTHER" in capsys.readouterr().err
    with pytest.raises(InputError, match="build it first") as refused:
        open_source(loose)
    assert "makes shards of its images" in refused.value.by_command
    arguments = ["--from", str(loose), "--out", str(tmp_path / "out")]
    assert shards.main(arguments) == 2
    assert "row 1 has no caption; it has file_name, text" in capsys.readouterr().err


def test_a_metadata_file_names_no_file_outside_its_folder(tmp_path, capsys):
    loose = image_folder(tmp_path / "loose", "jsonl")
    (tmp_path / "secret.jpg").write_bytes(flag())
    listed = loose / "train" / "metadata.jsonl"
    listed.write_text('{"file_name": "../../secret.jpg", "caption": "a"}\n')
    assert shards.main(["--from", str(loose), "--out", str(tmp_path / "out")]) == 2
    assert "lies outside its folder" in capsys.readouterr().err


def test_shards_without_an_index_are_refused_with_the_way_on(tmp_path):
    tar(tmp_path / "a.tar", samples(flag()))
    with pytest.raises(InputError, match="build it first") as refused:
        open_source(tmp_path)
    assert f"--index {tmp_path}` indexes its shards." in refused.value.by_command


# -- and they train -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["hub", "loose"])
def test_what_was_indexed_trains(tmp_path, config, form):
    folder = tmp_path / "shards"
    if form == "hub":
        assert index(hub_table(folder, "text"), "--caption-column", "text") == 0
    else:
        loose = image_folder(tmp_path / "loose", "txt")
        assert shards.main(["--from", str(loose), "--out", str(folder)]) == 0
    fewer = [f"{loop}.{key}=2" for loop in ("autoencoder_training", "denoiser_training")
             for key in ("steps", "warmup_steps")]  # fmt: skip
    settings = [part for each in fewer for part in ("--set", each)]
    arguments = [str(config), "--data", str(folder), "--out", str(tmp_path / "run"), *settings]
    assert train.main(arguments) == 0
    assert (tmp_path / "run" / "checkpoint").is_dir()
