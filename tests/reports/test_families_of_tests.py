"""How many tests Holm's p is adjusted for: those that have a p, in every file alike."""

from types import SimpleNamespace

import numpy as np

from evalplatform import stats
from evalplatform.reports.arm_records import arm_records
from evalplatform.reports.criteria_beside import CriteriaPair, beside_records
from evalplatform.reports.gallery import GalleryResult, GradeResult

ABOUT = {
    "criterion": "looks", "criterion_label": "Looks", "form": "pair", "prompts": "all", "depth": 0,
    "k": 2, "agreement": (),
}  # fmt: skip


def records(**found):
    arms = [SimpleNamespace(letter=letter, name=letter) for letter in "ABC"]
    results = SimpleNamespace(
        campaign=SimpleNamespace(contenders=arms), **{"galleries": [], "gradings": []} | found
    )
    return list(arm_records(results))


def test_two_arms_that_one_person_judged_are_no_member_of_the_family():
    rng, at = np.random.default_rng(3), np.arange(60)
    arm = np.array([[0, 1], [1, 2], [0, 2]])[at % 3]
    annotator = np.where(at % 3 == 2, 0, at // 3 % 5)  # A and C met before one person alone
    graded = stats.graded_votes(
        item=at, prompt=at // 3, annotator=annotator, arm=arm,
        grade=rng.permuted([[1, 0]] * 60, axis=1), arms=["A", "B", "C"],
    )  # fmt: skip
    gallery = GalleryResult(**ABOUT, ranking=stats.rank_arms(graded))
    nets = [row for row in records(galleries=[gallery]) if row["measure"] == "net"]
    assert [row["p_holm"] == "" for row in nets] == [False, True, False]
    assert {row["tests_in_family"] for row in nets} == {2}


def test_mean_of_an_arm_that_one_person_graded_is_no_member_of_the_family():
    rng, at = np.random.default_rng(3), np.arange(60)
    graded = stats.graded_votes(
        item=at, prompt=at // 3, annotator=np.where(at % 3 == 2, 0, at // 3 % 5),
        arm=(at % 3)[:, None], grade=rng.integers(1, 6, (60, 1)), arms=["A", "B", "C"],
    )  # fmt: skip
    grading = GradeResult(
        **ABOUT, ratings=stats.rate_arms(graded, grades=range(1, 6)), as_pairs=None
    )
    rows = [row for row in records(gradings=[grading]) if row["measure"] == "mean_difference"]
    assert [row["p_holm"] == "" for row in rows] == [False, True, True]
    assert {row["tests_in_family"] for row in rows} == {1}


def test_criteria_whose_difference_has_no_p_are_no_member_of_the_family():
    at = np.arange(40)
    votes = stats.Votes(at % 3, at // 2, at % 2, at // 2)
    other = stats.Votes((at + 1) % 3 // 2 * 2, at // 2, at % 2, at // 2)
    lone = stats.Votes(at[:5] % 3, at[:5], [0] * 5, at[:5])
    pairs = [
        CriteriaPair("a", "A", "b", "B", stats.compare_nets(votes, other), 0.5),
        CriteriaPair("a", "A", "c", "C", stats.compare_nets(votes, lone), None),
    ]
    assert [row["tests_in_family"] for row in beside_records(pairs)] == [1, 1]
