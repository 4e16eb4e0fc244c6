"""Every file of the hostile corpus is refused with a reason, and leaves nothing behind."""

import tracemalloc

import pytest

from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.core.errors import BadInputError
from tests.checkpoints import hostile, hostile_words  # noqa: F401  # the second fills the corpus

pytestmark = pytest.mark.django_db
LIMIT = 16 * 2**20  # bytes an archive may unpack to in these tests
MEMORY = 200 * 2**20  # bytes; the largest JSON that is read at all is 64 MB


@pytest.fixture
def registry(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    settings.CHECKPOINT_MAX_BYTES = LIMIT
    return settings.CHECKPOINT_DIR


@pytest.mark.parametrize("name", hostile.MAKERS)
def test_hostile_file_is_refused_and_leaves_nothing(name, registry, tmp_path):
    (tmp_path / "in").mkdir()
    canary = tmp_path / "canary"
    source = hostile.MAKERS[name](tmp_path / "in", canary)
    tracemalloc.start()
    try:
        with pytest.raises(BadInputError) as refusal:
            register_checkpoint(project=default_project(), source=source, name="evil")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY
    assert len(str(refusal.value)) > 30  # says what and why
    assert "\n" not in str(refusal.value)
    assert not Checkpoint.objects.exists()
    assert list(registry.iterdir()) == []  # the quarantine too
    assert {path.name for path in tmp_path.iterdir()} == {"in", "registry"}


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz"])
@pytest.mark.parametrize("top", ["", "my-model/"])
def test_the_same_pipeline_packed_plainly_is_accepted_and_known_again(
    suffix, top, registry, tmp_path
):
    plain = hostile.pipeline(tmp_path / "plain")
    (plain / ".gitattributes").write_text("left out")
    (plain / "preview.png").write_bytes(b"left out")
    first, _ = register_checkpoint(project=default_project(), source=plain, name="sd")
    archive = tmp_path / f"sd{suffix}"
    pack(plain, archive, top)
    again, is_new = register_checkpoint(project=default_project(), source=archive)
    assert (again, is_new) == (first, False)
    assert first.parameters == {"F32": 4}
    assert {path.name for path in registry.iterdir()} == {first.sha256}
    assert sorted(path.name for path in first.directory.iterdir()) == ["model_index.json", "unet"]


def test_archive_alone_is_enough(registry, tmp_path):
    archive = tmp_path / "sd.zip"
    pack(hostile.pipeline(tmp_path / "plain"), archive, "")
    checkpoint, is_new = register_checkpoint(project=default_project(), source=archive)
    assert is_new
    assert checkpoint.name == "sd"
    assert checkpoint.config == {"pipeline": "StableDiffusionPipeline"}
    assert (checkpoint.directory / hostile.WEIGHTS).is_file()


def pack(folder, archive, top):
    files = [path for path in folder.rglob("*") if path.is_file()]
    if archive.suffix == ".zip":
        hostile.zipped(
            archive, {f"{top}{path.relative_to(folder)}": path.read_bytes() for path in files}
        )
        return
    import tarfile

    with tarfile.open(archive, "w" if archive.suffix == ".tar" else "w:gz") as opened:
        for path in files:
            opened.add(path, f"{top}{path.relative_to(folder)}")
