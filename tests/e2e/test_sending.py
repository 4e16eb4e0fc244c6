"""Images and logs go to the site in parts, from a page, and go on after a break."""

import pytest

from evalplatform.accounts.members import create_project
from evalplatform.images.models import ImageCollection, ImageImport
from evalplatform.promptsets.models import LogBuild
from evalplatform.uploads.models import SentFile
from tests import factories, live
from tests.e2e.accessibility import assert_page_is_accessible
from tests.images import given

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def signed_in(browser, site, rania):
    """The page of imports. Refused requests are expected here, faults are not."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{site}/models/images/import/")
    page.fill("[name=username]", "rania")
    page.fill("[name=password]", "a long password")
    page.click("[type=submit]")
    page.wait_for_url("**/import/")
    yield page
    context.close()
    assert not faults


def test_folder_of_images_becomes_a_collection(signed_in, site, tmp_path):
    prompts = factories.make_prompt_set("two", 2)
    folder = given.folder(
        tmp_path / "peer",
        {"0/1.png": given.png(1), "0/2.png": given.png(2), "1/1.png": given.png(3),
         ".DS_Store": b"left behind"},
    )  # fmt: skip
    page = signed_in
    page.reload()
    assert_page_is_accessible(page, "form of an import")
    page.click("[data-send]")  # nothing is chosen: the browser asks for a name first
    page.fill("[name=name]", "peer")
    page.fill("[name=model]", "Peer 3")
    page.select_option("[name=prompt_set]", str(prompts.pk))
    page.click("[data-send]")
    assert page.inner_text("[data-message]") == "Choose files, or a folder."
    page.set_input_files("#folder", folder)
    page.click("[data-send]")
    page.wait_for_url("**/images/import/*/")
    assert_page_is_accessible(page, "import that waits")
    assert not SentFile.objects.exists()
    with live.worker():
        page.get_by_text("3 images are in the collection").wait_for(timeout=60_000)
    assert_page_is_accessible(page, "import that is done")
    page.click("main a:has-text('peer')")
    page.wait_for_url("**/collections/peer/")
    assert ImageCollection.objects.get().images.filter(prompt__position=0).count() == 2


def test_files_that_were_sent_before_a_break_are_not_sent_again(signed_in, site, tmp_path):
    page = signed_in
    given.folder(tmp_path, {"0.png": given.png(1), "1.png": given.png(2)})
    files = [tmp_path / "0.png", tmp_path / "1.png"]
    begun = []

    def refuse_second(route):
        if route.request.method == "POST" and route.request.headers.get("upload-length"):
            begun.append(route.request.url)
            if len(begun) == 2:
                route.fulfill(status=400, body="no room", content_type="text/plain")
                return
        route.continue_()

    page.route("**/uploads/files/", refuse_second)
    send(page, files)
    page.get_by_text("Refused: no room").wait_for()
    page.reload()
    send(page, files)
    page.wait_for_url("**/images/import/*/")
    assert len(begun) == 3  # the first file was begun once
    assert ImageImport.objects.get().sent == "0.png and 1 more"
    page.goto(f"{site}/models/images/import/")
    assert (
        page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('upload:'))") == []
    )


def test_file_that_was_sent_to_another_project_is_sent_to_this_one(
    signed_in, site, tmp_path, rania
):
    create_project(name="others", owner=rania)
    given.folder(tmp_path, {"0.png": given.png(1)})
    page = signed_in
    page.reload()
    page.fill("[name=columns]", "picture=x")  # refused: the file stays, for the next try
    send(page, [tmp_path / "0.png"])
    page.get_by_text("fields are image").wait_for()
    page.fill("[name=columns]", "")
    page.select_option("#project", "others")
    send(page, [tmp_path / "0.png"])
    page.wait_for_url("**/images/import/*/", timeout=8_000)
    assert ImageImport.objects.get().project.name == "others"
    assert SentFile.objects.get().project.name != "others"


def send(page, files):
    page.fill("[name=name]", "pool")
    page.fill("[name=model]", "photos")
    page.set_input_files("#files", files)
    page.click("[data-send]")


def test_log_goes_on_after_a_broken_connection(signed_in, site, tmp_path):
    page = signed_in
    page.goto(f"{site}/prompts/logs/build/")
    assert_page_is_accessible(page, "form of a log")
    log = tmp_path / "asked.txt"
    log.write_text("a red fox in the snow\n" * 500_000)  # of two parts
    broken = []

    def break_second_part(route):
        is_second = int(route.request.headers.get("upload-offset", "0")) > 0
        if route.request.method == "PATCH" and is_second and not broken:
            broken.append(True)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/uploads/files/*/", break_second_part)
    page.set_input_files("#file", log)
    page.click("[data-send]")
    page.wait_for_url("**/logs/build/*/", timeout=30_000)
    assert broken
    build = LogBuild.objects.get()
    assert (build.file_name, build.size_bytes) == ("asked.txt", log.stat().st_size)
    assert "a red fox in the snow" in page.inner_text("main")
