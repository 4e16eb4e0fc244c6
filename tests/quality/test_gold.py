"""Gold: clearly decided, of the campaign's own making, and indistinguishable by file."""

import io
import re
import struct
import zlib
from collections import Counter

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from PIL import Image

from evalplatform.annotation import examples
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.models import Campaign, ImageSet, Item, ShownImage
from evalplatform.core.errors import BadInputError
from evalplatform.core.stored_images import encode_image
from evalplatform.generation.models import Sample
from evalplatform.quality import services
from evalplatform.quality.damage import DAMAGES, spoil
from evalplatform.quality.gold_file import open_gold_image
from evalplatform.quality.services import import_gold, make_gold
from evalplatform.quality.words import content_words
from tests import factories
from tests.quality.conftest import make_campaign

pytestmark = pytest.mark.django_db(transaction=True)
_, EXAMPLE, QUALIFICATION, CHECK = ImageSet.Purpose.values


def content(name):
    with default_storage.open(name) as file:
        return file.read()


def pixels(name):
    return np.asarray(Image.open(io.BytesIO(content(name))))


def gold(campaign, slug):
    return campaign.image_sets.gold().filter(criterion__slug=slug).order_by("pk")


def rows(campaign):
    """Return all gold as it is stored, its images and items among it."""
    return [
        (each, list(ShownImage.objects.filter(image_set=each["id"]).values()),
         list(Item.objects.filter(image_set=each["id"]).values()))
        for each in campaign.image_sets.gold().order_by("pk").values()
    ]  # fmt: skip


def test_counts_are_per_criterion_and_purpose(things):
    made = make_gold(campaign=things, counts={EXAMPLE: 1, QUALIFICATION: 2, CHECK: 3})
    assert made == 12
    counted = Counter(things.image_sets.gold().values_list("criterion__slug", "purpose"))
    for kind in ("visual_appeal", "text_faithfulness"):
        assert [counted[kind, purpose] for purpose in (EXAMPLE, QUALIFICATION, CHECK)] == [1, 2, 3]


def test_same_counts_again_change_nothing_and_larger_ones_add(things):
    make_gold(campaign=things, counts={CHECK: 3})
    before = rows(things)
    assert len(before) == 6
    assert make_gold(campaign=things, counts={CHECK: 3}) == 0
    assert rows(things) == before
    assert make_gold(campaign=things, counts={EXAMPLE: 1, CHECK: 5}) == 6
    assert [row for row in rows(things) if row in before] == before


def test_interrupted_making_goes_on_where_it_stopped(things):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_gold(campaign=things, counts={CHECK: 4}, on_made=interrupt)
    assert things.image_sets.gold().count() == 1
    assert make_gold(campaign=things, counts={CHECK: 4}) == 7
    numbers = gold(things, "visual_appeal").values_list("origin__number", flat=True)
    assert sorted(numbers) == [0, 1, 2, 3]


def test_same_campaign_makes_the_same_gold(things):
    make_gold(campaign=things, counts={CHECK: 4})
    first = [(each.origin, drawn(each)) for each in things.image_sets.gold()]
    things.image_sets.gold().delete()
    make_gold(campaign=Campaign.objects.get(pk=things.pk), counts={CHECK: 4})
    again = [(each.origin, drawn(each)) for each in things.image_sets.gold()]
    assert again == first


def drawn(each):
    return [pixels(name).tobytes() for name in each.files]


def test_no_gold_comes_twice(things):
    make_gold(campaign=things, counts={EXAMPLE: 8, CHECK: 24})
    for kind in ("visual_appeal", "text_faithfulness"):
        origins = [
            tuple(sorted((key, str(value)) for key, value in origin.items() if key != "number"))
            for origin in gold(things, kind).values_list("origin", flat=True)
        ]
        assert len(set(origins)) == len(origins) == 32


def test_damaged_copy_is_made_of_the_sample_it_stands_against(things):
    make_gold(campaign=things, counts={CHECK: 6})
    hashes = dict(Sample.objects.values_list("image_sha256", "image"))
    for pair in gold(things, "visual_appeal"):
        better, worse = map(pixels, pair.files)
        assert pair.expected == [1, 0]
        assert (better == pixels(hashes[pair.origin["sample_sha256"]])).all()
        assert np.abs(better.astype(int) - worse.astype(int)).mean() > 0.08 * 255
    kinds = {each.origin["damages"][0] for each in gold(things, "visual_appeal")}
    assert kinds == {damage.name for damage in DAMAGES}


def test_wrong_sample_is_of_a_prompt_without_a_common_word_and_of_the_same_checkpoint(things):
    make_gold(campaign=things, counts={CHECK: 8})
    by_hash = {row.image_sha256: row for row in Sample.objects.select_related("prompt")}
    for pair in gold(things, "text_faithfulness"):
        right = by_hash[pair.origin["sample_sha256"]]
        (other,) = pair.origin["others"]
        wrong = by_hash[other["sample_sha256"]]
        assert wrong.prompt.text == other["prompt"]
        assert pair.expected == [1, 0]
        assert right.prompt.text == pair.prompt_text
        assert right.checkpoint_id == wrong.checkpoint_id
        assert not content_words(right.prompt.text) & content_words(wrong.prompt.text)
        assert right.prompt.category != wrong.prompt.category
        for name, sample in zip(pair.files, (right, wrong), strict=True):
            assert (pixels(name) == pixels(sample.image)).all()


@pytest.mark.parametrize("size", [64, 256])
def test_damage_makes_no_file_much_longer_than_its_sample(size):
    """All files of a campaign are padded to the longest."""
    rng = np.random.default_rng(5)
    blotches = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    grain = rng.integers(-6, 7, (size, size, 3))
    drawn = np.asarray(blotches.resize((size, size), Image.Resampling.BICUBIC)).astype(int) + grain
    image = Image.fromarray(drawn.clip(0, 255).astype(np.uint8))
    sample = len(encode_image(image))
    for first in range(len(DAMAGES)):
        spoilt, damage = spoil(image, first, rng)
        assert len(encode_image(spoilt)) < 1.15 * sample, damage.name


@pytest.mark.parametrize("kind", ["visual_appeal", "text_faithfulness"])
def test_arms_take_turns(things, kind):
    make_gold(campaign=things, counts={CHECK: 8})
    arms = list(gold(things, kind).values_list("origin__arm", flat=True))
    assert arms in ([0, 1] * 4, [1, 0] * 4)


def test_gold_images_are_bare_files_of_the_samples_size_with_random_names(things):
    make_gold(campaign=things, counts={EXAMPLE: 1, CHECK: 3})
    names = [name for each in things.image_sets.gold() for name in each.files]
    assert len(set(names)) == len(names) == 2 * 2 * 4
    for name in names:
        assert name.startswith("gold/")
        assert len(name) == len("gold/.png") + 32
        with Image.open(io.BytesIO(content(name))) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (16, 16))
            assert not image.info
            assert not image.getexif()


def test_gold_of_unequal_checkpoints_is_shown_at_the_smaller_size(db, monkeypatch):
    sizes = iter(range(100))
    monkeypatch.setattr(
        factories, "make_image", lambda seed: draw(seed, 24 if next(sizes) < 8 else 16)
    )
    campaign = make_campaign()
    make_gold(campaign=campaign, counts={CHECK: 4})
    sizes = {pixels(name).shape for each in campaign.image_sets.gold() for name in each.files}
    assert sizes == {(16, 16, 3)}


def draw(seed, size):
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    )


def test_open_campaign_is_refused(things):
    make_gold(campaign=things, counts={CHECK: 1})
    open_campaign(campaign=things)
    for count in (1, 2):  # even where nothing is left to make
        with pytest.raises(BadInputError, match="frozen with its protocol"):
            make_gold(campaign=things, counts={CHECK: count})


def test_campaign_that_opened_meanwhile_is_refused(things):
    stale = Campaign.objects.get(pk=things.pk)
    open_campaign(campaign=things)
    with pytest.raises(BadInputError, match="frozen with its protocol"):
        make_gold(campaign=stale, counts={CHECK: 1})
    assert things.image_sets.gold().count() == 0


def test_missing_samples_are_refused(things):
    Sample.objects.filter(pk=Sample.objects.first().pk).delete()
    with pytest.raises(BadInputError, match="1 of its images are not made yet"):
        make_gold(campaign=things, counts={CHECK: 1})


def test_more_gold_than_the_prompts_give_are_refused(things):
    with pytest.raises(BadInputError, match="no more gold for visual_appeal"):
        make_gold(campaign=things, counts={CHECK: 6 * 8 + 1})


def test_prompts_with_a_word_in_common_give_no_wrong_sample(db):
    campaign = make_campaign(things=[("a red cat", ""), ("two cats", ""), ("a cat", "")])
    with pytest.raises(BadInputError, match="no more gold for text_faithfulness"):
        make_gold(campaign=campaign, counts={CHECK: 1})


def test_gold_is_part_of_the_protocol(things):
    make_gold(campaign=things, counts={CHECK: 1})
    open_campaign(campaign=things)
    assert {each["origin"]["kind"] for each in things.protocol["gold"]} == {
        "damaged_copy",
        "other_prompt",
    }


@pytest.mark.parametrize("first", range(3))
def test_every_damage_shows_on_an_even_image(first):
    even = Image.new("RGB", (64, 48), (90, 120, 200))
    spoilt, damage = spoil(even, first, np.random.default_rng(0))
    assert spoilt.size == even.size
    assert damage.name == ("smeared" if first == 2 else "noise")


def test_tiles_all_leave_their_place():
    from evalplatform.quality.damage import shuffle_tiles

    numbered = np.arange(36, dtype=np.uint8).reshape(6, 6, 1).repeat(3, axis=2)
    shuffled = shuffle_tiles(numbered, np.random.default_rng(1))
    assert sorted(shuffled[..., 0].flat) == list(range(36))
    assert (shuffled != numbered).all()


def test_words_of_a_prompt_leave_out_grammar_and_the_kind_of_picture():
    assert content_words("A Photo of two boxes, with the berries!") == {"two", "box", "berry"}
    assert content_words("an image of it") == frozenset()


def test_two_that_make_gold_at_once_make_the_counts_together(things):
    def other():
        others.append(make_gold(campaign=things, counts={CHECK: 3}, on_made=lambda: None))

    others: list[int] = []
    own = make_gold(campaign=things, counts={CHECK: 4}, on_made=other)
    assert sum(others) > 0
    assert own + sum(others) == 8  # 4 of each of two criteria
    of_criteria = things.image_sets.gold().values_list("criterion__slug", flat=True)
    assert set(Counter(of_criteria).values()) == {4}
    origins = things.image_sets.gold().values_list("criterion__slug", "origin")
    assert len({repr(each) for each in origins}) == 8


# ---- from a file --------------------------------------------------------------------------------


HEADER = "criterion\tpurpose\tprompt\tbetter\tworse\twhy"
GOOD = "text_faithfulness\texample\ta red kite\tkite.png\tdog.jpg\tThe other image shows a dog."


@pytest.fixture
def folder(tmp_path):
    draw(1, 40).save(tmp_path / "kite.png", pnginfo=None)
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    draw(2, 16).resize((60, 30)).save(tmp_path / "dog.jpg", exif=exif)
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    (tmp_path / "note.txt").write_text("no image")

    def write(*lines, header=HEADER):
        path = tmp_path / "gold.tsv"
        path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
        return path

    return write


def test_pairs_of_a_file_are_stored_at_the_samples_size_without_metadata(things, folder):
    assert import_gold(campaign=things, path=folder(GOOD)) == 1
    pair = things.image_sets.gold().get()
    assert (pair.purpose, pair.prompt_text) == ("example", "a red kite")
    assert pair.why == "The other image shows a dog."
    assert pair.expected == [1, 0]
    for name in pair.files:
        assert b"secret" not in content(name)
        with Image.open(io.BytesIO(content(name))) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (16, 16))
            assert not image.info
    assert tuple(pixels(pair.files[1])[0, 8]) == (128, 128, 128)  # 2:1 on neutral grey


def test_transparent_image_is_shown_on_neutral_grey(things, folder):
    line = "visual_appeal\tcheck\t\tkite.png\tclear.png\t"
    import_gold(campaign=things, path=folder(line))
    assert (pixels(things.image_sets.gold().get().files[1]) == 128).all()


def test_same_file_again_changes_nothing_and_a_longer_one_adds(things, folder):
    import_gold(campaign=things, path=folder(GOOD))
    before = rows(things)
    assert len(before) == 1
    assert import_gold(campaign=things, path=folder(GOOD)) == 0
    assert rows(things) == before
    more = folder(GOOD, GOOD.replace("a red kite", "a kite"))
    assert import_gold(campaign=things, path=more) == 1


def test_two_that_take_the_same_file_at_once_store_its_pairs_once(things, folder, monkeypatch):
    def after_another(*given):
        monkeypatch.setattr(services, "open_gold_image", open_gold_image)
        assert import_gold(campaign=things, path=table) == 1
        return open_gold_image(*given)

    table = folder(GOOD)
    monkeypatch.setattr(services, "open_gold_image", after_another)
    assert import_gold(campaign=things, path=table) == 0
    assert things.image_sets.gold().count() == 1


def test_pairs_of_a_file_are_counted_when_automatic_ones_are_made(things, folder):
    import_gold(campaign=things, path=folder(GOOD))
    assert make_gold(campaign=things, counts={EXAMPLE: 2}) == 3
    assert gold(things, "text_faithfulness").count() == 2


def test_pair_serves_one_purpose(things, folder):
    as_check = GOOD.replace("\texample\t", "\tcheck\t")
    with pytest.raises(BadInputError, match="line 3 repeats the pair of line 2"):
        import_gold(campaign=things, path=folder(GOOD, as_check))
    import_gold(campaign=things, path=folder(GOOD))
    with pytest.raises(BadInputError, match="line 2, column purpose: this pair is there for exam"):
        import_gold(campaign=things, path=folder(as_check))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (GOOD.replace("text_faithfulness", "beauty"), r"line 2, column criterion: 'beauty'"),
        (GOOD.replace("\texample\t", "\tdrill\t"), r"line 2, column purpose: 'drill' is none of"),
        (GOOD.replace("a red kite", ""), r"line 2, column prompt: is empty"),
        (GOOD.replace("kite.png", "kite.gif"), r"line 2, column better: there is no file"),
        (GOOD.replace("kite.png", ""), r"line 2, column better: is empty"),
        (GOOD.replace("dog.jpg", "note.txt"), r"line 2, column worse: note.txt cannot be read"),
        (GOOD.replace("dog.jpg", "."), r"line 2, column worse: .* cannot be read"),
        (GOOD.replace("dog.jpg", "kite.png"), r"line 2, column worse: is the same image"),
        (GOOD.replace("The other image shows a dog.", ""), r"line 2, column why: is empty"),
        (GOOD + "\tmore", r"line 2 has 7 fields, the header has 6"),
        (GOOD + "\n" + GOOD, r"line 3 repeats the pair of line 2"),
        ("", r"holds no gold; put a pair"),
    ],
)
def test_bad_line_is_refused_by_line_and_column_and_nothing_is_stored(
    things, folder, line, message
):
    good = GOOD.replace("\texample\t", "\tqualification\t")
    with pytest.raises(BadInputError, match=message):
        import_gold(campaign=things, path=folder(line, "" if not line else good))
    assert things.image_sets.gold().count() == 0


def test_wrong_columns_are_refused(things, folder):
    with pytest.raises(BadInputError, match=r"line 1: the columns are criterion, better; accepted"):
        import_gold(campaign=things, path=folder(GOOD, header="criterion\tbetter"))


def test_file_that_is_not_text_is_refused(things, tmp_path):
    (tmp_path / "gold.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="not UTF-8"):
        import_gold(campaign=things, path=tmp_path / "gold.tsv")
    with pytest.raises(BadInputError, match="cannot be read"):
        import_gold(campaign=things, path=tmp_path / "none.tsv")


def test_image_of_a_format_that_runs_programs_is_refused(things, folder, tmp_path):
    draw(1, 16).save(tmp_path / "dog.eps")
    with pytest.raises(BadInputError, match=r"line 2, column worse: dog.eps .* no image of a kn"):
        import_gold(campaign=things, path=folder(GOOD.replace("dog.jpg", "dog.eps")))


@pytest.mark.parametrize("side", [9_000, 20_000])  # Pillow warns of the first, refuses the second
def test_image_that_would_fill_the_memory_is_refused(things, folder, tmp_path, side):
    head = struct.pack(">4sII5B", b"IHDR", side, side, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head
    pixels_follow = struct.pack(">II4s", zlib.crc32(head), 1000, b"IDAT")
    (tmp_path / "bomb.png").write_bytes(png + pixels_follow)
    with pytest.raises(BadInputError, match=r"line 2, column worse: bomb.png .*64 million"):
        import_gold(campaign=things, path=folder(GOOD.replace("dog.jpg", "bomb.png")))


def test_giant_table_is_refused(things, tmp_path):
    with (tmp_path / "gold.tsv").open("wb") as file:
        file.truncate(16 * 2**20 + 1)  # takes no room
    with pytest.raises(BadInputError, match=r"gold.tsv is over 16 MiB; split it"):
        import_gold(campaign=things, path=tmp_path / "gold.tsv")


def test_table_with_a_letter_that_no_database_holds_is_refused(things, folder):
    with pytest.raises(BadInputError, match=r"line 2, column prompt: holds a NUL"):
        import_gold(campaign=things, path=folder(GOOD.replace("a red", "a \0red")))
    with pytest.raises(BadInputError, match=r"line 2, column better: there is no file [^\0]*$"):
        import_gold(campaign=things, path=folder(GOOD.replace("kite.png", "a\0b.png")))
    with pytest.raises(BadInputError, match=r"line 1: the columns are [^\0]*$"):
        import_gold(campaign=things, path=folder(GOOD, header=HEADER.replace("why", "w\0y")))


# ---- the command --------------------------------------------------------------------------------


def test_command_makes_the_usual_counts(things, capsys):
    call_command("make_gold", things.slug)
    out = capsys.readouterr().out
    assert "54 gold sets made" in out
    assert "text_faithfulness: 20 × check" in out
    assert things.image_sets.gold().filter(purpose=EXAMPLE).count() == 4


def test_command_with_a_file_makes_no_automatic_pairs_unless_asked(things, folder, capsys):
    path = str(folder(GOOD))
    call_command("make_gold", things.slug, "--from", path)
    assert things.image_sets.gold().count() == 1
    call_command("make_gold", things.slug, "--from", path, "--checks", "2")
    assert things.image_sets.gold().count() == 5


def test_sheet_shows_every_pair_and_fetches_nothing(things, tmp_path):
    sheet = tmp_path / "gold.html"
    call_command(
        "make_gold", things.slug, examples=1, qualification=0, checks=3, sheet=sheet, verbosity=0
    )
    page = sheet.read_text()
    assert page.count('src="data:image/png;base64,') == 2 * 8
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert page.index("Visual appeal</b>, check 0") < page.index("Text faithfulness</b>, check 0")


def test_cleared_gold_leaves_no_file_and_can_be_made_again(things, capsys):
    make_gold(campaign=things, counts={CHECK: 2})
    names = [name for each in things.image_sets.gold() for name in each.files]
    assert len(names) == 8
    call_command("make_gold", things.slug, "--clear")
    assert "4 gold sets removed" in capsys.readouterr().out
    assert things.image_sets.gold().count() == 0
    assert not any(default_storage.exists(name) for name in names)
    assert not Item.objects.exists()
    assert make_gold(campaign=things, counts={CHECK: 2}) == 4
    open_campaign(campaign=things)
    with pytest.raises(CommandError, match="frozen with its protocol"):
        call_command("make_gold", things.slug, "--clear")
    assert things.image_sets.gold().count() == 4


@pytest.mark.parametrize("count", ["-1", "10001"])
def test_command_refuses_counts_out_of_range(things, count):
    with pytest.raises(CommandError, match=r"accepted: 0 to 10,000") as raised:
        call_command("make_gold", things.slug, "--checks", count)
    assert raised.value.returncode == 2


# ---- what annotators are shown of it ------------------------------------------------------------


def test_examples_say_which_image_is_better_and_why(things, client):
    make_gold(campaign=things, counts={EXAMPLE: 2, CHECK: 1})
    open_campaign(campaign=things)
    shown = examples.examples_for(things)
    assert [each["criterion_label"] for each in shown] == [
        "Visual appeal", "Visual appeal", "Text faithfulness", "Text faithfulness"
    ]  # fmt: skip
    assert [each["prompt"] is None for each in shown] == [True, True, False, False]
    pairs = (
        things.image_sets.gold().filter(purpose=EXAMPLE).order_by("criterion__position", "position")
    )
    for each, pair in zip(shown, pairs, strict=True):
        assert each["why"].startswith("The other image")
        told = {image["is_good"]: sent(client, image["url"]) for image in each["images"]}
        assert told == {True: content(pair.files[0]), None: content(pair.files[1])}


def sent(client, address):
    return b"".join(client.get(address).streaming_content)


def test_images_of_unseen_gold_are_no_examples(things):
    make_gold(campaign=things, counts={EXAMPLE: 1, QUALIFICATION: 1, CHECK: 1})
    for pair in things.image_sets.gold().exclude(purpose=EXAMPLE):
        assert examples.example_image(pair.public_id, 0) is None
    example = things.image_sets.gold().filter(purpose=EXAMPLE).first()
    assert {examples.example_image(example.public_id, at) for at in (0, 1)} == set(example.files)
    assert examples.example_image(example.public_id, 2) is None
