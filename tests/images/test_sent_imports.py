"""Images that are sent by a page: imported by a worker as `import_images` imports them."""

import gzip
import io
import json
import shutil
import tarfile
import zipfile
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.utils import timezone

from evalplatform.accounts.members import create_project
from evalplatform.accounts.models import User
from evalplatform.accounts.projects import default_project
from evalplatform.core.errors import BadInputError
from evalplatform.images.models import CollectedImage, ImageCollection, ImageImport
from evalplatform.images.reading.sent import unpack_archives
from evalplatform.images.services import sent_imports
from tests import factories
from tests.images import given
from tests.images.conftest import stored_names
from tests.uploads.sending import begin, send

pytestmark = pytest.mark.django_db
PAGE = "/models/images/import/"


@pytest.fixture(autouse=True)
def woken(monkeypatch, tmp_path, settings):
    """The imports that workers were woken for."""
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    keys = []
    monkeypatch.setattr(sent_imports, "_wake", keys.append)
    return keys


@pytest.fixture
def sender(client, rania):
    client.force_login(rania)
    return client


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: dict[str, bytes], packed="", **more: tarfile.TarInfo) -> bytes:
    """A tar of files, and of members that are none: by name, what `TarInfo` says of them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{packed}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in more.values():
            archive.addfile(member)
    return out.getvalue()


def special(name: str, kind: bytes, target="") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def said(things, **more):
    return {"name": "sent", "model": "DALL-E 3", "prompt_set": things.pk if things else ""} | more


@pytest.fixture
def run(sender, things, django_capture_on_commit_callbacks, woken):
    """Send files, begin their import and do it, as a worker does."""

    def run(files: dict[str, bytes], prompt_set=things, **more) -> ImageImport:
        sent = ",".join(send(sender, name, content) for name, content in files.items())
        with django_capture_on_commit_callbacks(execute=True):
            answer = sender.post(PAGE, said(prompt_set, sent=sent, **more))
        assert answer.status_code == 302, answer.content.decode()
        (key,) = woken
        woken.clear()
        return sent_imports.run_import(key=key, now=timezone.now())

    return run


def rows(name: str) -> list[tuple]:
    fields = ("position", "prompt__text", "index", "seed", "caption", "image_sha256",
              "source_sha256", "metadata")  # fmt: skip
    return list(CollectedImage.objects.filter(collection__name=name).values_list(*fields))


IMAGES = {f"{key}_{seed}.png": given.png(10 * key + seed) for key in range(3) for seed in (1, 2)}
TABLE = "".join(
    json.dumps({"image": name, "key": int(name[0]), "seed": 7 + int(name[2]), "mood": "calm"})
    + "\n"
    for name in IMAGES
).encode()


def table_of_bytes(tmp_path: Path) -> bytes:
    rows = [{"image": {"bytes": content, "path": name}, "key": int(name[0])}
            for name, content in IMAGES.items()]  # fmt: skip
    return given.parquet(tmp_path / "given.parquet", rows).read_bytes()


@pytest.mark.parametrize(
    "way",
    ["files", "folder", "zip", "zip with a folder", "tar", "tar.gz", "shards", "table", "parquet"],
)
def test_what_is_sent_is_imported_as_by_the_command(way, run, bring, tmp_path):
    here = given.folder(tmp_path / "here", IMAGES)
    sent = {
        "files": IMAGES,
        "folder": {f"here/{name}": content for name, content in IMAGES.items()},
        "zip": {"all.zip": zipped(IMAGES)},
        "zip with a folder": {"all.zip": zipped(
            {f"here/{name}": content for name, content in IMAGES.items()}
            | {"__MACOSX/here/._0_1.png": b"left behind", "here/.DS_Store": b"too"})},
        "tar": {"all.tar": tarred({f"here/{name}": each for name, each in IMAGES.items()}
                                  | {"here/._0_1.png": b"left behind"})},
        "tar.gz": {"all.tar.gz": tarred(IMAGES, "gz")},
        # As sharded data sets are: a text and a record beside each image.
        "shards": {
            f"0000{shard}.tar": tarred(
                {name: each for name, each in IMAGES.items() if int(name[0]) % 2 == shard}
                | {f"{shard}.txt": b"a cat", f"{shard}.json": b"{}"})
            for shard in (0, 1)},
        "table": {**IMAGES, "rows.jsonl": TABLE},
        "parquet": {"given.parquet": table_of_bytes(tmp_path)},
    }[way]  # fmt: skip
    if way == "table":
        (here / "rows.jsonl").write_bytes(TABLE)
        here = here / "rows.jsonl"
    if way == "parquet":
        here = tmp_path / "given.parquet"
    by_command = bring(here, name="command").collection
    begun = run(sent)
    assert (begun.state, begun.error, begun.faults) == ("done", "", [])
    assert (begun.done, begun.total, begun.missing) == (6, 6, 2)
    assert begun.collection.sha256 == by_command.sha256
    assert rows("sent") == rows("command")
    assert not begun.folder.exists()


def test_page_shows_how_far_it_is_and_what_came_of_it(sender, run, monkeypatch):
    seen = []
    done = sent_imports.import_collection

    def shown(**given):
        seen.append(sender.get(f"{PAGE}{ImageImport.objects.get().pk}/").content.decode())
        return done(**given)

    monkeypatch.setattr(sent_imports, "import_collection", shown)
    begun = run(IMAGES)
    assert "data-poll" in seen[0]
    page = sender.get(f"{PAGE}{begun.pk}/").content.decode()
    assert "data-poll" not in page
    assert "6 images are in the collection" in page
    assert "2 prompts have none" in page
    assert "0_1.png and 5 more" in page
    listed = sender.get(PAGE).content.decode()
    assert "6 / 6" in listed


def test_faulty_import_says_why_and_is_tried_again_without_sending_anew(
    sender, run, woken, things, django_capture_on_commit_callbacks
):
    begun = run(IMAGES | {"a house.png": b"no image", "seven.png": given.png(90)})
    assert begun.state == "failed"
    page = sender.get(f"{PAGE}{begun.pk}/").content.decode()
    assert "seven.png" in page
    assert "--skip-bad" not in begun.error
    assert str(begun.folder) not in page
    assert not ImageCollection.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        sender.post(f"{PAGE}{begun.pk}/", said(things, action="again", skip_bad="on"))
    begun = sent_imports.run_import(key=woken.pop(), now=timezone.now())
    assert (begun.state, begun.collection.image_count) == ("done", 6)
    assert any("seven.png" in line for line in begun.faults)
    assert any("a house.png" in line for line in begun.faults)


def test_what_is_left_out_says_nothing_of_this_machines_folders(run):
    begun = run({"rows.jsonl": TABLE, **dict([*IMAGES.items()][1:])}, skip_bad="on")
    assert (begun.state, begun.collection.image_count) == ("done", 5)
    assert any("there is no file 0_1.png" in line for line in begun.faults)
    assert not any(str(begun.folder) in line for line in begun.faults)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_table_reads_no_file_that_was_not_sent(kind, run, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(given.png(5))
    paths = [str(secret), "../../../secret.png"]
    content = {
        "jsonl": "".join(json.dumps({"image": each, "key": 0}) + "\n" for each in paths).encode(),
        "csv": ("image,key\n" + "".join(f"{each},0\n" for each in paths)).encode(),
        "parquet": given.parquet(
            tmp_path / "p.parquet", [{"image": {"bytes": None, "path": each}, "key": 0}
                                     for each in paths]).read_bytes(),
    }[kind]  # fmt: skip
    begun = run({f"rows.{kind}": content})
    assert begun.state == "failed"
    assert "2 of 2 rows" in begun.error
    assert not stored_names("sent")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"a.zip": b"PK\x03\x04 and nothing"}, "cut off"),
        ({"a.zip": zipped({"../../x.png": b"x"})}, "plain relative paths"),
        ({"a.zip": zipped({"/x.png": b"x"})}, "plain relative paths"),
        ({"a.zip": zipped({"notes.txt": b"x"})}, "holds no images"),
        ({"notes.txt": b"x"}, "holds no images"),
        ({"a.zip": zipped({"n" * 300 + ".png": b"x"})}, "at most 400 characters"),
        (
            {"a.zip": zipped({"0.png": given.png(1)}), "b.zip": zipped({"0.png": given.png(2)})},
            "'0.png' was sent twice, as two different files",
        ),
        ({"a.zip": zipped({"0.png": given.png(1)}), "0.png": given.png(2)}, "sent twice"),
        ({"a.zip": zipped({"a.zip": b"x"})}, "sent twice"),
        ({"a.tar": b"no tar at all" * 90}, "is not a whole tar archive"),
        ({"a.tar": tarred({"0.png": given.png(1)})[:700]}, "is not a whole tar archive"),
        ({"a.tar": tarred({"0.png": b"x" * 512})[:1024]}, "is cut off"),
        ({"a.tar.gz": tarred({"0.png": given.png(1)}, "gz")[:-20]}, "is not a whole tar archive"),
        ({"a.tar": 2 * tarred({"0.png": given.png(1)})}, "has something behind its end"),
        ({"a.tar": tarred({"../../x.png": b"x"})}, "plain relative paths"),
        ({"a.tar": tarred({"/x.png": b"x"})}, "plain relative paths"),
        ({"a.tar": tarred({"n" * 300 + ".png": b"x"})}, "at most 400 characters"),
        ({"a.tgz": tarred({"notes.txt": b"x"}, "gz")}, "holds no images"),
        ({"a.tar": tarred({}, a=special("0.png", tarfile.SYMTYPE, "/etc/passwd"))}, "a link, a"),
        (
            {"a.tar": tarred({"1.png": b"x"}, a=special("0.png", tarfile.LNKTYPE, "1.png"))},
            "'0.png', which is no regular file",
        ),
        ({"a.tar": tarred({}, a=special("0.png", tarfile.CHRTYPE))}, "no regular file"),
        ({"a.tar": tarred({}, a=special("0.png", tarfile.FIFOTYPE))}, "no regular file"),
        ({"a.tar": tarred({}, a=special(".x", tarfile.GNUTYPE_SPARSE))}, "no regular file"),
        (
            {"a.tar": tarred({"0.png": given.png(1), "./0.png": given.png(1)})},
            "a.tar holds '0.png' twice",
        ),
        (
            {"a.tar": tarred({"0.png": given.png(1)}), "b.tar": tarred({"0.png": given.png(2)})},
            "'0.png' was sent twice, as two different files",
        ),
        ({"a.jsonl": b"{}", "b.csv": b"image\n"}, "several tables"),
    ],
)
def test_what_is_no_folder_of_images_is_refused_in_words(files, why, run):
    begun = run(files)
    assert begun.state == "failed"
    assert why in begun.error
    assert str(begun.folder) not in begun.error


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_archive_that_unpacks_without_end_is_refused(run, monkeypatch, name):
    monkeypatch.setattr("evalplatform.images.reading.sent.MOST_BYTES", 1000)
    files = {f"{n}.png": b"\0" * 400 for n in range(4)}
    content = zipped(files) if name == "a.zip" else tarred(files, "gz" if "gz" in name else "")
    begun = run({name: content})
    assert (begun.state, "unpacks to over 1,000 bytes" in begun.error) == ("failed", True)


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_archive_of_too_many_files_is_refused(run, monkeypatch, name):
    monkeypatch.setattr("evalplatform.images.reading.sent.MOST_FILES", 3)
    files = {f"{n}.png": b"x" for n in range(4)}
    begun = run({name: zipped(files) if name == "a.zip" else tarred(files)})
    assert "holds over 3 files" in begun.error


@pytest.mark.parametrize(
    "before",
    [None, special("x", tarfile.DIRTYPE), special(".x", tarfile.SYMTYPE, "y"),
     special(".x", tarfile.FIFOTYPE)],
    ids=["nothing", "folder", "link", "pipe"],
)  # fmt: skip
def test_tar_whose_headers_are_endless_takes_no_memory(run, before):
    """A name of two gigabytes of zeros packs to little and would be read into memory whole."""
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 2 * 2**30
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as packed:
        if before is not None:
            before.size = 8 * 2**30  # of which tarfile reads nothing
            packed.write(before.tobuf(tarfile.GNU_FORMAT))
        packed.write(name.tobuf(tarfile.GNU_FORMAT))
        for _ in range(8):
            packed.write(bytes(2**20))
    begun = run({"a.tar.gz": out.getvalue()})
    assert (begun.state, "headers are larger than any real ones" in begun.error) == ("failed", True)


@pytest.mark.parametrize("name", [".hidden", "__MACOSX/0.png"])
def test_member_that_is_left_out_counts_as_unpacked(tmp_path, monkeypatch, name):
    monkeypatch.setattr("evalplatform.images.reading.sent.MOST_BYTES", 2 * 2**20)
    content = tarred({name: bytes(4 * 2**20)}, "gz")
    given.folder(tmp_path / "sent", {"a.tar.gz": content})
    with pytest.raises(BadInputError, match="unpacks to over 2,097,152 bytes"):
        unpack_archives(tmp_path / "sent")


def test_worker_is_heard_of_at_each_member_of_a_tar(tmp_path):
    files = {".hidden": bytes(4 * 2**20), "empty.txt": b""}
    content = tarred(files, folder=special("x", tarfile.DIRTYPE))
    given.folder(tmp_path / "sent", {"a.tar": content})
    heard = []
    unpack_archives(tmp_path / "sent", lambda: heard.append(1))
    assert len(heard) >= 7
    assert [each.name for each in (tmp_path / "sent").iterdir()] == ["empty.txt"]


def test_zip_leaves_half_of_the_disks_room(tmp_path, monkeypatch):
    archive = {"0.png": b"\0" * 600, "1.png": b"\0" * 600}
    given.folder(tmp_path / "sent", {"a.zip": zipped(archive)})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2_000))
    with pytest.raises(BadInputError, match="over 1,000 bytes"):
        unpack_archives(tmp_path / "sent")
    assert not (tmp_path / "sent/1.png").exists()


def test_same_file_twice_is_one_and_what_file_managers_leave_is_none(run):
    here = {f"here/{name}": content for name, content in IMAGES.items()}
    begun = run({"a.zip": zipped(here), "b.zip": zipped(here), **here, ".DS_Store": b"x"})
    assert (begun.state, begun.error, begun.done) == ("done", "", 6)


def test_unpacking_is_told_so_that_no_other_worker_takes_it(run, monkeypatch):
    monkeypatch.setattr(sent_imports, "_BEAT_SECONDS", 0)
    unpack, beaten = sent_imports.unpack_archives, []

    def unpacked(folder, still):
        def told():
            ImageImport.objects.update(beaten_at=timezone.now() - timedelta(hours=1))
            still()
            beaten.append(ImageImport.objects.get().beaten_at)

        unpack(folder, told)

    monkeypatch.setattr(sent_imports, "unpack_archives", unpacked)
    assert run({"all.zip": zipped(IMAGES)}).state == "done"
    assert len(beaten) == 6
    assert min(beaten) > timezone.now() - timedelta(minutes=1)


def test_thrown_away_while_it_is_unpacked_leaves_no_file(sender, run, monkeypatch):
    monkeypatch.setattr(sent_imports, "_BEAT_SECONDS", 0)
    unpack, folders = sent_imports.unpack_archives, []

    def thrown_away(folder, still):
        folders.append(folder)
        sender.post(f"{PAGE}{ImageImport.objects.get().pk}/", {"action": "forget"})
        (folder / "12").mkdir(parents=True)  # what a worker was writing just then
        still()
        unpack(folder, still)

    monkeypatch.setattr(sent_imports, "unpack_archives", thrown_away)
    assert run({"all.zip": zipped(IMAGES)}) is None
    assert not folders[0].exists()


def test_two_imports_of_one_name_are_not_taken_for_one(sender, things, woken, run):
    waits = {"name": "sent", "model": "m", "created_by": User.objects.get(username="rania")}
    other = ImageImport.objects.create(
        project=default_project(), prompt_set=things, sent="0.png", size_bytes=1,
        beaten_at=timezone.now(), created_at=timezone.now(), **waits,
    )  # fmt: skip
    given.folder(other.folder, {"0.png": given.png(77)})
    assert run(IMAGES).state == "done"
    other = sent_imports.run_import(key=other.pk, now=timezone.now())
    assert (other.state, other.collection) == ("failed", None)
    assert "is there already" in other.error
    assert (other.folder / "0.png").exists()


def test_what_was_taken_up_counts_as_unfinished_until_it_is_imported(sender, run, settings):
    settings.PROJECT_UPLOAD_BYTES = 10_000
    begun = run({"0.png": given.png(1), "no.png": b"x" * 9_000})
    assert begun.state == "failed"
    answer = begin(sender, "more.png", 5_000)
    assert "throw away logs and failed imports" in answer.content.decode()
    sent_imports.forget_image_import(begun=begun)
    assert begin(sender, "more.png", 5_000).status_code == 201


def test_import_of_a_killed_worker_goes_on(sender, run, things, woken, monkeypatch):
    def killed(begun):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sent_imports, "_import", killed)
        with pytest.raises(KeyboardInterrupt):
            run(IMAGES)
    begun = ImageImport.objects.get()
    assert begun.state == "running"
    assert sent_imports.run_import(key=begun.pk, now=timezone.now()) is None
    later = timezone.now() + sent_imports.SILENT + timedelta(seconds=5)
    ImageImport.objects.update(beaten_at=begun.beaten_at - timedelta(hours=1))
    for _ in range(3):  # as a page that stays open does
        sender.get(f"{PAGE}{begun.pk}/")
    assert woken == [begun.pk]
    assert sent_imports.run_import(key=begun.pk, now=later).state == "done"
    # And once more, where it had died between the collection and saying so.
    ImageImport.objects.update(state="running", beaten_at=begun.created_at - timedelta(hours=1))
    assert sent_imports.run_import(key=begun.pk, now=later).state == "done"
    assert ImageCollection.objects.count() == 1


def test_what_was_left_out_is_told_also_where_the_worker_died_right_after(run, monkeypatch):
    done = sent_imports.import_collection

    def killed_after(**given):
        done(**given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sent_imports, "import_collection", killed_after)
        with pytest.raises(KeyboardInterrupt):
            run(IMAGES | {"a house.png": b"no image"}, skip_bad="on")
    begun = ImageImport.objects.get()
    later = timezone.now() + sent_imports.SILENT + timedelta(seconds=5)
    begun = sent_imports.run_import(key=begun.pk, now=later)
    assert (begun.state, begun.missing) == ("done", 2)
    assert any("a house.png" in line for line in begun.faults)


def test_import_that_is_thrown_away_stops_and_leaves_nothing(sender, run, monkeypatch):
    done = sent_imports.import_collection

    def thrown_away(**given):
        begun = ImageImport.objects.get()
        sender.post(f"{PAGE}{begun.pk}/", {"action": "forget"})
        return done(**given)

    monkeypatch.setattr(sent_imports, "import_collection", thrown_away)
    assert run({"all.zip": zipped(IMAGES)}) is None
    assert not ImageCollection.objects.exists()
    assert not stored_names("sent")


def test_name_that_is_taken_is_told_before_a_worker_is_woken(sender, run, things, woken):
    run(IMAGES)
    sent = send(sender, "0.png", given.png(99))
    answer = sender.post(PAGE, said(things, sent=sent))
    assert "is there already" in answer.content.decode()
    assert woken == []
    answer = sender.post(PAGE, said(things, name="other", columns="picture=x", sent=sent))
    assert answer.status_code == 422
    assert "fields are image" in answer.content.decode()
    answer = sender.post(PAGE, said(things, name="our model", sent=sent))
    assert "“our model”: letters without accents, digits" in answer.content.decode()


def test_what_was_sent_goes_after_two_weeks(run):
    begun = run(IMAGES | {"no.png": b"x"})
    late = timezone.now() + timedelta(days=15)
    ImageImport.objects.update(state="running", beaten_at=late, error="")  # tried again
    sent_imports.forget_old_imports(now=late)
    assert begun.folder.exists()
    ImageImport.objects.update(state="failed", error="again")
    sent_imports.forget_old_imports(now=timezone.now() + timedelta(days=15))
    assert not begun.folder.exists()
    assert not ImageImport.objects.exists()


def test_another_projects_prompts_are_refused(rania, things):
    theirs = create_project(name="others", owner=rania)
    other = factories.make_prompt_set("hidden", 1, project=theirs)
    plan = sent_imports.SentImport(name="sent", model="m", prompt_set=other)
    with pytest.raises(BadInputError, match="another project's"):
        sent_imports.begin_import(
            project=default_project(), user=rania, sent=["x"], plan=plan, now=timezone.now()
        )


def test_disk_that_is_full_is_said_in_words(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sent_imports, "unpack_archives", full)
    begun = run(IMAGES)
    assert begun.error.startswith("No space left on device; look at the worker's disk")
    shutil.rmtree(begun.folder)


def ask_api(client, method, path, **body):
    send = getattr(client, method)
    return send(f"/api/v1/image-imports{path}", json.dumps(body), content_type="application/json")


def test_import_by_the_api_is_begun_repeated_read_and_listed(
    sender, things, woken, django_capture_on_commit_callbacks
):
    sent = [send(sender, name, content) for name, content in IMAGES.items()]
    told = {"name": "sent", "model": "DALL-E 3", "prompt_set": "things"}
    with django_capture_on_commit_callbacks(execute=True):
        bad = send(sender, "nine.png", given.png(70))
        begun = ask_api(sender, "post", "", sent=[*sent, bad], **told)
    assert begun.status_code == 202, begun.content
    key = begun.json()["id"]
    assert sent_imports.run_import(key=woken.pop(), now=timezone.now()).state == "failed"
    with django_capture_on_commit_callbacks(execute=True):
        again = ask_api(sender, "post", f"/{key}/again", skip_bad=True, **told)
    assert (again.status_code, woken) == (200, [key])
    sent_imports.run_import(key=key, now=timezone.now())
    read = sender.get(f"/api/v1/image-imports/{key}").json()
    assert (read["state"], read["done"], read["collection"]) == ("done", 6, "sent")
    assert any("nine.png" in line for line in read["faults"])
    assert sender.get("/api/v1/image-imports").json()["items"] == [read]
    assert ask_api(sender, "delete", f"/{key}").status_code == 204
    assert ImageCollection.objects.get().image_count == 6
