"""Images in files and in an S3-compatible store (moto's server): the same behaviour on both."""

import http.server
import os
import pickle
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from boto3 import Session
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from storages.backends import s3

from evalplatform.annotation.services import open_campaign
from evalplatform.core import files
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.object_storage import ObjectStorageError, storage_setting
from evalplatform.generation.models import Sample
from evalplatform.generation.services import record_sample
from evalplatform.quality.services import clear_gold, make_gold
from evalplatform.reports.sets_on_page import first_sets
from tests import factories, live, object_store

CHECKS_ONLY = ("--examples=0", "--qualification=0", "--checks=2")
NOWHERE = "http://127.0.0.1:9"


def setting(url, **credentials):
    return storage_setting(url, directory=Path("/x"), credentials=object_store.KEYS | credentials)


@pytest.fixture(params=["files", "s3"])
def storage(request, settings, tmp_path):
    """An empty object storage of each kind."""
    if request.param == "s3":
        request.getfixturevalue("images_in_s3")
    else:
        empty = storage_setting("", directory=tmp_path, credentials={})
        settings.STORAGES = settings.STORAGES | {"default": empty}
    return default_storage


# ---- the setting --------------------------------------------------------------------------------


def test_address_gives_bucket_prefix_and_endpoint():
    options = setting("s3://eval/a/b?endpoint_url=https://s3.example.org&region=eu-1")["OPTIONS"]
    assert options["bucket_name"] == "eval"
    assert options["location"] == "a/b"
    assert options["endpoint_url"] == "https://s3.example.org"
    assert (options["region_name"], options["addressing_style"]) == ("eu-1", "path")
    assert setting("s3://eval")["OPTIONS"]["addressing_style"] == "auto"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://eval.example.org", "use s3://BUCKET"),
        ("s3://", "use s3://BUCKET"),
        ("s3://KEY:hush-hush@eval", "AWS_ACCESS_KEY_ID"),
        ("s3://eval?endpoint=http://x", "no parameter endpoint; accepted: endpoint_url"),
        ("s3://eval?endpoint_url=minio:9000", "endpoint_url='minio:9000' is not an address"),
        ("s3://eval?addressing_style=dns", "accepted: auto, path, virtual"),
    ],
)
def test_odd_address_is_refused(url, says):
    with pytest.raises(ImproperlyConfigured, match=re.escape(says)) as raised:
        setting(url)
    assert "hush-hush" not in str(raised.value)


def test_half_a_pair_of_credentials_is_refused():
    with pytest.raises(ImproperlyConfigured, match="set both"):
        setting("s3://eval", secret_key="")


def test_proxy_cannot_read_files_that_are_elsewhere():
    result = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        env=os.environ
        | {
            "OBJECT_STORAGE_URL": "s3://eval",
            "IMAGE_ACCEL_PREFIX": "/protected/",
            "DJANGO_SETTINGS_MODULE": "evalplatform.settings",
        },
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert "unset one of them" in result.stderr


# ---- objects ------------------------------------------------------------------------------------


def test_same_name_twice_is_one_object(storage):
    name = "samples/ab/abc.png"
    assert storage.save(name, ContentFile(b"image")) == name
    assert storage.save(name, ContentFile(b"image")) == name
    assert storage.listdir("samples/ab") == ([], ["abc.png"])
    with storage.open(name) as file:
        assert file.read() == b"image"
    assert storage.size(name) == 5


def test_deleted_object_is_gone_and_deleting_it_again_is_no_error(storage):
    name = storage.save("gold/x.png", ContentFile(b"image"))
    assert storage.exists(name)
    storage.delete(name)
    storage.delete(name)
    assert not storage.exists(name)
    with pytest.raises(FileNotFoundError, match=re.escape("gold/x.png")):
        storage.open(name)


def test_command_says_of_a_missing_object_which_bucket_lacks_it(images_in_s3):
    class Opening(PlatformCommand):
        def handle(self, *args, **options):
            default_storage.open("gold/x.png")

    with pytest.raises(CommandError, match="OBJECT_STORAGE_URL") as refused:
        Opening().execute(force_color=False, no_color=True, skip_checks=True)
    assert str(refused.value).startswith("gold/x.png: object storage s3://")
    assert "check the path" not in str(refused.value)


def test_name_cannot_leave_the_storage(storage):
    with pytest.raises(SuspiciousOperation):
        storage.open("../../etc/passwd")


def test_file_of_a_killed_writer_has_no_good_name(settings, tmp_path, monkeypatch):
    empty = storage_setting("", directory=tmp_path, credentials={})
    settings.STORAGES = settings.STORAGES | {"default": empty}

    def kill(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", kill)
    with pytest.raises(KeyboardInterrupt):
        default_storage.save("samples/abc.png", ContentFile(b"image"))
    assert not default_storage.exists("samples/abc.png")


def test_objects_are_private_and_under_the_prefix(images_in_s3):
    default_storage.save("samples/abc.png", ContentFile(b"image"))
    assert images_in_s3.keys() == ["images/samples/abc.png"]
    client = default_storage.connection.meta.client
    acl = client.get_object_acl(Bucket=images_in_s3.name, Key="images/samples/abc.png")
    assert [grant["Permission"] for grant in acl["Grants"]] == ["FULL_CONTROL"]


# ---- the store's errors -------------------------------------------------------------------------


def store_at(url, **credentials):
    return storages.create_storage(setting(url, **credentials))


def everything_asked(store):
    yield lambda: store.open("x")
    yield lambda: store.save("x", ContentFile(b"image"))
    yield lambda: store.exists("x")
    yield lambda: store.delete("x")


def test_store_that_is_away_is_named():
    store = store_at(f"s3://eval?endpoint_url={NOWHERE}&region=us-east-1")
    for ask in everything_asked(store):
        with pytest.raises(ObjectStorageError, match=r"s3://eval at .*:9 cannot be reached"):
            ask()


def test_threads_have_connections_of_their_own_out_of_one_session(monkeypatch):
    """A session reads how S3 is described: as long as thirty connections take."""
    made = []
    monkeypatch.setattr(s3.boto3, "Session", lambda **given: made.append(1) or Session(**given))
    store = store_at(f"s3://eval?endpoint_url={NOWHERE}&region=us-east-1")
    begun = threading.Barrier(4)

    def connect(_: int) -> object:
        begun.wait(10)
        first = store.connection
        assert store.connection is first
        return first

    with ThreadPoolExecutor(4) as pool:
        connections = list(pool.map(connect, range(4)))
    assert len(set(map(id, connections))) == 4
    assert len(made) == 1
    again = pickle.loads(pickle.dumps(store))
    assert again.connection is not store.connection
    assert again.bucket_name == "eval"


def test_missing_bucket_is_named(s3_store):
    store = store_at(f"s3://not-there?endpoint_url={s3_store}&region=us-east-1")
    for ask in (lambda: store.open("x"), lambda: store.save("x", ContentFile(b"image"))):
        with pytest.raises(ObjectStorageError, match="no such bucket; create it"):
            ask()


def test_missing_credentials_are_named(s3_store, monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    url = f"s3://eval?endpoint_url={s3_store}&region=us-east-1"
    with pytest.raises(ObjectStorageError, match="set AWS_ACCESS_KEY_ID"):
        store_at(url, access_key="", secret_key="").exists("x")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("InvalidAccessKeyId", r"refuses the credentials \(InvalidAccessKeyId\)"),
        ("AccessDenied", "allow the key to get, put and delete"),
        ("QuotaExceeded", r"answered with an error \(QuotaExceeded\)"),
    ],
)
def test_refusal_says_what_to_check(code, says):
    with refusing(code) as address:
        store = store_at(f"s3://eval?endpoint_url={address}&region=us-east-1")
        with pytest.raises(ObjectStorageError, match=says):
            store.open("x")


class refusing:  # noqa: N801
    """A store that answers everything with one error code."""

    def __init__(self, code):
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(403)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *args):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.django_db
def test_command_says_in_one_line_that_the_store_is_away(settings):
    draft = factories.make_draft(criteria=["visual_appeal"])
    away = setting(f"s3://eval?endpoint_url={NOWHERE}&region=us-east-1")
    settings.STORAGES = settings.STORAGES | {"default": away}
    with pytest.raises(CommandError, match="cannot be reached") as raised:
        call_command("make_gold", draft.slug, *CHECKS_ONLY)
    assert raised.value.returncode == 2


# ---- what uses them -----------------------------------------------------------------------------


def unequal(campaign):
    """Draw checkpoint A's samples larger, so that copies of one size have to be stored."""
    for row in Sample.objects.filter(checkpoint=campaign.contenders[0].checkpoint):
        Sample.objects.filter(pk=row.pk).update(status="planned", image="", image_sha256="")
        record_sample(sample=row, image=factories.make_image(row.pk, 24), now=timezone.now())


@pytest.mark.django_db
def test_campaign_keeps_all_its_images_in_the_bucket(images_in_s3, tmp_path):
    draft = factories.make_draft(criteria=["visual_appeal"])
    unequal(draft)
    assert make_gold(campaign=draft, counts={"check": 2}) == 2
    before = images_in_s3.keys()
    assert make_gold(campaign=draft, counts={"check": 2}) == 0
    sheet = tmp_path / "gold.html"
    call_command("make_gold", draft.slug, "--sheet", str(sheet), *CHECKS_ONLY)
    assert sheet.read_text().count("data:image/png;base64,") == 4
    assert clear_gold(campaign=draft) == 2
    assert [key for key in before if "/gold/" in key]
    assert not [key for key in images_in_s3.keys() if "/gold/" in key]  # noqa: SIM118
    open_campaign(campaign=draft)
    kept = shown_names(draft)
    assert len(kept) == 2 * 4
    assert {f"images/{name}" for name in kept} < set(images_in_s3.keys())
    assert [key for key in images_in_s3.keys() if "/shown/" in key]  # noqa: SIM118
    inlined = first_sets(draft, offline=True)[0].images[1].small
    assert inlined.startswith("data:image/webp;base64,UklGR")


@pytest.mark.django_db
def test_recording_a_sample_again_adds_no_object(images_in_s3, draft):
    before = images_in_s3.keys()
    row = Sample.objects.first()
    Sample.objects.filter(pk=row.pk).update(status="planned", image="", image_sha256="")
    with default_storage.open(row.image) as file:
        record_sample(sample=row, image=Image.open(file), now=timezone.now())
    assert images_in_s3.keys() == before
    assert Sample.objects.get(pk=row.pk).image == row.image


@pytest.mark.django_db
def test_researcher_sees_a_sample_of_the_bucket(images_in_s3, draft, client, rania):
    client.force_login(rania)
    sample = Sample.objects.first()
    image = client.get(reverse("registry:sample", args=[sample.pk]))
    assert b"".join(image.streaming_content).startswith(b"\x89PNG")
    default_storage.delete(sample.image)
    assert client.get(reverse("registry:sample", args=[sample.pk])).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_annotators_browser_learns_nothing_of_the_bucket(bucket, images_in_s3, draft):
    """Through gunicorn: the image itself, no redirect, nothing the store says about the object."""
    open_campaign(campaign=draft)
    with live.site(**bucket.environment) as site:
        annotator, shown = first_set(site, draft)
        image = annotator.get(site + shown["images"][0], allow_redirects=False)
        stranger = requests.get(site + shown["images"][0], timeout=5)
    assert (image.status_code, stranger.status_code) == (200, 404)
    assert image.content.startswith(b"\x89PNG")
    assert int(image.headers["Content-Length"]) == len(image.content)
    assert image.headers["Cache-Control"] == "private, max-age=3600, immutable"
    headers = str(dict(image.headers)).lower()
    assert not re.search("etag|last-modified|x-amz|location|disposition|s3|samples|shown", headers)
    names = shown_names(draft)
    assert len(names) == 2 * 4
    assert not any(Path(name).stem in headers for name in [*names, bucket.name])


@pytest.mark.django_db(transaction=True)
def test_annotators_browser_is_told_to_come_back_while_the_store_is_away(bucket, draft):
    open_campaign(campaign=draft)
    away = bucket.environment | {
        "OBJECT_STORAGE_URL": f"s3://secret-bucket?endpoint_url={NOWHERE}&region=us-east-1"
    }
    with live.site(**away) as site:
        annotator, shown = first_set(site, draft)
        image = annotator.get(site + shown["images"][0])
    assert (image.status_code, image.headers["Retry-After"]) == (503, "5")
    assert "secret-bucket" not in image.text + str(image.headers)


def shown_names(campaign):
    """Return the stored copies that annotators are shown of a campaign without checks."""
    return {name for each in campaign.image_sets.main() for name in each.files}


def first_set(site, campaign):
    """Return an annotator's session and the first set that they hold."""
    work = site + reverse("annotation:work", args=[campaign.invitation])
    annotator = requests.Session()
    annotator.get(work)
    token = {"csrfmiddlewaretoken": annotator.cookies["csrftoken"]}
    annotator.post(work + "begin/", data=token, headers={"Referer": work})
    return annotator, annotator.get(work + "next/").json()["sets"][0]
