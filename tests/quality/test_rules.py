"""Whose votes stop counting: boundaries, evidence, and the figures in words."""

import pytest

from evalplatform.campaigns.rules import QualityRules
from evalplatform.quality.measures import AnnotatorMeasures, Share
from evalplatform.quality.rules import has_exclusion_rules, verdict_on

NOTHING = Share(0, 0)


def measures(**given):
    names = ("gold", "qualification", "repeats", "too_fast", "left", "ties", "majority")
    fields = {
        "pseudonym": "ana", "is_simulated": False, "excluded_by": "", "votes": 50, "answers": 50,
        "median_response_ms": 900.0, **dict.fromkeys(names, NOTHING),
    }  # fmt: skip
    return AnnotatorMeasures(**fields | given)


def broken(rules, **given):
    return [each.rule for each in verdict_on(measures(**given), QualityRules(**rules))]


@pytest.mark.parametrize(
    ("rules", "given", "expected"),
    [
        ({"exclude_gold_below": 0.7}, {"gold": Share(7, 10)}, []),
        ({"exclude_gold_below": 0.7}, {"gold": Share(6, 10)}, ["gold"]),
        ({"exclude_gold_below": 0.7}, {"gold": Share(0, 4)}, []),
        ({"exclude_gold_below": 0.7}, {"gold": Share(3, 5)}, ["gold"]),
        ({"exclude_gold_below": 0.7, "exclude_gold_after": 6}, {"gold": Share(0, 5)}, []),
        ({"exclude_gold_below": 0.0}, {"gold": Share(0, 9)}, []),
        ({"exclude_gold_below": 1.0}, {"gold": Share(8, 9)}, ["gold"]),
        ({"exclude_gold_below": 1.0}, {"gold": Share(9, 9)}, []),
        ({"exclude_repeats_below": 0.5}, {"repeats": Share(3, 6)}, []),
        ({"exclude_repeats_below": 0.5}, {"repeats": Share(2, 6)}, ["repeats"]),
        ({"exclude_repeats_below": 0.5}, {"repeats": Share(0, 4)}, []),
        ({"exclude_too_fast_above": 0.3}, {"too_fast": Share(6, 20)}, []),
        ({"exclude_too_fast_above": 0.3}, {"too_fast": Share(7, 20)}, ["too_fast"]),
        ({"exclude_too_fast_above": 0.3}, {"too_fast": Share(19, 19)}, []),
        ({"exclude_too_fast_above": 1.0}, {"too_fast": Share(20, 20)}, []),
        ({"exclude_same_side_above": 0.9}, {"left": Share(18, 20)}, []),
        ({"exclude_same_side_above": 0.9}, {"left": Share(19, 20)}, ["same_side"]),
        ({"exclude_same_side_above": 0.9}, {"left": Share(1, 20)}, ["same_side"]),
        ({"exclude_same_side_above": 0.9}, {"left": Share(19, 19)}, []),
        ({}, {"gold": Share(0, 50), "left": Share(50, 50), "too_fast": Share(50, 50)}, []),
        (
            {"exclude_gold_below": 0.7, "exclude_too_fast_above": 0.3},
            {"gold": Share(0, 5), "too_fast": Share(20, 20)},
            ["gold", "too_fast"],
        ),
    ],
)
def test_rule_is_broken_beyond_its_limit_and_with_enough_evidence(rules, given, expected):
    assert broken(rules, **given) == expected


def test_verdict_says_the_figures_in_words():
    rules = QualityRules(
        exclude_gold_below=0.7, exclude_too_fast_above=0.125, exclude_same_side_above=0.9,
        exclude_repeats_below=0.5, min_response_ms=350,
    )  # fmt: skip
    given = measures(
        gold=Share(3, 8), too_fast=Share(20, 40), left=Share(1, 40), repeats=Share(1, 6)
    )
    assert [each.detail for each in verdict_on(given, rules)] == [
        "3 of 8 (37.5 %) gold sets right, at least 70 % needed",
        "1 of 6 (16.7 %) repeats answered as before, at least 50 % needed",
        "20 of 40 (50.0 %) timed answers faster than 350 ms, at most 12.5 % allowed",
        "39 of 40 (97.5 %) decided answers on the right, at most 90 % allowed",
    ]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, False),
        ({"gold_rate": 0.1, "repeat_rate": 0.1}, False),
        ({"exclude_gold_below": 0.0}, True),
        ({"exclude_repeats_below": 0.5}, True),
        ({"exclude_too_fast_above": 0.5}, True),
        ({"exclude_same_side_above": 0.5}, True),
    ],
)
def test_campaign_has_exclusion_rules_once_one_is_given(rules, expected):
    assert has_exclusion_rules(QualityRules(**rules)) is expected
