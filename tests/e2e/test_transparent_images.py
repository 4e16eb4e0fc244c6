"""Images with transparency, made by a worker and imported: on pages, and in an export."""

import io

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.urls import reverse
from PIL import Image
from pyarrow import parquet

from evalplatform.accounts.projects import default_project
from evalplatform.annotation.models import Vote
from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.core.transparency import GREY
from evalplatform.generation.models import Sample
from evalplatform.images.models import CollectedImage
from tests import factories, live
from tests.generation.tiny import save_tiny_transparent

pytestmark = [pytest.mark.e2e, pytest.mark.worker, pytest.mark.django_db(transaction=True)]
SIDE = 32
# What a page gets of an image: its file, and its pixels as the browser shows them.
SEEN = """async images => Promise.all(images.map(async image => {
  const answer = await fetch(image.src);
  const file = new Uint8Array(await answer.arrayBuffer());
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
  return {
    headers: Object.fromEntries([...answer.headers].filter(([name]) => name !== "etag")),
    bytes: file.length, head: [...file.slice(0, 33)].map(String).join(" "),
    side: canvas.width, pixels: [...data],
  };
}))"""


@pytest.fixture
def cut_out(db, tmp_path):
    """An open campaign of a checkpoint that makes RGBA and of drawings that are cut out."""
    folder = save_tiny_transparent(tmp_path / "clear")
    register_checkpoint(project=default_project(), source=folder, name="clear")
    factories.make_prompt_set("things", 2)
    drawings = tmp_path / "drawings"
    drawings.mkdir()
    for key in range(2):
        drawing(key).save(drawings / f"{key}.png")
    call_command("import_images", str(drawings), name="drawn", model="A person", prompts="things")
    with live.worker():
        call_command(
            "run_eval", "clear", "images:drawn", prompts=["things"], name="cut-out", steps=2,
            criteria="visual_appeal",
        )  # fmt: skip
    return Campaign.objects.get()


def drawing(key):
    """A square of one colour on nothing."""
    image = Image.new("RGBA", (SIDE, SIDE), (7, 7, 7, 0))
    image.paste((40 + 90 * key, 160, 60, 255), (8, 8, 24, 24))
    return image


def test_transparent_images_go_from_worker_and_import_to_pages_and_export(
    cut_out, open_page, page, site, rania, tmp_path
):
    stored = [each.image for each in (*Sample.objects.all(), *CollectedImage.objects.all())]
    assert len(stored) == 4
    assert {opened(name).mode for name in stored} == {"RGBA"}
    alphas = [np.asarray(opened(name))[..., 3] for name in stored]
    assert all(alpha.min() == 0 and alpha.max() == 255 for alpha in alphas)

    annotator = open_page(cut_out).begin()
    shown = seen(annotator.tab, "[data-image]")
    assert len(shown) == 2
    for name in ("headers", "bytes", "head", "side"):
        assert shown[0][name] == shown[1][name]
    assert all((each["pixels"][..., 3] == 255).all() for each in shown)
    on_grey = {pixels_on_grey(name) for name in stored}
    assert {each["pixels"][..., :3].tobytes() for each in shown} <= on_grey
    while not Vote.objects.filter(assignment__purpose="main").exists():
        annotator.answer("ArrowLeft")
        annotator.wait_until_saved()

    page.goto(f"{site}{reverse('reports:images', args=[cut_out.slug])}")
    page.fill("[name=username]", "rania")
    page.fill("[name=password]", "a long password")
    page.click("[type=submit]")
    page.wait_for_url("**/images/")
    small = seen(page, "main img")
    assert len(small) == 4
    assert all((each["pixels"][..., 3] == 255).all() for each in small)
    set_ = cut_out.image_sets.main().first()
    page.goto(f"{site}{reverse('reports:image_set', args=[cut_out.slug, set_.pk])}")
    large = seen(page, ".set-images img")
    assert {(each["pixels"][..., 3] == 0).any() for each in large} == {True}
    ground = "images => images.map(each => getComputedStyle(each).backgroundColor)"
    grounds = page.eval_on_selector_all(".set-images img", ground)
    assert grounds == ["rgb(128, 128, 128)"] * 2

    whole = export(cut_out, tmp_path / "rows", "jsonl", "path")
    files = [file.read_bytes() for file in (whole / "images").rglob("*.png")]
    assert len(files) == 2
    assert set(files) < {bytes_of(name) for name in stored}
    columns = parquet.read_table(
        next(export(cut_out, tmp_path / "p", "pickapic").rglob("*.parquet"))
    )
    for name in ("jpg_0", "jpg_1"):
        with Image.open(io.BytesIO(columns[name][0].as_py())) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")


def export(campaign, out, kind, images=None):
    call_command("export", campaign.slug, kind=kind, out=out, images=images, grain="pair")
    return out


def seen(tab, selector):
    """Return what a page shows at a selector, each image's pixels as (height, width, RGBA)."""
    tab.wait_for_function(
        "css => [...document.querySelectorAll(css)].every(each => each.complete)", arg=selector
    )
    found = tab.eval_on_selector_all(selector, SEEN)
    for each in found:
        each["pixels"] = np.array(each["pixels"], np.uint8).reshape(-1, each["side"], 4)
    return found


def bytes_of(name):
    with default_storage.open(name) as file:
        return file.read()


def opened(name):
    return Image.open(io.BytesIO(bytes_of(name)))


def pixels_on_grey(name):
    image = opened(name)
    ground = Image.new("RGBA", image.size, GREY)
    return Image.alpha_composite(ground, image).convert("RGB").tobytes()
