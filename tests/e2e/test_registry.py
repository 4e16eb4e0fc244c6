"""A researcher uploads a checkpoint in the browser and looks at it."""

import os

import pytest

from evalplatform.checkpoints.models import Checkpoint
from tests import live
from tests.checkpoints import hostile

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def registry(browser, site, rania):
    """The registry's page, signed in. Refused requests are expected here, faults are not."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{site}/checkpoints/")
    page.fill("[name=username]", "rania")
    page.fill("[name=password]", "a long password")
    page.click("[type=submit]")
    page.wait_for_url("**/checkpoints/")
    yield page
    context.close()
    assert not faults


def choose(page, path):
    page.set_input_files("#upload-file", path)
    page.click("#upload [type=submit]")


def large_archive(folder):
    """A pipeline's archive of three parts, so that there is a middle to break it in."""
    content = hostile.members() | {"tokenizer/merges.txt": os.urandom(9 * 2**20).hex().encode()}
    return hostile.zipped(folder / "brought-along.zip", content)


def test_upload_survives_a_broken_connection_and_ends_at_the_checkpoint(registry, tmp_path):
    broken = []

    def break_second_part(route):
        is_second = int(route.request.headers.get("upload-offset", "0")) > 0
        if route.request.method == "PATCH" and is_second and not broken:
            broken.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    registry.route("**/uploads/*/", break_second_part)
    with live.worker():
        choose(registry, large_archive(tmp_path))
        registry.wait_for_url("**/checkpoints/brought-along/", timeout=60_000)
    assert broken
    assert Checkpoint.objects.get().name == "brought-along"
    assert registry.inner_text("h1") == "brought-along"
    assert "StableDiffusionPipeline" in registry.inner_text("main")


def test_refused_archive_is_explained_and_the_form_is_ready_again(registry, tmp_path):
    with live.worker():
        evil = hostile.zipped(tmp_path / "evil.zip", {"model.py": b"import os"})
        choose(registry, evil)
        registry.wait_for_selector("[data-bad]", timeout=60_000)
    assert "program code" in registry.inner_text("[data-message]")
    assert registry.is_enabled("#upload [type=submit]")


def test_wrong_kind_of_file_is_refused_at_once(registry, tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"x")
    choose(registry, tmp_path / "model.ckpt")
    registry.wait_for_selector("[data-bad]")
    assert "no archive" in registry.inner_text("[data-message]")
