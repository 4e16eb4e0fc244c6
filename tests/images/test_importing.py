"""An import is whole or not there, whatever comes between."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from PIL import Image

from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.images import processing, selectors, staging
from evalplatform.images.faults import FaultyRowsError
from evalplatform.images.models import CollectedImage, ImageCollection
from evalplatform.images.processing import ImageWorkshop, store_all
from evalplatform.images.services import importing, keeping, retire_collection
from evalplatform.promptsets.models import Prompt
from tests import factories, live
from tests.images import given
from tests.images.conftest import stored_names

pytestmark = pytest.mark.django_db


def staged_names() -> list[str]:
    return sorted(path.name for path in (Path(settings.VAR_DIR) / "imports").glob("*.sqlite*"))


def nothing_is_left(name="brought") -> bool:
    rows = ImageCollection.objects.count() + CollectedImage.objects.count()
    return not (rows or stored_names(name) or staged_names())


@pytest.fixture
def few(tmp_path) -> Path:
    """Three images for prompts 0, 1 and 2."""
    return given.folder(tmp_path / "few", {f"{n}.png": given.png(n) for n in range(3)})


@pytest.fixture
def many(tmp_path) -> Path:
    """Sixty images of one prompt: enough for a pool of processes."""
    return given.folder(tmp_path / "many", {f"0/{n}.png": given.png(n, 32) for n in range(60)})


# ---- what is stored -----------------------------------------------------------------------------


def test_image_is_stored_as_a_sample_is_and_its_row_says_so(bring, tmp_path):
    given.folder(tmp_path, {"0.jpg": given.turned_jpeg()})
    row = bring(tmp_path).collection.images.get()
    with default_storage.open(row.image) as file:
        content = file.read()
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.mode, image.info) == ("PNG", "RGB", {})
        assert image.size == (row.width, row.height) == (16, 32)
    assert b"secret-camera" not in content
    assert row.image_sha256 == factories.hashlib.sha256(content).hexdigest()
    assert row.source_sha256 == factories.hashlib.sha256(given.turned_jpeg()).hexdigest()
    assert row.is_constant is False


def test_few_images_leave_no_thread_and_no_file_open_in_this_process(tmp_path, monkeypatch):
    workers = []
    begin = processing._Worker
    monkeypatch.setattr(
        processing, "_Worker", lambda workshop: workers.append(begin(workshop)) or workers[-1]
    )
    before = tmp_path / "before.sqlite"
    before.touch()
    assert not list(store_all([], count=0, workshop=ImageWorkshop.of("brought", before)))
    (worker,) = workers
    with pytest.raises(RuntimeError, match="after shutdown"):
        worker._threads.submit(print)
    with pytest.raises(staging.sqlite3.ProgrammingError, match="closed"):
        worker._before.find("0" * 64)


def test_collection_says_where_it_is_from(bring, few, rania, things):
    found = bring(
        few, licence="CC BY 4.0", source="https://example.org", created_by=rania
    ).collection
    found.refresh_from_db()
    assert (found.model, found.licence, found.source) == (
        "DALL-E 3", "CC BY 4.0", "https://example.org",
    )  # fmt: skip
    assert (found.created_by, found.prompt_set, found.image_count) == (rania, things, 3)
    assert (found.status, found.left_out) == ("ready", {})
    assert not staged_names()


def test_same_pictures_in_other_files_are_the_same_collection(bring, few, tmp_path):
    again = given.folder(
        tmp_path / "again",
        {f"{n}.bmp": given.encoded(factories.make_image(n), "BMP") for n in range(3)},
    )
    other = given.folder(tmp_path / "other", {f"{n}.png": given.png(n + 1) for n in range(3)})
    first, second, third = bring(few), bring(again, name="again"), bring(other, name="other")
    assert first.collection.sha256 == second.collection.sha256 != third.collection.sha256


def test_pool_of_processes_stores_what_one_process_does(bring, many):
    shown = []
    one = bring(many, processes=1).collection
    pool = bring(
        many, name="pooled", processes=2, progress=lambda *where: shown.append(where)
    ).collection
    assert one.sha256 == pool.sha256
    assert [image.seed for image in pool.images.all()] == list(range(60))
    assert len(stored_names("pooled")) == 60
    assert shown[0] == (0, 60)
    assert shown[-1] == (60, 60)


def test_images_go_to_an_s3_store_too(images_in_s3, bring, many):
    collection = bring(many, processes=2).collection
    names = {f"images/{image.image}" for image in collection.images.all()}
    assert set(images_in_s3.keys()) == names


def test_import_changes_nothing_on_other_connections_until_it_is_whole(bring, few, monkeypatch):
    """All rows are written in one transaction: a fault in the last leaves none."""
    copy_in = keeping.copy_in

    def break_off(*given):
        copy_in(*given)
        raise RuntimeError("the server went away")

    monkeypatch.setattr(keeping, "copy_in", break_off)
    with pytest.raises(RuntimeError):
        bring(few)
    assert not ImageCollection.objects.exists()
    assert not CollectedImage.objects.exists()


# ---- what is refused ----------------------------------------------------------------------------


def refused_rows(bring, path, **options) -> list[str]:
    with pytest.raises(FaultyRowsError) as caught:
        bring(path, **options)
    assert not ImageCollection.objects.exists()
    return [str(fault) for fault in caught.value.faults]


def test_bad_images_are_all_named_and_can_be_left_out(bring, few):
    given.folder(few, {
        "3.gif": given.animated_gif(), "4_0.png": given.png(1, 64)[:-100], "4_1.png": b"x",
    })  # fmt: skip
    said = refused_rows(bring, few)
    assert [line.split(":")[0] for line in said] == ["3.gif", "4_0.png", "4_1.png"]
    assert "3.gif: is animated (3 frames); give a single picture" in said
    found = bring(few, skip_bad=True)
    assert found.collection.left_out == {"unreadable": 2, "refused": 1}
    assert [prompt.position for prompt in found.missing] == [3, 4]
    assert [str(fault) for fault in found.left_out] == said


def test_same_file_twice_for_a_prompt_is_refused_and_for_two_prompts_not(bring, few):
    given.folder(few, {"3.png": given.png(0), "0_9.png": given.png(0)})
    said = refused_rows(bring, few)
    assert said == ["0_9.png: is the same file as 0.png"]
    found = bring(few, skip_bad=True)
    assert (found.collection.image_count, found.collection.left_out) == (4, {"repeated": 1})


def test_same_file_twice_in_a_pool_is_refused(bring, tmp_path):
    given.folder(tmp_path, {"a.png": given.png(0), "b.png": given.png(0)})
    assert refused_rows(bring, tmp_path, prompt_set=None) == ["b.png: is the same file as a.png"]


def test_same_seed_twice_for_a_prompt_is_refused(bring, tmp_path):
    given.folder(tmp_path, {"0_3.png": given.png(0), "0_003.png": given.png(1)})
    assert refused_rows(bring, tmp_path) == [
        "0_3.png: its prompt has an image of seed 3 already (0_003.png)"
    ]


def test_rows_are_refused_before_any_image_is_decoded(bring, few, monkeypatch):
    given.folder(few, {"99.png": given.png(0)})
    monkeypatch.setattr(importing, "store_all", lambda *a, **k: pytest.fail("was decoded"))
    assert refused_rows(bring, few) == ["99.png: '99' is neither key nor text of a prompt"]
    assert nothing_is_left()


def test_where_every_row_is_left_out_nothing_is_made(bring, tmp_path):
    given.folder(tmp_path, {"0.png": b"x", "1.png": b"y"})
    with pytest.raises(BadInputError, match="all 2 rows are left out"):
        bring(tmp_path, skip_bad=True)
    assert nothing_is_left()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "two words"}, "'two words' cannot name a collection"),
        ({"name": "x" * 81}, "the name is over 80 characters"),
        ({"licence": "x" * 201}, "the licence is over 200 characters"),
    ],
)
def test_bad_names_are_refused(bring, few, options, said):
    with pytest.raises(BadInputError, match=said):
        bring(few, **options)
    assert nothing_is_left()


def test_taken_name_is_refused(bring, few):
    bring(few)
    with pytest.raises(BadInputError, match="'brought' is there already \\(3 images"):
        bring(few)
    factories.make_checkpoint("tuned")
    with pytest.raises(BadInputError, match="a checkpoint is named 'tuned' already"):
        bring(few, name="tuned")


def test_name_taken_meanwhile_is_refused_in_one_line(bring, few, monkeypatch):
    bring(few)
    monkeypatch.setattr(importing, "_refuse_taken", lambda *given: None)
    with pytest.raises(BadInputError, match="'brought' was imported meanwhile"):
        bring(few)
    assert ImageCollection.objects.get().image_count == 3


def test_two_imports_of_one_name_at_once_are_refused(bring, few):
    with (
        staging.staging("brought"),
        pytest.raises(BadInputError, match="an import named 'brought' is running"),
    ):
        bring(few)


# ---- what is interrupted ------------------------------------------------------------------------


def test_refused_import_goes_on_with_what_was_stored(bring, few, monkeypatch):
    given.folder(few, {"3.png": b"x"})
    refused_rows(bring, few)
    before = stored_names()
    assert len(before) == 3
    given.folder(few, {"3.png": given.png(7)})
    made = []
    monkeypatch.setattr(
        processing, "decode", lambda data: made.append(1) or factories.make_image(7)
    )
    assert bring(few).collection.image_count == 4
    assert len(made) == 1
    assert before < stored_names()
    assert not staged_names()


def test_images_that_are_not_wanted_in_the_end_are_removed(bring, few):
    given.folder(few, {"3.png": b"x"})
    refused_rows(bring, few)
    (few / "3.png").unlink()
    given.folder(few, {"2.png": given.png(8)})  # another picture than before
    collection = bring(few).collection
    assert stored_names() == {image.image for image in collection.images.all()}
    assert len(stored_names()) == 3


def test_stored_image_that_is_gone_is_made_again(bring, few):
    given.folder(few, {"3.png": b"x"})
    refused_rows(bring, few)
    for name in stored_names():
        default_storage.delete(name)
    collection = bring(few, skip_bad=True).collection
    assert stored_names() == {image.image for image in collection.images.all()}


def test_import_that_nobody_went_on_with_is_removed_after_a_week(bring, few, tmp_path):
    given.folder(few, {"3.png": b"x"})
    refused_rows(bring, few)
    assert staged_names() == ["brought.sqlite"]
    other = given.folder(tmp_path / "other", {"0.png": given.png(5)})
    bring(other, name="within-the-week")
    assert len(stored_names()) == 3
    long_ago = time.time() - 8 * 24 * 3600
    os.utime(Path(settings.VAR_DIR) / "imports" / "brought.sqlite", (long_ago, long_ago))
    bring(other, name="later")
    assert not stored_names()
    assert not staged_names()


def test_broken_staging_file_is_begun_anew(bring, few):
    folder = Path(settings.VAR_DIR) / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "brought.sqlite").write_bytes(b"half a page" * 1000)
    assert bring(few).collection.image_count == 3


def command(path, *options) -> list[str]:
    return [
        sys.executable, "manage.py", "import_images", str(path), "--name", "brought",
        "--model", "M",
        "--prompts", "things", *options,
    ]  # fmt: skip


def decoders() -> list[psutil.Process]:
    """Return the processes that decode images for this one."""
    children = psutil.Process().children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "did not come"
        time.sleep(0.02)
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_import_leaves_no_rows_and_goes_on(bring, tmp_path, how):
    """Its processes end with it, and what it stored is used by the next run."""
    count = 300
    pictures = (given.encoded(factories.make_image(n, 256), "BMP") for n in range(count))
    many = given.folder(tmp_path, {f"0/{n}.bmp": each for n, each in enumerate(pictures)})
    with (Path(settings.VAR_DIR) / "import.log").open("wb") as log:
        process = subprocess.Popen(
            command(many, "--processes", "2"), env=live.environment(), stdout=log, stderr=log
        )
        wait_for(lambda: len(stored_names()) > 30)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        process.send_signal(how)
        process.wait(30)
    assert process.returncode != 0
    wait_for(lambda: not any(child.is_running() for child in children))
    assert not ImageCollection.objects.exists()
    assert not CollectedImage.objects.exists()
    before = len(stored_names())
    assert 30 < before < count
    collection = bring(many).collection
    assert collection.image_count == count
    assert stored_names() == {image.image for image in collection.images.all()}
    assert not staged_names()


def test_interrupted_import_leaves_no_rows_and_goes_on(bring, many):
    def interrupt(done, count):
        if done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(many, processes=2, progress=interrupt)
    assert not ImageCollection.objects.exists()
    before = len(stored_names())
    assert 20 < before <= 60
    assert not decoders()
    assert bring(many).collection.image_count == len(stored_names()) == 60


def test_process_that_dies_is_told_in_one_line(bring, many, monkeypatch):
    def give_and_kill(self):
        for position, file in self.staged.waiting():
            yield position, Path(file)
            if position == 20:
                for child in decoders():
                    child.kill()

    monkeypatch.setattr(importing._Run, "given", give_and_kill)
    with pytest.raises(EvalPlatformError, match="was ended from outside"):
        bring(many, processes=2)
    monkeypatch.undo()
    assert bring(many).collection.image_count == 60


# ---- what the database keeps --------------------------------------------------------------------


def test_database_refuses_an_image_for_a_prompt_of_another_set(bring, few):
    row = bring(few).collection.images.get(position=2)
    other = factories.make_prompt_set("others", 1).prompts.get()
    row.pk, row.position, row.prompt, row.source_sha256 = None, 9, other, "0" * 64
    with pytest.raises(IntegrityError, match="has no prompt of its collection's prompt set"):
        row.save(force_insert=True)


def test_database_refuses_any_change_of_a_collection(bring, few, things):
    collection = bring(few).collection
    for change in (
        lambda: collection.images.update(image="other.png"),
        lambda: ImageCollection.objects.update(prompt_set=None),
        lambda: ImageCollection.objects.update(sha256="0" * 64),
        lambda: ImageCollection.objects.update(name="renamed"),
    ):
        with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
            change()


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"prompt": None}, "collected_index_with_a_prompt"),
        ({"position": 0, "source_sha256": "0" * 64}, "collected_unique_position"),
        ({"index": 0, "source_sha256": "0" * 64}, "collected_unique_index"),
        ({}, "collected_once_a_prompt"),
        ({"source_sha256": "no hash"}, "collected_hashes_are_hex"),
        ({"image": "", "source_sha256": "0" * 64}, "collected_has_an_image"),
    ],
)
def test_database_keeps_the_invariants_of_images(bring, few, change, constraint):
    row = bring(few).collection.images.get(position=2)
    row.pk, row.position, row.index = None, 9, 9
    for name, value in change.items():
        setattr(row, name, value)
    with pytest.raises(IntegrityError, match=constraint):
        row.save(force_insert=True)


# ---- reading ------------------------------------------------------------------------------------


def test_images_of_each_prompt_come_in_their_order(bring, things, tmp_path, monkeypatch):
    monkeypatch.setattr(selectors, "_PROMPTS_AT_A_TIME", 2)
    files = {"2_9.png": given.png(0), "2_1.png": given.png(1), "0.png": given.png(2)}
    collection = bring(given.folder(tmp_path, files)).collection
    asked = list(Prompt.objects.filter(position__in=[0, 1, 2]).order_by("-position"))
    found = selectors.images_for(collection, asked)
    assert list(found) == [prompt.pk for prompt in asked]
    seeds = {
        Prompt.objects.get(pk=key).position: [i.seed for i in each] for key, each in found.items()
    }
    assert seeds == {2: [1, 9], 1: [], 0: [None]}


def test_retired_collection_is_refused_to_new_campaigns(bring, few, rania):
    collection = bring(few).collection
    assert retire_collection(collection=collection, user=rania, now=timezone.now())
    assert not retire_collection(collection=collection, user=None, now=timezone.now())
    assert collection.retired_by == rania
    with pytest.raises(BadInputError, match=r"'brought' was retired on .* usable: none"):
        selectors.refuse_retired_collection(collection)
    with pytest.raises(BadInputError, match="no image collection 'x'; usable: none yet"):
        selectors.collection_named("x")
    call_command("retire_collection", "brought", "--restore")
    selectors.refuse_retired_collection(selectors.collection_named("brought"))


# ---- the command --------------------------------------------------------------------------------


def test_command_lists_what_is_missing_and_left_out(things, few, capsys):
    given.folder(few, {"3.gif": given.animated_gif(), "77.png": given.png(9)})
    options = {"name": "brought", "model": "DALL-E 3", "prompts": "things"}
    with pytest.raises(CommandError, match="1 of 5 rows cannot be imported, so nothing was"):
        call_command("import_images", str(few), **options)
    assert "1 match no prompt of the set:\n  77.png: '77' is neither" in capsys.readouterr().err
    call_command("import_images", str(few), skip_bad=True, **options)
    out, err = capsys.readouterr()
    assert "3.gif: is animated (3 frames)" in err
    assert "note: 2 prompts of the set have no image:\n  3: 'un café'\n  4: '12 eggs'" in err
    assert out.startswith("imported brought: 3 images of DALL-E 3 for things@1, 2 rows left out")


def test_command_names_ten_and_counts_the_rest(things, tmp_path, capsys):
    given.folder(tmp_path, {f"{n}.png": b"" for n in range(100, 125)})
    with pytest.raises(CommandError, match="25 of 25 rows"):
        call_command("import_images", str(tmp_path), name="x", model="M", prompts="things")
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "is neither" in line]) == 10
    assert "  and 15 more" in lines


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--column", "prompt"], "give FIELD=NAME"),
        (["--processes", "0"], "outside 1 to 256"),
        (["--by", "nobody"], "no user 'nobody'"),
        (["--prompts", "none"], "no prompt set 'none'"),
    ],
)
def test_command_refuses_bad_options(things, few, options, said):
    with pytest.raises(CommandError, match=said):
        call_command("import_images", str(few), "--name", "x", "--model", "M", *options)
