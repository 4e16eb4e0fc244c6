"""Rules by which a line of a log is dropped or reworded on its way into a prompt set."""

import random
import time
from pathlib import Path

import numpy as np
import pytest

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.building import keys, near
from evalplatform.promptsets.building.categories import Categories, quotas
from evalplatform.promptsets.building.lines import Dropped, compared, is_stylized, judge_line
from evalplatform.promptsets.building.log import LogLine
from evalplatform.promptsets.building.near import BandFiles, band_keys, resemblance
from evalplatform.promptsets.building.personal import personal_data
from evalplatform.promptsets.building.recipe import Choices, Recipe
from evalplatform.promptsets.building.wordlists import OURS, any_of, whole_words

RECIPE = Recipe()


def judged(text, recipe=RECIPE):
    return judge_line(LogLine(1, text), recipe)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a card for jo.b@example.org please", "e-mail"),
        ("jo (at) example.org with a cat", "e-mail"),
        ("https://example.org/a.png in watercolour", "web address"),
        ("a shop sign saying www.example.com", "web address"),
        ("portrait of @some_body", "handle"),
        ("for player#1234 a dragon", "handle"),
        ("call +49 30 1234567 for a cat", "phone number"),
        ("a poster with (415) 555-2671 on it", "phone number"),
        ("card 4111 1111 1111 1111 in gold", "card number"),
        ("account DE89 3704 0044 0532 0130 00 on a wall", "bank account"),
        ("a router at 192.168.0.12", "internet address"),
        ("her number 123-45-6789 on a badge", "national number"),
        ("a house at 221 Baker Street", "address"),
        ("ein Haus in der Lindenstraße 12", "address"),
        ("my wife Anna in a garden", "name"),
        ("Mr. Miller as a knight", "name"),
        ("my name is karl, draw me", "name"),
    ],
)
def test_personal_data_drops_a_line_and_its_text_is_not_written_down(text, kind):
    assert personal_data(text) == kind
    assert judged(text) == Dropped(f"personal: {kind}", None)


@pytest.mark.parametrize(
    "text",
    [
        "a cat at 1920x1080, 8k",
        "12 angry men on a street",
        "the year 1984, a city of 10000 people",
        "a train at 10:30, shot at f/1.8 and 1/250s",
        "Einstein riding a bicycle",
        "a woman named Justice",
    ],
)
def test_numbers_and_known_people_are_no_personal_data(text):
    assert personal_data(text) is None


def test_listed_name_is_personal_wherever_it_stands(tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("Erika Mustermann\n\n")
    recipe = Recipe(names=names)
    assert judged("erika mustermann on a horse", recipe).reason == "personal: listed name"
    assert recipe.digest() != RECIPE.digest()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("two nudes in a garden", "unsafe: sexual"),
        ("a sexy teen on a beach", "unsafe: minors"),
        ("self-harm in a bathroom", "unsafe: self_harm"),
        ("a SWASTIKA on a wall", "unsafe: hate"),
        ("two words", None),
        ("an essex farm with sextants", None),
        ("one", "length: under 2 words"),
        ("8k, masterpiece, --ar 16:9", "empty: nothing but prompt engineering"),
        ("word " * 78, "length: over 77 words"),
        ("ein Hund liegt im Schnee vor dem Haus", "language: de"),
        ("猫が屋根の上に座っている", "length: under 2 words"),
    ],
)
def test_first_rule_that_drops_a_line_is_its_reason(text, reason):
    found = judged(text)
    assert (found.reason if isinstance(found, Dropped) else None) == reason


def test_text_about_minors_is_not_written_down_again():
    assert judged("a sexy teen on a beach").text is None
    assert judged("two nudes in a garden").text == "two nudes in a garden"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a cat, 8k, trending on artstation", "a cat"),
        ("(masterpiece:1.3), ((a red fox)), [snow:0.5], best quality", "a red fox, snow"),
        ("/imagine prompt: a tower::2 in fog --ar 16:9 --v 5.2 --no people", "a tower, in fog"),
        ("a lake <lora:add_detail:0.8> at night Negative prompt: ugly, blurry", "a lake at night"),
        ("a ship, Steps: 20, Sampler: Euler, CFG scale: 7", "a ship"),
        ("A watercolor of a highly detailed castle in 8k", "A watercolor of a castle"),
        ("a detailed map (old), torn", "a detailed map (old), torn"),
        ("oil painting, low poly", "oil painting, low poly"),
        ("a sign that says “hi, there”", "a sign that says “hi, there”"),
    ],
)
def test_prompt_engineering_goes_and_what_is_wanted_stays(text, plain):
    assert RECIPE.jargon.strip(text) == plain


@pytest.mark.parametrize(
    "text",
    ["(" * 2000, "((a" * 660, "a::" * 660, "8k, " * 500, "[{(" * 666, "1 " * 1000, "a" * 9999],
)
def test_rules_end_on_texts_made_to_hang_them(text):
    started = time.process_time()
    judged(text)
    RECIPE.jargon.strip(text[:2000])
    assert time.process_time() - started < 3


def test_texts_are_compared_without_capitals_accents_and_punctuation():
    assert compared("  A Café, at night! ") == compared("a cafe at  night") == "a cafe at night"
    assert compared("!!!") == "!!!"


def test_stylized_is_told_by_words_alone():
    assert is_stylized("a pencil-sketch of a dog, sketch", RECIPE)
    assert is_stylized("Oil paintings of boats", RECIPE)
    assert not is_stylized("a photograph of a painter in an iconic town", RECIPE)


def test_similar_texts_meet_in_a_band_and_others_do_not():
    base = "an old fisherman mending blue nets on a wooden pier while gulls watch in the early sun"
    alike = base.replace("early", "late")
    other = "a rocket made of cheese flies past the moon while mice applaud"
    assert resemblance(base, alike) > 0.8 > resemblance(base, other)
    keys = band_keys([base, alike, other, "a", "a"])
    assert np.any(keys[0] == keys[1])
    assert not np.any(keys[0] == keys[2])
    assert np.all(keys[3] == keys[4])


def test_keys_in_parts_meet_with_the_first_and_the_one_before(monkeypatch):
    monkeypatch.setattr(keys, "_AT_A_TIME", 3)
    given = np.array([9, 4, 9, 7, 9, 4, 9], np.uint64)
    first = [(0, 2), (0, 4), (0, 6), (1, 5)]
    assert _met(keys.with_the_first(given)) == first
    assert _met(keys.with_the_first_and_the_one_before(given)) == sorted([*first, (2, 4), (4, 6)])
    assert not _met(keys.with_the_first(given[:0]))


def _met(found):
    return sorted(
        pair for one, other in found for pair in zip(one.tolist(), other.tolist(), strict=True)
    )


@pytest.mark.parametrize("words", [["NSFW", "rule 34", "blow-job", "Kid"], ["größe", "ſex", "8k"]])
def test_quick_look_finds_a_word_where_the_list_does(words):
    quick, thorough = any_of(words), whole_words(words)
    texts = ["an nsfw cat", "RULE-34s", "blow job", "kids", "\u212aid", "kidney", "GRÖSSE Größen",
             "größes", "sex", "8Ks", "x8k", "", "blowjobs_"]  # fmt: skip
    assert [quick(each) for each in texts] == [bool(thorough.search(each)) for each in texts]
    assert not any_of([])("anything")


def test_pairs_are_found_part_by_part_and_only_where_texts_may_be_alike(tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "_AT_A_TIME", 7)
    monkeypatch.setattr(near, "_COMPARED", 3)
    chance = random.Random(5)
    words = ["".join(chance.choices("abcdefgh", k=6)) for _ in range(60)]
    lines = [chance.choices(words, k=14) for _ in range(40)]
    texts = [" ".join(each) for each in lines]
    texts += [" ".join([*each[:-1], "end"]) for each in lines]  # alike
    texts += [" ".join([*each[:7], *chance.choices(words, k=7)]) for each in lines]  # a half
    numbered = [(10 * at, text) for at, text in enumerate(texts)]
    files = BandFiles(tmp_path, 0.8)
    files.add([numbered[:50], numbered[50:]])
    found = {pair for one in files.pairs() for pair in zip(*map(list, one), strict=True)}
    assert found >= {(10 * at, 10 * (at + 40)) for at in range(40)}
    assert all(earlier < later for earlier, later in found)
    assert all(resemblance(texts[a // 10], texts[b // 10]) > 0.5 for a, b in found)
    files.remove()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ({"a": 50, "b": 50, "c": 50}, {"a": 5, "b": 3, "c": 2}),
        ({"a": 1, "b": 50, "c": 50}, {"a": 1, "b": 5, "c": 4}),
        ({"a": 1, "b": 2, "c": 50}, {"a": 1, "b": 2, "c": 7}),
        ({"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 0}),
        ({}, {"a": 0, "b": 0, "c": 0}),
    ],
)
def test_what_a_category_lacks_the_others_give_by_their_shares(there, expected):
    assert quotas(10, {"a": 0.5, "b": 0.3, "c": 0.2, "off": 0.0}, {**there, "off": 9}) == {
        **expected,
        "off": 0,
    }


def test_category_of_the_log_wins_then_the_words_then_the_rest():
    ours = Categories.read(OURS / "categories.toml")
    assert ours.of("a cat and a dog in a car") == "animals"
    assert ours.of("a cat and a dog in a car", "Vehicles") == "vehicles"
    assert ours.of("a cat", "Unknown") == "animals"
    assert ours.of("hope") == "other"
    assert sum(ours.shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "names no category"),
        ("animals = 3", "must be a table"),
        ("[animals]\nshare = -1", "at least 0"),
        ("[animals]\nshare = nan", "must be a number"),
        ("[animals]\nshare = 1e308", "at most 1,000,000,000, it is '1e"),
        (f"[animals]\nshare = 1{'0' * 400}", "at most 1,000,000,000, it is another"),
        (f"[animals]\nshare = 0x{'f' * 5000}", "it is another"),
        (f"[animals]\nshare = {'9' * 5000}", "is not TOML that can be read"),
        ("[animals]\nshare = 0", "all shares are 0"),
        ("[animals]\nword = []", "accepted: share"),
        ("[animals]\nwords = 'cat'", "list of texts"),
        ("[animals]\nwords = ['cat', ' ']", "no letter"),
        ("[animals", "is not TOML"),
    ],
)
def test_faulty_category_list_is_refused_naming_what_is_wrong(tmp_path, content, said):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(BadInputError, match=said):
        Categories.read(Path(path))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"size": 0}, "^size 0; accepted: 1 to"),
        ({"near": 0.1}, r"^near 0\.1; accepted: 0\.3 to 1"),
        ({"seed": -1}, "^seed -1; accepted: 0 to"),
        ({"languages": ("english",)}, "^the language 'english' is none"),
        ({"pool": 5}, "^pool 5; accepted: 2100 to"),
        ({"fewest_words": 9, "most_words": 8}, "^most words 8; accepted: 9 to"),
    ],
)
def test_choice_out_of_range_is_refused(wrong, said):
    with pytest.raises(BadInputError, match=said):
        Choices(**wrong)
