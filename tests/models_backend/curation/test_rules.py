"""Expressions, quotas, near-duplicates and stages, on numbers alone."""

import numpy as np
import pytest

from models_backend.curation.expressions import parse
from models_backend.curation.near_duplicates import Fingerprints, Nearness, worse_copies
from models_backend.curation.rules import read_rules
from models_backend.curation.selection import (
    ConceptGroups,
    ScoreTable,
    decide,
    funnel,
    quotas,
    ranks_within,
)
from models_backend.errors import InputError

COLUMNS = {"a/x": np.array([0.0, 1.0, 2.0, np.nan]), "b": np.array([5.0, 5.0, 0.0, 5.0])}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a/x >= 1", [1, 2]),
        ("a/x >= 1 and b == 5", [1]),
        ("a/x < 1 or b != 5", [0, 2]),
        ("not a/x >= 1", [0]),  # the missing one is neither
        ("not (a/x > 1 and b < 1)", [0, 1, 3]),  # false by its second half alone
        ("a/x < -1e3 or not b <= 1 and a/x <= 1.5", [0, 1]),  # and binds before or
    ],
)
def test_rule_keeps_what_fulfils_it(text, kept):
    true, _ = parse(text).truth(COLUMNS)
    assert np.flatnonzero(true).tolist() == kept


@pytest.mark.parametrize(
    "text",
    ["", "a/x", "a/x >", "a/x > nan", "a/x > 1 b < 2", "(a/x > 1", "1 < a/x", "a/x > 1 and",
     "__import__('os')", "a/x > 1e999", "a/x = 1", "(" * 60 + "a/x > 1" + ")" * 60],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(InputError, match="rule"):
        parse(text)


def test_quotas_fill_as_water_does():
    rng = np.random.default_rng(0)
    for _ in range(200):
        counts = rng.integers(0, 12, rng.integers(1, 8))
        take = int(rng.integers(1, 40))
        given = quotas(counts, take)
        assert given.sum() == min(take, counts.sum())
        assert (given <= counts).all()
        short = given < counts  # who could give more gives as much as anybody, but for one
        assert not short.any() or given.max() - given[short].min() <= 1
    assert quotas(np.array([2, 100, 50]), 22).tolist() == [2, 10, 10]


def brute_force(hashes, colours, gradients, hamming, levels, far):
    kept = []
    for row, bits in enumerate(hashes):
        near = [
            other for other in kept
            if bin(int(bits) ^ int(hashes[other])).count("1") <= hamming
            and abs(int(colours[row]) - int(colours[other])) <= levels
            and bin(int(gradients[row]) ^ int(gradients[other])).count("1") <= far
        ]  # fmt: skip
        if not near:
            kept.append(row)
    return sorted(set(range(len(hashes))) - set(kept))


@pytest.mark.parametrize("hamming", [0, 1, 4, 9])
def test_near_duplicates_are_those_of_comparing_all(hamming):
    rng = np.random.default_rng(hamming)
    hashes = rng.integers(0, 2**63, 300, dtype=np.uint64)
    for row in range(100, 300):  # chains of copies, each up to some bits from an earlier one
        flips = rng.choice(64, rng.integers(0, 6), replace=False)
        hashes[row] = hashes[rng.integers(row)] ^ np.uint64(sum(1 << int(bit) for bit in flips))
    colours = rng.integers(0, 4, 300, dtype=np.uint64)
    gradients = rng.integers(0, 4, 300, dtype=np.uint64)  # at most two bits apart
    prints = Fingerprints(hashes, colours, gradients)
    for far in (64, 1):
        found = worse_copies(prints, Nearness(hamming, 2, far))
        assert found.tolist() == brute_force(hashes, colours, gradients, hamming, 2, far)
        assert len(found) > 10


def test_window_of_one_image_beside_the_whole_of_another_is_a_near_duplicate():
    rng = np.random.default_rng(3)
    whole, small, tiny = rng.integers(0, 2**63, (3, 60), dtype=np.uint64)
    same, light = np.zeros(60, dtype=np.uint64), np.full(60, 9, dtype=np.uint64)
    whole[41] = small[7] ^ np.uint64(0b101)  # 41 was cut from 7
    whole[9] = tiny[50]  # 9 was cut from 50, and stands before it
    small[20] = small[30]  # two windows alike are none
    windows = [Fingerprints(small, same), Fingerprints(tiny, same), Fingerprints(tiny, light)]
    found = [
        worse_copies(Fingerprints(whole, same), Nearness(2, 0), windows=[windows[n] for n in each])
        for each in ((), (0,), (0, 1), (0, 2))
    ]
    assert [rows.tolist() for rows in found] == [[], [41], [41, 50], [41]]  # of another colour


def test_rank_within_a_group_shares_the_middle_of_ties():
    ranks = ranks_within(np.array([1.0, 9, 9, 3, np.nan, 7]), np.array([0, 0, 0, 0, 0, 1]))
    assert ranks[[0, 1, 2, 3, 5]].tolist() == pytest.approx([0, 5 / 6, 5 / 6, 1 / 3, 0.5])
    assert np.isnan(ranks[4])


RULES = """
[[stage]]
name = "clean"
keep = ["q >= 2"]
[[stage]]
name = "once"
hamming = 1
order = "q"
[[stage]]
name = "balance"
by = "concepts/name"
take = 3
order = "q"
"""


def scores():
    concepts = ConceptGroups(np.array([0, 0, 0, 0, 0, 1, 1]), ["cat", "dog", ""])
    return ScoreTable(
        np.arange(7, dtype=np.uint64), np.array([1, 1, 1, 1, 1, 1, 0], dtype=bool),
        {"q": np.array([1.0, 5, 4, 3, 6, 2, 9])}, {"concepts/name": concepts},
        Fingerprints(np.array([0, 7, 7, 63, 1023, 2**20, 1], dtype=np.uint64),
                     np.zeros(7, np.uint64)),
        np.ones(7, dtype=bool),
    )  # fmt: skip


def test_every_image_stays_or_has_one_reason_and_the_funnel_adds_up(tmp_path):
    (tmp_path / "r.toml").write_text(RULES)
    rules, given = read_rules(tmp_path / "r.toml"), scores()
    decision = decide(given, rules)
    assert decision.kept.tolist() == [4, 1, 5]  # best first
    why = [decision.reasons[n][0] if n >= 0 else "" for n in decision.reason]
    assert why == ["clean", "", "once", "balance", "", "", "reading"]
    told = funnel(given, rules, decision)
    left = told["images"]
    for stage in told["stages"]:
        left -= sum(stage["dropped"].values())
        assert stage["kept"] == left == sum(stage["by_concept"].values())
    assert told["stages"][-1]["by_concept"] == {"cat": 2, "dog": 1, "": 0}


def test_stage_that_keeps_all_or_nothing_is_warned_of(tmp_path):
    (tmp_path / "r.toml").write_text('[[stage]]\nname = "a"\nkeep = ["q >= 100"]')
    (warning,) = decide(scores(), read_rules(tmp_path / "r.toml")).warnings
    assert "keeps nothing: q lies at 1, 2.25" in warning


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"no \[\[stage\]\]"),
        ("[[stage]]\nname = 'a'", "one of keep, take and hamming"),
        ("[[stage]]\nname = 'a'\nkeep = ['x < 1']\ntake = 3", "one of keep, take"),
        ("[[stage]]\nname = 'a'\nkeep = [3]", "list of texts"),
        ("[[stage]]\nname = 'a'\nkeep = ['x < nan']", "a number"),
        ("[[stage]]\nname = 'a'\ntake = 0\norder = 'x'", "take must be"),
        ("[[stage]]\nname = 'a'\ntake = 5", "order must be"),
        ("[[stage]]\nname = 'a'\nkeep = ['x < 1']\nkeeps = 1", "'keeps' is unknown"),
        ("[[stage]\n", "not TOML"),
    ],
)
def test_rules_that_do_not_fit_are_refused(tmp_path, text, said):
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(InputError, match=said):
        read_rules(tmp_path / "r.toml")
