"""Hashes remembered by a worker: weights are read once, and a changed file is still found."""

import os
import shutil
import time
from pathlib import Path

import pytest

from models_backend import checkpoints
from models_backend.checkpoint_format import file_sha256
from models_backend.checkpoints import directory, known_hashes
from models_backend.checkpoints.known_hashes import KnownHashes
from models_backend.errors import CheckpointError


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read, in order."""
    files: list[Path] = []
    monkeypatch.setattr(
        known_hashes, "file_sha256", lambda path: files.append(path) or file_sha256(path)
    )
    return files


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment is long enough for a file to be taken as settled."""
    monkeypatch.setattr(known_hashes, "_SETTLED_NS", 10_000_000)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"first")
    return path


def wait() -> None:
    time.sleep(0.03)


def test_file_is_read_once(read, settled, weights):
    known = KnownHashes()
    wait()
    assert known.sha256(weights) == known.sha256(weights) == file_sha256(weights)
    assert read == [weights]


def test_file_written_just_now_is_read_again(read, weights):
    known = KnownHashes()
    assert known.sha256(weights) == known.sha256(weights)
    assert read == [weights, weights]


def test_change_of_equal_size_is_found_though_its_time_was_set_back(settled, weights):
    known = KnownHashes()
    wait()
    first, told = known.sha256(weights), weights.stat()
    weights.write_bytes(b"other")
    os.utime(weights, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert weights.stat().st_mtime_ns == told.st_mtime_ns
    assert known.sha256(weights) == file_sha256(weights) != first


def test_another_file_in_its_place_is_found(settled, weights):
    known = KnownHashes()
    wait()
    first = known.sha256(weights)
    other = weights.with_name("other")
    other.write_bytes(b"other")
    other.replace(weights)
    assert known.sha256(weights) != first


def test_file_that_changes_while_it_is_read_is_not_remembered(monkeypatch, settled, weights):
    def read_then_change(path: Path) -> str:
        digest = file_sha256(path)
        path.write_bytes(b"other")
        return digest

    known = KnownHashes()
    wait()
    monkeypatch.setattr(known_hashes, "file_sha256", read_then_change)
    first = known.sha256(weights)
    monkeypatch.undo()
    assert known.sha256(weights) == file_sha256(weights) != first


def test_memory_of_hashes_is_bounded(monkeypatch, settled, read, tmp_path):
    monkeypatch.setattr(known_hashes, "_MOST_FILES", 2)
    files = [tmp_path / name for name in "abc"]
    for file in files:
        file.write_bytes(b"")
    wait()
    known = KnownHashes()
    for file in files:
        known.sha256(file)
    assert len(known._known) == 1


def test_checkpoint_loaded_twice_is_hashed_once_and_a_change_is_found_after_that(
    monkeypatch, settled, read, tmp_path, checkpoint_dir
):
    """The directory is a registry's: by its hash, and nobody writes to it."""
    monkeypatch.setattr(directory, "_KNOWN", KnownHashes())
    folder = tmp_path / checkpoints.read_metadata(checkpoint_dir)["sha256"]
    shutil.copytree(checkpoint_dir, folder)
    wait()
    read.clear()
    checkpoints.load(folder, "cpu")
    hashed = len(read)
    assert hashed == len(checkpoints.read_metadata(folder)["files"])
    checkpoints.load_pipeline(folder, "cpu")
    assert len(read) == hashed

    path = next(folder.rglob("*.safetensors"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=rf"{path.name}\); copy it again"):
        checkpoints.load_pipeline(folder, "cpu")
