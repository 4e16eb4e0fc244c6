"""A researcher uploads a checkpoint in the browser and looks at it."""

import time

import pytest
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.images.services import import_collection
from tests import factories, live
from tests.checkpoints import hostile
from tests.e2e import archives
from tests.e2e.accessibility import assert_page_is_accessible
from tests.images import given

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def registry(browser, site, rania):
    """The registry's page, signed in. Refused requests are expected here, faults are not."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{site}/models/")
    page.fill("[name=username]", "rania")
    page.fill("[name=password]", "a long password")
    page.click("[type=submit]")
    page.wait_for_url("**/models/")
    yield page
    context.close()
    assert not faults


def choose(page, path):
    page.set_input_files("#upload-file", path)
    page.click("#upload [type=submit]")


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
        choose(registry, archives.of_pipeline(tmp_path / "brought-along.zip"))  # of three parts
        registry.wait_for_url("**/models/brought-along/", timeout=120_000)
    assert broken
    assert Checkpoint.objects.get().name == "brought-along"
    assert registry.inner_text("h1") == "brought-along"
    assert "StableDiffusionPipeline" in registry.inner_text("main")


def fail_parts(page, status, times=10**6):
    """Answer parts with `status` in the server's place, `times` at most; return those answered."""
    answered = []

    def handle(route):
        if route.request.method == "PATCH" and len(answered) < times:
            answered.append(status)
            route.fulfill(status=status, body="<html>no</html>", content_type="text/html")
        else:
            route.continue_()

    page.unroute_all()
    page.route("**/uploads/*/", handle)
    return answered


def test_refusal_that_no_retry_changes_ends_the_upload_with_its_reason(registry, tmp_path):
    """All of 4xx but what passes by itself; 413 is what nginx says without client_max_body_size."""
    archive = hostile.zipped(tmp_path / "mine.zip", hostile.members())
    says = {401: "sign in again", 403: "session is over", 404: "choose the file again"}
    says[413] = "client_max_body_size"
    for status in (400, 401, 403, 404, 405, 410, 411, 412, 413, 414, 415, 422, 431, 451):
        answered = fail_parts(registry, status)
        choose(registry, archive)
        registry.wait_for_selector("[data-bad]", timeout=5_000)
        assert answered == [status]
        assert says.get(status, str(status)) in registry.inner_text("[data-message]")
        assert registry.is_enabled("#upload [type=submit]")


def test_refusal_that_may_pass_is_tried_again(registry, tmp_path):
    for status in (408, 409, 423, 425, 429, 500, 502, 503, 504):
        answered = fail_parts(registry, status, times=1)
        choose(registry, hostile.zipped(tmp_path / f"mine-{status}.zip", hostile.members()))
        registry.wait_for_selector("[data-message]:text('Verifying')")
        assert answered == [status]
        registry.reload()
    assert set(Upload.objects.values_list("status", flat=True)) == {"verifying"}


def test_upload_is_given_up_in_words_after_long_without_a_byte(registry, tmp_path):
    registry.clock.install()
    answered = fail_parts(registry, 503)
    choose(registry, hostile.zipped(tmp_path / "mine.zip", hostile.members()))
    registry.wait_for_selector("[data-message]:text('answered 503')")
    for _ in range(60):
        tries = len(answered)
        registry.clock.run_for(31_000)  # beyond the longest pause
        if registry.locator("[data-bad]").count():
            break
        deadline = time.monotonic() + 2
        while len(answered) == tries and time.monotonic() < deadline:
            registry.evaluate("0")
    assert "choose the same file later: it goes on" in registry.inner_text("[data-message]")
    assert 10 < len(answered) < 60


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


def test_archive_of_one_file_with_its_configurations_is_taken(registry, tmp_path):
    with live.worker():
        choose(registry, archives.of_single_file(tmp_path / "one-file.zip"))
        registry.wait_for_url("**/models/one-file/", timeout=120_000)
    assert Checkpoint.objects.get().family == "single_file"
    assert registry.inner_text("[data-state]") == "Verified"


def test_checkpoint_is_retired_and_restored_on_its_page(registry, draft):
    name = draft.contenders[0].checkpoint.name
    registry.reload()
    registry.click(f"a:has-text('{name}')")
    registry.click("details.retire summary")
    assert draft.slug in registry.inner_text("details.retire")
    registry.click(f"button:has-text('Retire {name}')")
    assert registry.inner_text("[data-state]") == "Retired"
    assert "by rania" in registry.inner_text(".fact-list")
    registry.click("button:has-text('Restore')")
    assert registry.inner_text("[data-state]") == "Verified"


def test_every_state_is_legible_in_light_and_dark_on_a_desk_and_a_phone(registry, rania):
    long = "stable-diffusion-xl-base-1-0-quality-tuned-on-two-thousand-pictures-step-15000"
    origin = {"hub": "org/name", "commit": "c0ffee" * 6 + "c0ff"}
    parent = factories.make_checkpoint(long, origin=origin)
    retired = {"status": "retired", "retired_at": timezone.now(), "retired_by": rania}
    factories.make_checkpoint("retired", "quality_tuned", parent=parent, **retired)
    for status in ("uploading", "verifying", "rejected"):
        Upload.objects.create(
            project=default_project(),
            file_name=f"{long}-{status}.tar.gz", size_bytes=5 * 10**9, status=status,
            reason="unet/diffusion_pytorch_model.bin is not accepted (a pickle)",
        )  # fmt: skip
    site = registry.url.removesuffix("/models/")
    registry.reload()
    states = registry.locator("[data-state]").all_inner_texts()
    assert sorted(states) == ["Rejected", "Retired", "Uploading", "Verified", "Verifying"]
    assert_page_is_accessible(registry, "list")
    for name in (long, "retired"):
        registry.goto(f"{site}/models/{name}/")
        assert_page_is_accessible(registry, name)


def test_pages_of_image_collections_are_accessible(registry, tmp_path):
    """With a name, a source and a caption too long for a phone's line."""
    given.folder(tmp_path, {f"{n}.png": given.png(n, 16 + n) for n in range(26)} | {"x.png": b""})
    import_collection(
        project=default_project(),
        path=tmp_path, name="l" * 80, model="M" * 200, prompt_set=None, skip_bad=True,
        source="https://example.org/" + "x" * 300,
    )  # fmt: skip
    site = registry.url.removesuffix("/models/")
    for page in ("/models/", f"/models/collections/{'l' * 80}/"):
        registry.goto(site + page)
        assert_page_is_accessible(registry, page)
    registry.click("text=See all 26")
    assert_page_is_accessible(registry, "all")


def test_token_is_made_shown_once_and_revoked(registry):
    registry.click("summary:has-text('rania')")
    registry.click("a:has-text('API tokens')")
    registry.fill("#label", "a label as long as eighty characters, for a script that runs at night")
    registry.click("main [type=submit]")
    secret = registry.inner_text("[data-secret]")
    assert secret.startswith("evp_")
    assert_page_is_accessible(registry, "tokens")
    registry.goto(registry.url)
    assert secret not in registry.content()
    registry.click("button:has-text('Revoke')")
    registry.wait_for_selector("text=revoked 20")
