"""Gold pairs: clearly decided, of the campaign's own making, and indistinguishable by file."""

import io
import re
from collections import Counter

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from PIL import Image

from evalplatform.annotation import examples
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.models import Campaign, GoldPair
from evalplatform.core.errors import BadInputError
from evalplatform.core.stored_images import encode_image
from evalplatform.generation.models import Sample
from evalplatform.quality.damage import DAMAGES, spoil
from evalplatform.quality.services import import_gold_pairs, make_gold_pairs
from evalplatform.quality.words import content_words
from tests import factories
from tests.quality.conftest import make_campaign

pytestmark = pytest.mark.django_db(transaction=True)
EXAMPLE, QUALIFICATION, CHECK = GoldPair.Purpose.values


def content(name):
    with default_storage.open(name) as file:
        return file.read()


def pixels(name):
    return np.asarray(Image.open(io.BytesIO(content(name))))


def gold(campaign, kind):
    return campaign.gold_pairs.filter(criterion__kind=kind).order_by("pk")


def test_counts_are_per_criterion_and_purpose(things):
    made = make_gold_pairs(campaign=things, counts={EXAMPLE: 1, QUALIFICATION: 2, CHECK: 3})
    assert made == 12
    counted = Counter(things.gold_pairs.values_list("criterion__kind", "purpose"))
    for kind in ("visual_appeal", "text_faithfulness"):
        assert [counted[kind, purpose] for purpose in (EXAMPLE, QUALIFICATION, CHECK)] == [1, 2, 3]


def test_same_counts_again_change_nothing_and_larger_ones_add(things):
    make_gold_pairs(campaign=things, counts={CHECK: 3})
    before = list(things.gold_pairs.values())
    assert make_gold_pairs(campaign=things, counts={CHECK: 3}) == 0
    assert list(things.gold_pairs.values()) == before
    assert make_gold_pairs(campaign=things, counts={EXAMPLE: 1, CHECK: 5}) == 6
    assert [row for row in things.gold_pairs.values() if row in before] == before


def test_interrupted_making_goes_on_where_it_stopped(things):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_gold_pairs(campaign=things, counts={CHECK: 4}, on_made=interrupt)
    assert things.gold_pairs.count() == 1
    assert make_gold_pairs(campaign=things, counts={CHECK: 4}) == 7
    numbers = gold(things, "visual_appeal").values_list("origin__number", flat=True)
    assert sorted(numbers) == [0, 1, 2, 3]


def test_same_campaign_makes_the_same_gold(things):
    make_gold_pairs(campaign=things, counts={CHECK: 4})
    first = [(pair.origin, pixels(pair.worse_image).tobytes()) for pair in things.gold_pairs.all()]
    things.gold_pairs.all().delete()
    make_gold_pairs(campaign=Campaign.objects.get(pk=things.pk), counts={CHECK: 4})
    again = [(pair.origin, pixels(pair.worse_image).tobytes()) for pair in things.gold_pairs.all()]
    assert again == first


def test_no_pair_comes_twice(things):
    make_gold_pairs(campaign=things, counts={EXAMPLE: 8, CHECK: 24})
    for kind in ("visual_appeal", "text_faithfulness"):
        origins = [
            tuple(sorted((key, str(value)) for key, value in origin.items() if key != "number"))
            for origin in gold(things, kind).values_list("origin", flat=True)
        ]
        assert len(set(origins)) == len(origins) == 32


def test_damaged_copy_is_made_of_the_sample_it_stands_against(things):
    make_gold_pairs(campaign=things, counts={CHECK: 6})
    hashes = dict(Sample.objects.values_list("image_sha256", "image"))
    for pair in gold(things, "visual_appeal"):
        better, worse = pixels(pair.better_image), pixels(pair.worse_image)
        assert (better == pixels(hashes[pair.origin["sample_sha256"]])).all()
        assert np.abs(better.astype(int) - worse.astype(int)).mean() > 0.08 * 255
    kinds = set(gold(things, "visual_appeal").values_list("origin__damage", flat=True))
    assert kinds == {damage.name for damage in DAMAGES}


def test_wrong_sample_is_of_a_prompt_without_a_common_word_and_of_the_same_checkpoint(things):
    make_gold_pairs(campaign=things, counts={CHECK: 8})
    by_hash = {row.image_sha256: row for row in Sample.objects.select_related("prompt")}
    for pair in gold(things, "text_faithfulness"):
        right = by_hash[pair.origin["sample_sha256"]]
        wrong = by_hash[pair.origin["other_sample_sha256"]]
        assert right.prompt.text == pair.prompt_text
        assert right.checkpoint_id == wrong.checkpoint_id
        assert not content_words(right.prompt.text) & content_words(wrong.prompt.text)
        assert right.prompt.category != wrong.prompt.category
        assert (pixels(pair.better_image) == pixels(right.image)).all()
        assert (pixels(pair.worse_image) == pixels(wrong.image)).all()


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
def test_checkpoints_take_turns(things, kind):
    make_gold_pairs(campaign=things, counts={CHECK: 8})
    sides = list(gold(things, kind).values_list("origin__checkpoint", flat=True))
    assert sides in (["a", "b"] * 4, ["b", "a"] * 4)


def test_gold_images_are_bare_files_of_the_samples_size_with_random_names(things):
    make_gold_pairs(campaign=things, counts={EXAMPLE: 1, CHECK: 3})
    names = [
        name for pair in things.gold_pairs.all() for name in (pair.better_image, pair.worse_image)
    ]
    assert len(set(names)) == len(names)
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
    make_gold_pairs(campaign=campaign, counts={CHECK: 4})
    sizes = {pixels(pair.better_image).shape for pair in campaign.gold_pairs.all()}
    assert sizes == {(16, 16, 3)}


def draw(seed, size):
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    )


def test_open_campaign_is_refused(things):
    make_gold_pairs(campaign=things, counts={CHECK: 1})
    open_campaign(campaign=things)
    for count in (1, 2):  # even where nothing is left to make
        with pytest.raises(BadInputError, match="frozen with its protocol"):
            make_gold_pairs(campaign=things, counts={CHECK: count})


def test_campaign_that_opened_meanwhile_is_refused(things):
    stale = Campaign.objects.get(pk=things.pk)
    open_campaign(campaign=things)
    with pytest.raises(BadInputError, match="frozen with its protocol"):
        make_gold_pairs(campaign=stale, counts={CHECK: 1})
    assert things.gold_pairs.count() == 0


def test_missing_samples_are_refused(things):
    Sample.objects.filter(pk=Sample.objects.first().pk).delete()
    with pytest.raises(BadInputError, match="1 prompts still lack a sample"):
        make_gold_pairs(campaign=things, counts={CHECK: 1})


def test_more_pairs_than_the_prompts_give_are_refused(things):
    with pytest.raises(BadInputError, match="no more gold pairs for visual_appeal"):
        make_gold_pairs(campaign=things, counts={CHECK: 6 * 8 + 1})


def test_prompts_with_a_word_in_common_give_no_wrong_sample(db):
    campaign = make_campaign(things=[("a red cat", ""), ("two cats", ""), ("a cat", "")])
    with pytest.raises(BadInputError, match="no more gold pairs for text_faithfulness"):
        make_gold_pairs(campaign=campaign, counts={CHECK: 1})


def test_gold_pairs_are_part_of_the_protocol(things):
    make_gold_pairs(campaign=things, counts={CHECK: 1})
    open_campaign(campaign=things)
    assert {each["origin"]["kind"] for each in things.protocol["gold_pairs"]} == {
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
    assert import_gold_pairs(campaign=things, path=folder(GOOD)) == 1
    pair = things.gold_pairs.get()
    assert (pair.purpose, pair.prompt_text) == ("example", "a red kite")
    assert pair.why == "The other image shows a dog."
    for name in (pair.better_image, pair.worse_image):
        assert b"secret" not in content(name)
        with Image.open(io.BytesIO(content(name))) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (16, 16))
            assert not image.info
    assert tuple(pixels(pair.worse_image)[0, 8]) == (128, 128, 128)  # 2:1 on neutral grey


def test_transparent_image_is_shown_on_neutral_grey(things, folder):
    line = "visual_appeal\tcheck\t\tkite.png\tclear.png\t"
    import_gold_pairs(campaign=things, path=folder(line))
    assert (pixels(things.gold_pairs.get().worse_image) == 128).all()


def test_same_file_again_changes_nothing_and_a_longer_one_adds(things, folder):
    import_gold_pairs(campaign=things, path=folder(GOOD))
    before = list(things.gold_pairs.values())
    assert import_gold_pairs(campaign=things, path=folder(GOOD)) == 0
    assert list(things.gold_pairs.values()) == before
    more = folder(GOOD, GOOD.replace("a red kite", "a kite"))
    assert import_gold_pairs(campaign=things, path=more) == 1


def test_pairs_of_a_file_are_counted_when_automatic_ones_are_made(things, folder):
    import_gold_pairs(campaign=things, path=folder(GOOD))
    assert make_gold_pairs(campaign=things, counts={EXAMPLE: 2}) == 3
    assert gold(things, "text_faithfulness").count() == 2


def test_pair_serves_one_purpose(things, folder):
    as_check = GOOD.replace("\texample\t", "\tcheck\t")
    with pytest.raises(BadInputError, match="line 3 repeats the pair of line 2"):
        import_gold_pairs(campaign=things, path=folder(GOOD, as_check))
    import_gold_pairs(campaign=things, path=folder(GOOD))
    with pytest.raises(BadInputError, match="line 2, column purpose: this pair is there for exam"):
        import_gold_pairs(campaign=things, path=folder(as_check))


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
        ("", r"holds no gold pair"),
    ],
)
def test_bad_line_is_refused_by_line_and_column_and_nothing_is_stored(
    things, folder, line, message
):
    good = GOOD.replace("\texample\t", "\tqualification\t")
    with pytest.raises(BadInputError, match=message):
        import_gold_pairs(campaign=things, path=folder(line, "" if not line else good))
    assert things.gold_pairs.count() == 0


def test_wrong_columns_are_refused(things, folder):
    with pytest.raises(BadInputError, match=r"line 1: the columns are criterion, better; accepted"):
        import_gold_pairs(campaign=things, path=folder(GOOD, header="criterion\tbetter"))


def test_file_that_is_not_text_is_refused(things, tmp_path):
    (tmp_path / "gold.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="not UTF-8"):
        import_gold_pairs(campaign=things, path=tmp_path / "gold.tsv")
    with pytest.raises(BadInputError, match="cannot be read"):
        import_gold_pairs(campaign=things, path=tmp_path / "none.tsv")


# ---- the command --------------------------------------------------------------------------------


def test_command_makes_the_usual_counts(things, capsys):
    call_command("make_gold", things.slug)
    out = capsys.readouterr().out
    assert "54 gold pairs made" in out
    assert "text_faithfulness: 20 × check" in out
    assert things.gold_pairs.filter(purpose=EXAMPLE).count() == 4


def test_command_with_a_file_makes_no_automatic_pairs_unless_asked(things, folder, capsys):
    path = str(folder(GOOD))
    call_command("make_gold", things.slug, "--from", path)
    assert things.gold_pairs.count() == 1
    call_command("make_gold", things.slug, "--from", path, "--checks", "2")
    assert things.gold_pairs.count() == 5


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
    make_gold_pairs(campaign=things, counts={CHECK: 2})
    names = list(things.gold_pairs.values_list("better_image", "worse_image"))
    call_command("make_gold", things.slug, "--clear")
    assert "4 gold pairs removed" in capsys.readouterr().out
    assert things.gold_pairs.count() == 0
    assert not any(default_storage.exists(name) for pair in names for name in pair)
    assert make_gold_pairs(campaign=things, counts={CHECK: 2}) == 4
    open_campaign(campaign=things)
    with pytest.raises(CommandError, match="frozen with its protocol"):
        call_command("make_gold", things.slug, "--clear")
    assert things.gold_pairs.count() == 4


@pytest.mark.parametrize("count", ["-1", "10001"])
def test_command_refuses_counts_out_of_range(things, count):
    with pytest.raises(CommandError, match=r"accepted: 0 to 10,000") as raised:
        call_command("make_gold", things.slug, "--checks", count)
    assert raised.value.returncode == 2


# ---- what annotators are shown of it ------------------------------------------------------------


def test_examples_say_which_side_is_better_and_why(things, client):
    make_gold_pairs(campaign=things, counts={EXAMPLE: 2, CHECK: 1})
    open_campaign(campaign=things)
    shown = examples.examples_for(things)
    assert [each["criterion_label"] for each in shown] == [
        "Visual appeal", "Visual appeal", "Text faithfulness", "Text faithfulness"
    ]  # fmt: skip
    assert [each["prompt"] is None for each in shown] == [True, True, False, False]
    pairs = things.gold_pairs.filter(purpose=EXAMPLE).order_by("criterion__position", "position")
    for each, pair in zip(shown, pairs, strict=True):
        assert each["why"].startswith("The other image")
        other = "right" if each["better"] == "left" else "left"
        assert sent(client, each[each["better"]]) == content(pair.better_image)
        assert sent(client, each[other]) == content(pair.worse_image)


def sent(client, address):
    return b"".join(client.get(address).streaming_content)


def test_images_of_unseen_gold_are_no_examples(things):
    make_gold_pairs(campaign=things, counts={EXAMPLE: 1, QUALIFICATION: 1, CHECK: 1})
    for pair in things.gold_pairs.exclude(purpose=EXAMPLE):
        assert examples.example_image(pair.public_id, "left") is None
    example = things.gold_pairs.filter(purpose=EXAMPLE).first()
    assert examples.example_image(example.public_id, "middle") is None
