"""Scoring a folder of good and spoilt images, applying rules, writing the pool."""

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib

import imagehash
import numpy as np
import pytest
from PIL import Image

from models_backend.curation.__main__ import main
from models_backend.curation.pool import read_entries, read_image, read_mark
from models_backend.curation.reading import read_picture
from models_backend.curation.scorers import registry
from models_backend.curation.scorers.base import ScorerIdentity
from models_backend.curation.scorers.duplicates import gradient_of_grey, hash_of_grey
from models_backend.curation.scorers.pixels import measure
from models_backend.curation.scorers.told import of_caption
from models_backend.curation.scoring import Task, score, score_shard
from models_backend.curation.sources import Shard, find_items, plan_shards
from models_backend.curation.store import Store
from models_backend.data.shards import write_shards
from models_backend.errors import InputError
from tests.models_backend.tiny import write_dataset

PLAIN = ("pixels", "duplicates", "concepts", "popularity")
WITH = {"popularity": "likes"}


def picture(seed, size=(24, 18)):
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    )


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.fixture
def haystack(tmp_path):
    """Loose images, of which three cannot be read."""
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying
    frames = [picture(9), picture(10)]
    files = {
        "good.png": encoded(picture(0)),
        "again.png": encoded(picture(0)),
        "cmyk.jpg": encoded(picture(1).convert("CMYK"), "JPEG"),
        "turned.jpg": encoded(picture(2), "JPEG", exif=exif),
        "moving.webp": encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        "deep.png": encoded(Image.fromarray(np.full((9, 9), 40_000, np.uint16))),
        "empty.png": b"",
        "cut.png": encoded(picture(3, (99, 99)))[:900],
    }
    folder = tmp_path / "hay"
    folder.mkdir()
    lines = []
    for number, (name, data) in enumerate(files.items()):
        (folder / name).write_bytes(data)
        likes = {"good.png": "many", "cmyk.jpg": -3}.get(name, number)
        lines.append(json.dumps({"file_name": name, "caption": f"a dog, {number}", "likes": likes}))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder


def rows(scores):
    table = Store(scores).images(["file", "error", "image_sha256"]).to_pylist()
    return {row["file"]: row for row in table}


def test_spoilt_image_is_a_row_and_is_never_read_again(haystack, tmp_path):
    out = tmp_path / "scores"
    task = Task(haystack, out, PLAIN, WITH)
    count = score(task)
    assert (count.images, count.scored, count.unreadable) == (8, 4, 3)
    found = rows(out)
    wrong = {name for name, row in found.items() if row["error"]}
    assert wrong == {"deep.png", "empty.png", "cut.png"}
    assert "8 bits a channel" in found["deep.png"]["error"]
    parts = list(Store(out).parts())
    # The image that is there twice, with two captions, is read twice only by who reads captions.
    assert [len(part.scorers) for part in parts] == [5, 2]
    assert score(task).known == 8
    assert list(Store(out).parts()) == parts
    # One more scorer looks at what there is; the others do not look again.
    register()
    score(Task(haystack, out, (*PLAIN, "counted"), WITH))
    assert [p.scorers[0].name for p in Store(out).parts()] == ["size", "concepts", "counted"]
    assert list(Store(out).parts())[2].columns[3:] == ("counted/images",)


class Counted:
    """Fails on one image, and says how often it was asked."""

    identity = ScorerIdentity("counted", "1")
    measures = {"images": "int64"}
    reads_fields = False

    def score(self, samples):
        if any(sample.image.height > sample.image.width for sample in samples):
            raise RuntimeError("too tall")
        return [{"images": len(samples)} for _ in samples]


def register():
    registry.register_scorer("counted", lambda option: Counted())
    return True


@pytest.fixture(autouse=True)
def _forget_scorers(monkeypatch):
    monkeypatch.setattr(registry, "_LOADERS", dict(registry._LOADERS))


def test_pool_holds_the_original_bytes_with_scores_and_reasons(haystack, tmp_path, capsys):
    register()
    scores, out = tmp_path / "scores", tmp_path / "pool"
    arguments = ["score", "--data", str(haystack), "--out", str(scores), "--scorers",
                 ",".join((*PLAIN, "counted")), "--with", "popularity=likes"]  # fmt: skip
    assert main(arguments) == 0
    rules = tmp_path / "r.toml"
    rules.write_text(
        '[[stage]]\nname = "still"\nkeep = ["size/frames == 1"]\n'
        '[[stage]]\nname = "best"\ntake = 9\norder = "popularity/rank_in_concept"\n'
    )
    arguments = ["select", "--rules", str(rules), "--scores", str(scores), "--data",
                 str(haystack), "--out", str(out)]  # fmt: skip
    assert main(arguments) == 0
    mark, entries = read_mark(out), list(read_entries(out))
    assert mark.images == len(entries) == 3
    assert mark.scorers["pixels"] == {"name": "pixels", "version": "1", "weights_sha256": ""}
    turned = next(e for e in entries if (e.width, e.height) == (18, 24))
    assert read_image(out, turned) == (haystack / "turned.jpg").read_bytes()
    assert (turned.file[-4:], turned.concept, turned.popularity) == (".jpg", "Animals", 3.0)
    assert turned.scores["counted/images"] is None  # too tall for that scorer
    others = [e for e in entries if e != turned]
    assert {e.popularity for e in others} == {None, 1.0}  # negative; the other has two places
    told = json.loads((out / "funnel.json").read_text())
    assert [s["kept"] for s in told["stages"]] == [4, 3, 3]
    assert (out / "audit" / "01.png").stat().st_size > 1000
    assert "size/frames == 1" in (out / "audit" / "index.html").read_text()
    (haystack / "turned.jpg").write_bytes(b"other")
    arguments[-1] = str(tmp_path / "second")
    assert main(arguments) == 2
    assert "is not what was scored" in capsys.readouterr().err


def test_shards_are_scored_one_by_one_and_pooled(tmp_path):
    data = write_dataset(tmp_path / "data")
    for kind in ("tar", "parquet"):
        shards, scores = tmp_path / kind, tmp_path / f"scores-{kind}"
        write_shards(data, shards, kind=kind, samples=5)
        task = Task(shards, scores, ("pixels",))
        jobs = plan_shards(shards, size=5)
        assert [job.file for job in jobs] == [f"{n:05d}.{kind}" for n in range(3)]
        assert [score_shard(task, job).scored for job in jobs] == [5, 5, 2]
        assert score(task).known == 12
        rules = tmp_path / "r.toml"
        rules.write_text('[[stage]]\nname = "a"\ntake = 4\norder = "-pixels/sharpness"')
        out = tmp_path / f"pool-{kind}"
        arguments = ["select", "--rules", str(rules), "--scores", str(scores), "--data",
                     str(shards), "--out", str(out), "--no-audit"]  # fmt: skip
        assert main(arguments) == 0
        kept = {(e.sha256, e.caption, e.licence) for e in read_entries(out)}
        assert len(kept) == 4
    with pytest.raises(InputError, match="no shard"):
        score_shard(task, Shard("9.tar"))


def test_source_is_cut_into_jobs_that_hold_each_image_once(haystack, tmp_path):
    data = write_dataset(tmp_path / "data")
    write_shards(data, tmp_path / "parquet", kind="parquet", samples=7)
    for source, sizes in ((haystack, [3, 3, 2]), (data, [3] * 4), (tmp_path / "parquet", [3, 3, 1,
                          3, 2])):  # fmt: skip
        jobs = plan_shards(source, size=3)
        found = [[item.place for item in find_items(source, shard=job)] for job in jobs]
        assert [len(each) for each in found] == sizes
        assert [place for each in found for place in each] == [
            item.place for item in find_items(source)
        ]
    with pytest.raises(InputError, match="at least 1"):
        plan_shards(data, size=0)


def test_shard_told_to_stop_keeps_what_it_has_and_goes_on(tmp_path):
    data = tmp_path / "many"
    data.mkdir()
    for number in range(70):
        picture(number, (8, 8)).save(data / f"{number}.png")
    task, told = Task(data, tmp_path / "scores", ("pixels",)), []
    first = score_shard(task, Shard(), goes_on=lambda count: told.append(count.looked))
    assert (first.looked, first.scored, first.is_whole, told) == (32, 32, False, [32])
    second = score_shard(task, Shard())
    assert (second.looked, second.known, second.scored, second.is_whole) == (70, 32, 38, True)
    assert len(Store(task.out).images(["file"])) == 70


def test_two_versions_are_not_mixed_and_unscored_images_are_told(haystack, tmp_path):
    from models_backend.curation.rules import read_rules
    from models_backend.curation.selecting import apply

    scores, rules = tmp_path / "scores", tmp_path / "r.toml"
    rule = '[[stage]]\nname = "a"\nkeep = ["counted/images > 0"]\n'
    register()
    for version in ("1", "2"):
        Counted.identity = ScorerIdentity("counted", version)
        score(Task(haystack, scores, ("counted",)))
    Counted.identity = ScorerIdentity("counted", "1")
    rules.write_text(rule)
    with pytest.raises(InputError, match="must not be mixed"):
        apply(scores, read_rules(rules))
    rules.write_text(rule + '[versions]\ncounted = "2"')
    assert len(apply(scores, read_rules(rules)).decision.kept) == 3
    (haystack / "new.png").write_bytes(encoded(picture(77)))
    with (haystack / "metadata.jsonl").open("a") as file:
        file.write('\n{"file_name": "new.png", "caption": "a cat", "likes": 1}')
    score(Task(haystack, scores, ("pixels",)))
    with pytest.raises(InputError, match="1 of 8 images have no counted/images"):
        apply(scores, read_rules(rules))
    rules.write_text('[[stage]]\nname = "a"\nkeep = ["clip/cosine > 0"]')
    with pytest.raises(InputError, match="the rules name clip/cosine"):
        apply(scores, read_rules(rules))


def test_killed_run_goes_on_and_scores_nothing_twice(tmp_path):
    data = tmp_path / "many"
    data.mkdir()
    for number in range(300):
        (data / f"{number:03d}.png").write_bytes(encoded(picture(number)))
    out = tmp_path / "scores"
    program = (
        "from pathlib import Path; from models_backend.curation import scoring; "
        "scoring._FLUSH_SECONDS = 0; scoring._CHUNK = 8; scoring.score(scoring.Task("
        f"Path({str(data)!r}), Path({str(out)!r}), ('pixels', 'duplicates')), processes=PROCESSES)"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", program.replace("PROCESSES", "1")], stderr=subprocess.DEVNULL
    )
    while not list(out.glob("scores/*.parquet")):
        assert first.poll() is None
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = sum(1 for _ in Store(out).parts())
    done = subprocess.run(
        [sys.executable, "-c", program.replace("PROCESSES", "2")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    import pyarrow.parquet

    hashes = [
        h for part in Store(out).parts()
        for h in pyarrow.parquet.read_table(part.path)["image_sha256"].to_pylist()
    ]  # fmt: skip
    assert len(hashes) == len(set(hashes)) == 300
    assert before < sum(1 for _ in Store(out).parts())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scorers", "taste"], "no scorer 'taste'; known: aesthetic, appeal"),
        (["--scorers", "size", "--with", "ocr=x"], "ocr, which is not among"),
        (["--scorers", "popularity"], "--with popularity=likes"),
        (["--scorers", "size", "--with", "size"], "SCORER=OPTION"),
        (["--scorers", "size", "--processes", "0"], "at least 1"),
    ],
)
def test_wrong_arguments_are_told(haystack, tmp_path, capsys, arguments, said):
    asked = ["score", "--data", str(haystack), "--out", str(tmp_path / "s"), *arguments]
    assert main(asked) == 2
    assert said in capsys.readouterr().err


def test_perceptual_hashes_are_those_of_imagehash():
    for seed in range(6):
        smooth = picture(seed, (6, 5)).resize((90, 70), Image.Resampling.BICUBIC)
        grey = smooth.convert("L")
        pairs = [
            (hash_of_grey(grey, clearly=0), imagehash.phash(smooth)),
            (gradient_of_grey(grey, steeply=0), imagehash.dhash(smooth)),
        ]
        for ours, peer in pairs:
            assert ours == int("".join("1" if bit else "0" for bit in peer.hash.ravel()), 2)


def test_pixel_measures_say_what_they_are_called():
    flat = Image.new("RGB", (40, 30), (250, 20, 20))
    half = Image.new("RGB", (40, 30), "white")
    half.paste("black", (0, 0, 20, 30))
    told = measure(half)
    assert (told["sharpness"], told["contrast"], told["single_colour"]) == (0.5, 0.5, 0.5)
    assert (told["darkest"], told["brightest"], told["colourfulness"]) == (0, 1, 0)
    assert measure(flat)["colourfulness"] > 0.2
    assert measure(flat)["sharpness"] == measure(flat)["noise"] == 0
    assert measure(picture(0))["noise"] > 0.5


def test_concept_is_found_by_the_longest_phrase_of_a_caption():
    assert of_caption("A photo of a dog on grass") == "Animals"
    assert of_caption("nothing of the kind") == "other"


def test_bomb_is_refused_by_its_header():
    header = struct.pack(">4sIIBBBBB", b"IHDR", 30_000, 30_000, 1, 0, 0, 0, 0)
    small = encoded(Image.new("1", (1, 1)))
    bomb = small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
    with pytest.raises(InputError, match=r"bomb|too many|exceeds"):
        read_picture(bomb)
