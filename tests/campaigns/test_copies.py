"""What annotators are sent: files of one length, with the pixels of the samples, none twice."""

import hashlib
import io
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image

from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns import showing
from evalplatform.campaigns.copies import CopyStore
from evalplatform.campaigns.models import Campaign, ImageSet
from evalplatform.campaigns.packing import FULL, Packing, name_at
from evalplatform.core.errors import BadInputError
from evalplatform.core.stored_images import encode_image, keeps_alpha
from evalplatform.generation.models import Sample
from evalplatform.generation.services import record_sample
from evalplatform.quality.services import make_gold
from tests import factories, safety

pytestmark = pytest.mark.django_db(transaction=True)
CHECKS = {"quality": {"gold_rate": 0.2, "repeat_rate": 0.2, "qualification_pairs": 1}}
WEBP = CHECKS | {"annotation": {"delivery": "webp", "delivery_quality": 80}}
BARE_WEBP = {"annotation": {"delivery": "webp", "delivery_quality": 80}}
SEED = bytes(range(32))
PNG = Packing()
GOLD_PURPOSES = [each for each in ImageSet.Purpose.values if each != "main"]


def read(name):
    with default_storage.open(name) as file:
        return file.read()


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def shown(campaign):
    """Return every file that annotators can be sent, as (name, name of its sample or None)."""
    found = []
    for item in campaign.items.main():
        numbers = [item.copy, item.copy + 1] if item.repeatable else [item.copy]
        for image in item.image_set.images.select_related("sample"):
            found += [(image.copies[number], image.sample.image) for number in numbers]
    for each in hidden_gold(campaign):
        found += [(name, None) for name in each.files]
    return found


def hidden_gold(campaign):
    return campaign.image_sets.gold().exclude(purpose="example")


def stored():
    folder = Path(settings.VAR_DIR) / "objects"
    return {str(path.relative_to(folder)) for path in folder.rglob("*.png")}


def smooth(seed):
    """Return an image that packs much better than `factories.make_image`'s."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (2, 2, 3), dtype=np.uint8)).resize((16, 16))


def redraw(campaign, checkpoint, draw):
    for row in Sample.objects.filter(checkpoint=checkpoint):
        Sample.objects.filter(pk=row.pk).update(status="planned", image="", image_sha256="")
        record_sample(sample=row, image=draw(row.pk), now=timezone.now())


@pytest.fixture
def with_checks():
    """A draft with gold pairs, in which one checkpoint's files are half as long as the other's."""
    campaign = safety.make_draft(prompts=12, threshold=None, rules=CHECKS)
    redraw(campaign, campaign.contenders[1].checkpoint, smooth)
    make_gold(campaign=campaign, counts=dict.fromkeys(GOLD_PURPOSES, 3))
    return campaign


def chunks(content):
    """Read a PNG strictly: every chunk's name, its checksum checked, nothing after the end."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    at, names = 8, []
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        body = content[at + 4 : at + 8 + length]
        assert struct.unpack_from(">I", content, at + 8 + length)[0] == zlib.crc32(body)
        names.append(body[:4].decode())
        at += 12 + length
    assert (names[0], names[-1], at) == ("IHDR", "IEND", len(content))
    return names


def test_all_files_of_a_campaign_are_of_one_length_and_differ_in_their_bytes(with_checks):
    lengths = {len(read(sample.image)) for sample in Sample.objects.all()}
    assert min(lengths) < 0.6 * max(lengths)
    open_campaign(campaign=with_checks)
    files = shown(with_checks)
    assert len(files) == 2 * (2 * 12 + 2 * 12 + 2 * 2 * 3)  # all repeatable: it is a small one
    contents = [read(name) for name, _ in files]
    assert len({len(each) for each in contents}) == 1
    assert len({hashlib.sha256(each).digest() for each in contents}) == len(files)


def test_copy_has_the_pixels_of_its_sample_and_is_a_strict_png(with_checks):
    open_campaign(campaign=with_checks)
    for name, sample in shown(with_checks):
        content = read(name)
        names = chunks(content)
        assert set(names) == {"IHDR", "IDAT", "paDd", "IEND"}
        assert names.count("paDd") == 1
        if sample:
            assert (pixels(content) == pixels(read(sample))).all()
        assert len(zlib.compress(content)) > 0.95 * len(content)  # nothing to gain on the way


def test_gold_is_padded_and_its_unpadded_images_are_gone(with_checks):
    before = {each.pk: each.files for each in with_checks.image_sets.gold()}
    looked = {name: pixels(read(name)) for files in before.values() for name in files}
    open_campaign(campaign=with_checks)
    for each in with_checks.image_sets.gold():
        assert len(each.files) == 2
        for old, new in zip(before[each.pk], each.files, strict=True):
            assert (pixels(read(new)) == looked[old]).all()
    left = {name for name in stored() if name.startswith("gold/")}
    examples = with_checks.image_sets.filter(purpose="example")
    assert {name for each in examples for name in each.files} <= left
    hidden = hidden_gold(with_checks)
    assert len(hidden) == 2 * 2 * 3
    assert not {name for each in hidden for name in before[each.pk] + each.files} & left


def test_without_checks_both_criteria_show_the_same_copies():
    campaign = factories.make_draft(prompts=3)
    open_campaign(campaign=campaign)
    names = [name for name, _ in shown(campaign)]
    assert (len(names), len(set(names))) == (12, 6)


def test_copies_of_a_smaller_size_are_of_the_common_length_too(draft):
    redraw(draft, draft.contenders[0].checkpoint, lambda seed: factories.make_image(seed, 24))
    open_campaign(campaign=draft)
    contents = [read(name) for name, _ in shown(draft)]
    assert {pixels(each).shape for each in contents} == {(16, 16, 3)}
    assert len({len(each) for each in contents}) == 1


def test_no_file_is_shared_with_another_campaign_of_the_same_samples(draft):
    open_campaign(campaign=draft)
    twin = Campaign.objects.get(pk=draft.pk)
    twin.pk, twin.slug, twin.status, twin.invitation = None, "twin", "draft", "other"
    twin.save()
    twin.prompt_sets.set(draft.prompt_sets.all())
    for row in [*draft.criteria.all(), *draft.arms.all()]:
        row.pk, row.campaign = None, twin
        row.save()
    open_campaign(campaign=twin)
    first, second = ({name for name, _ in shown(each)} for each in (draft, twin))
    assert first.isdisjoint(second)
    assert len(second) == len(first)


# ---- all or nothing


def fail(made, total):
    raise RuntimeError("the disk is full")


@pytest.mark.parametrize("where", ["on_images", "on_progress"])
def test_opening_that_fails_leaves_no_copy_and_all_gold(with_checks, where):
    before = stored()
    with pytest.raises(RuntimeError, match="the disk is full"):
        open_campaign(campaign=with_checks, **{where: fail})
    assert stored() == before
    open_campaign(campaign=with_checks)
    assert {name for name, _ in shown(with_checks)} <= stored()


def test_opening_that_was_killed_leaves_files_that_the_next_one_takes_up(with_checks, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(CopyStore, "discard", lambda self: None)  # what a kill does
        with pytest.raises(RuntimeError):
            open_campaign(campaign=with_checks, on_progress=fail)
    left = stored()
    monkeypatch.setattr(Packing, "padded", lambda *_: pytest.fail("written again"))
    open_campaign(campaign=with_checks)
    assert {name for name, _ in shown(with_checks)} <= left


@pytest.fixture
def packed_anew(monkeypatch):
    """The images that were packed; nothing is left of other openings."""
    shutil.rmtree(Path(settings.VAR_DIR) / "packing", ignore_errors=True)
    pack, packed = Packing.pack, []

    def counted(self, image):
        packed.append(image)
        return pack(self, image)

    monkeypatch.setattr(Packing, "pack", counted)
    return packed


def test_what_was_packed_before_a_kill_is_not_packed_again(packed_anew, monkeypatch):
    campaign = safety.make_draft(prompts=6, threshold=None, rules=BARE_WEBP)
    left = Path(settings.VAR_DIR) / "packing"
    pack = Packing.pack

    def killed(self, image):
        if len(packed_anew) >= 5:
            raise KeyboardInterrupt
        return pack(self, image)

    with monkeypatch.context() as patched:
        patched.setattr(Packing, "pack", killed)
        patched.setattr("evalplatform.campaigns.copies._THREADS", 1)
        with pytest.raises(KeyboardInterrupt):
            open_campaign(campaign=campaign)
    assert len(packed_anew) == 5
    assert list(left.iterdir())
    with pytest.raises(RuntimeError):
        open_campaign(campaign=campaign, on_images=fail)
    assert len(packed_anew) == 12
    open_campaign(campaign=campaign)
    assert len(packed_anew) == 12
    assert not list(left.iterdir())


def test_file_that_was_cut_off_by_a_kill_is_packed_again(packed_anew):
    """A file is written by a rename, so what lacks one width was not whole."""
    campaign = safety.make_draft(prompts=2, threshold=None, rules=BARE_WEBP)
    with pytest.raises(RuntimeError):
        open_campaign(campaign=campaign, on_images=fail)
    (folder,) = (Path(settings.VAR_DIR) / "packing").iterdir()
    next(folder.iterdir()).unlink()
    open_campaign(campaign=campaign)
    assert len(packed_anew) == 5


def test_what_was_packed_and_never_opened_goes_after_a_week(draft):
    old = Path(settings.VAR_DIR) / "packing" / "old"
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    open_campaign(campaign=draft)
    assert not old.exists()


def test_opening_tells_how_many_images_are_packed():
    campaign = safety.make_draft(prompts=6, threshold=None, rules=BARE_WEBP)
    told = []
    open_campaign(campaign=campaign, on_packed=lambda made, total: told.append((made, total)))
    assert told == [(made, 12) for made in range(1, 13)]


def test_all_are_told_as_packed_where_sets_share_images():
    campaign = factories.make_draft(prompts=2, arms=3, slug="gallery")
    told = []
    open_campaign(campaign=campaign, on_packed=lambda made, total: told.append((made, total)))
    assert told == [*((made, 12) for made in range(1, 7)), (12, 12)]


def test_image_that_is_gone_is_named_before_anything_is_stored(draft):
    name = Sample.objects.first().image
    default_storage.delete(name)
    before = stored()
    with pytest.raises(BadInputError, match=name):
        open_campaign(campaign=draft)
    assert stored() == before


def test_opening_tells_how_many_images_are_stored(with_checks):
    told = []
    open_campaign(campaign=with_checks, on_images=lambda made, total: told.append((made, total)))
    count = len(shown(with_checks))
    assert told[-1] == (count, count)
    assert [made for made, _ in told] == sorted({made for made, _ in told})


# ---- the chunk


@pytest.mark.parametrize("extra", [12, 13, 28, 5000])
def test_padding_makes_a_png_exactly_as_long_as_asked(extra):
    png = encode_image(factories.make_image(1))
    content = PNG.padded(png, len(png) + extra, SEED)
    assert len(content) == len(png) + extra
    chunks(content)
    assert (pixels(content) == pixels(png)).all()
    assert PNG.unpadded(content) == png


def test_padding_refuses_what_is_too_long_and_what_is_no_png():
    png = encode_image(factories.make_image(1))
    for given, length in ((png, len(png) + 11), (png + b"\0", 10_000), (b"", 100)):
        with pytest.raises(ValueError, match="no PNG"):
            PNG.padded(given, length, SEED)


# ---- WebP


def test_padded_webp_is_as_long_as_asked_and_shows_the_same():
    webp = Packing(80, (8,))
    for width, content in webp.pack(factories.make_image(1)):
        longer = webp.padded(content, len(content) + 2008, SEED)
        assert len(longer) == len(content) + 2008 == int.from_bytes(longer[4:8], "little") + 8
        assert (pixels(longer) == pixels(content)).all()
        assert pixels(longer).shape[1] == (width or 16)
        assert webp.unpadded(longer) == content
        with pytest.raises(ValueError, match="odd"):
            webp.padded(content, len(content) + 2009, SEED)


def test_webp_of_each_width_is_of_one_length_whatever_made_it(monkeypatch):
    """Checkpoints, gold and repeats alike; the quality is the rules' own for every image."""
    monkeypatch.setattr(showing, "LADDER", (8, 16, 32))
    campaign = safety.make_draft(prompts=6, threshold=None, rules=WEBP)
    redraw(campaign, campaign.contenders[1].checkpoint, smooth)
    make_gold(campaign=campaign, counts=dict.fromkeys(GOLD_PURPOSES, 2))
    open_campaign(campaign=campaign)
    assert campaign.shown_widths == campaign.protocol["shown_widths"] == [8]
    rules = campaign.protocol["rules"]["annotation"]
    assert (rules["delivery"], rules["delivery_quality"]) == ("webp", 80)
    files = shown(campaign)
    assert {Path(name).suffix for name, _ in files} == {".webp"}
    for width, side in ((FULL, 16), (8, 8)):
        contents = [read(name_at(name, width)) for name, _ in files]
        assert {pixels(each).shape for each in contents} == {(side, side, 3)}
        assert len({len(each) for each in contents}) == 1
        assert len(set(contents)) == len(contents)
    name, sample = next(each for each in files if each[1])
    ours = Packing(80).pack(Image.fromarray(pixels(read(sample))))
    assert (pixels(read(name)) == pixels(dict(ours)[FULL])).all()
    examples = campaign.image_sets.filter(purpose="example")
    assert {Path(name).suffix for each in examples for name in each.files} == {".webp"}


@pytest.mark.parametrize("delivery", ["lossless", "webp"])
def test_no_file_that_is_sent_is_transparent(delivery):
    """An alpha channel would tell by the file's header which arm made it."""
    rules = {"quality": CHECKS["quality"], "annotation": {"delivery": delivery, "ground": "white"}}
    campaign = safety.make_draft(prompts=12, threshold=None, rules=rules)

    def cut_out(seed):
        image = smooth(seed).convert("RGBA")
        image.putalpha(Image.new("L", image.size, 0))
        return image

    redraw(campaign, campaign.contenders[1].checkpoint, cut_out)
    make_gold(campaign=campaign, counts=dict.fromkeys(GOLD_PURPOSES, 1))
    open_campaign(campaign=campaign)
    files = shown(campaign)
    opened = [(Image.open(io.BytesIO(read(name))), made) for name, made in files]
    assert {image.mode for image, _ in opened} == {"RGB"}
    transparent = [image for image, made in opened if made and keeps_alpha(made)]
    assert len(transparent) >= 12
    assert all(np.asarray(image).min() >= 254 for image in transparent)
    assert len({len(read(name)) for name, _ in files}) == 1
