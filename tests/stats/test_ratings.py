"""Ratings of single images: means, shares, differences, ranks, and the pairs they make."""

import json

import numpy as np
import pytest

from evalplatform.stats import (
    ColumnTypeError,
    EmptyVotesError,
    State,
    UnknownOptionError,
    Votes,
    graded_votes,
    pairs_from_ratings,
    rank_arms,
    rate_arms,
    win_rates,
)

from .graded_studies import made
from .real_votes import ratings

QUALITY = (3.9, 3.3, 2.6)


def rating_study(rng, prompts=60, people=15, votes=3, prompt_sd=0.4, person_sd=0.4, same=True):
    """Grades 1 to 5 of three arms; `same`: everybody rates all arms of a prompt."""
    m = len(QUALITY)
    shape = (prompts, 1 if same else m, people)
    who = np.argsort(rng.random(shape), axis=2)[..., :votes]
    who = np.broadcast_to(who, (prompts, m, votes)).ravel()
    prompt = np.repeat(np.arange(prompts), m * votes)
    arm = np.tile(np.repeat(np.arange(m), votes), prompts)
    seen = np.array(QUALITY)[arm] + 0.5 * rng.normal(size=len(arm))
    seen += (prompt_sd * rng.normal(size=prompts))[prompt]
    seen += (person_sd * rng.normal(size=people))[who]
    return graded_votes(
        item=prompt * m + arm,
        prompt=prompt,
        annotator=who,
        arm=arm[:, None],
        grade=np.clip(np.round(seen), 1, 5).astype(int)[:, None],
        arms=["good", "fair", "poor", "unseen"],
    )


@pytest.fixture(scope="module")
def study():
    return rating_study(np.random.default_rng(1))


@pytest.fixture(scope="module")
def found(study):
    return rate_arms(study, grades=range(1, 6))


def test_means_order_the_arms_and_lie_within_their_intervals(study, found):
    assert [one.arm for one in found.ratings] == ["good", "fair", "poor"]
    assert [(one.rank, one.rank_low, one.rank_high) for one in found.ratings] == [
        (1, 1, 1),
        (2, 2, 2),
        (3, 3, 3),
    ]
    assert [one.tier for one in found.ratings] == [1, 2, 3]
    assert found.never_rated == ("unseen",)
    for one, place in zip(found.ratings, range(3), strict=True):
        assert one.mean.value == pytest.approx(study.grade[study.arm == place].mean())
        assert 1.0 <= one.mean.low < one.mean.value < one.mean.high <= 5.0
        assert sum(share.value for share in one.shares.values()) == pytest.approx(1.0)
        assert sum(one.rank_chances) == pytest.approx(1.0)


def test_arms_on_the_same_prompts_by_the_same_people_are_compared_within_them(found):
    """What a prompt and a person add to all arms is in the means and not in the differences."""
    se = found.rating("good").mean.se, found.rating("fair").mean.se
    assert found.differences[0].se < 0.5 * np.hypot(*se)


def test_unpaired_arms_are_compared_too():
    loose = rate_arms(rating_study(np.random.default_rng(2), same=False))
    paired = rate_arms(rating_study(np.random.default_rng(2)))
    assert loose.differences[0].se > paired.differences[0].se
    assert [one.arm for one in loose.ratings] == ["good", "fair", "poor"]


def test_difference_of_one_vote_a_cell_is_a_two_way_clustered_mean_of_differences():
    """By hand: two arms, everybody rates both on each prompt, d = grade - grade."""
    rng = np.random.default_rng(3)
    prompts, people = 12, 6
    grades = rng.integers(1, 6, (prompts, people, 2))
    prompt, person, arm = (axis.ravel() for axis in np.indices(grades.shape))
    votes = graded_votes(
        item=prompt * 2 + arm,
        prompt=prompt,
        annotator=person,
        arm=arm[:, None],
        grade=grades.reshape(-1, 1),
        arms="xy",
    )
    d = grades[..., 0] - grades[..., 1]
    centred, n = d - d.mean(), d.size
    by_prompt = (centred.sum(axis=1) ** 2).sum() / n**2 * prompts / (prompts - 1)
    by_person = (centred.sum(axis=0) ** 2).sum() / n**2 * people / (people - 1)
    by_cell = (centred**2).sum() / n**2 * n / (n - 1)
    wanted = max(by_prompt + by_person - by_cell, by_prompt, by_person, by_cell)
    (difference,) = rate_arms(votes).differences
    assert difference.value == pytest.approx(d.mean())
    assert difference.se == pytest.approx(np.sqrt(wanted))


def test_keep_unsure_reject_have_the_shares_of_win_rates():
    rng = np.random.default_rng(4)
    n = 200
    prompt, person, grade = rng.integers(0, 30, n), rng.integers(0, 8, n), rng.integers(0, 3, n)
    votes = graded_votes(
        item=prompt,
        prompt=prompt,
        annotator=person,
        arm=np.zeros((n, 1), int),
        grade=grade[:, None],
    )
    shares = rate_arms(votes, grades=(0, 1, 2)).ratings[0].shares
    rates = win_rates(Votes(2 - grade, prompt, person, prompt))
    for grade, wanted in ((2, rates.win), (1, rates.tie), (0, rates.lose)):
        assert shares[grade].value == wanted.value
        assert shares[grade].low == pytest.approx(wanted.low, abs=1e-12)
        assert shares[grade].high == pytest.approx(wanted.high, abs=1e-12)


def test_coverage_of_means_and_differences():
    rng = np.random.default_rng(5)
    truth = rate_arms(rating_study(rng, prompts=4000, people=400, votes=2), grades=range(1, 6))
    means, differences = [], []
    for _ in range(100):
        one = rate_arms(rating_study(rng, prompts=40, people=12), grades=range(1, 6))
        for arm in ("good", "fair", "poor"):
            mean = one.rating(arm).mean
            means.append(mean.low <= truth.rating(arm).mean.value <= mean.high)
        for seen, true in zip(one.differences, truth.differences, strict=True):
            differences.append(seen.low <= true.value <= seen.high)
    assert 0.91 < np.mean(means) < 0.99
    assert 0.91 < np.mean(differences) < 0.99


def test_equal_grades_are_not_certain_of_their_mean():
    votes = made([(0,)] * 12, [(5,)] * 12, [0, 1, 2] * 4, [0, 1, 2, 3] * 3, "x")
    mean = rate_arms(votes, grades=range(1, 6)).ratings[0].mean
    assert mean.value == mean.high == 5.0
    assert 3.5 < mean.low < 4.9
    unknown = rate_arms(votes)
    assert unknown.state is State.NO_VARIATION
    assert "Give the grades offered" in unknown.reason


def test_one_prompt_one_annotator_and_one_vote_have_means_without_intervals():
    one_prompt = rate_arms(made([(0,), (0,)], [(4,), (5,)], [0, 0], [0, 1], "xy"))
    assert one_prompt.state is State.ONE_PROMPT
    assert one_prompt.ratings[0].mean.value == 4.5
    assert one_prompt.ratings[0].mean.low is None
    person = rate_arms(made([(0,), (1,)] * 2, [(4,), (5,)] * 2, [0, 0, 1, 1], [0] * 4, "xy"))
    assert person.state is State.ONE_ANNOTATOR
    assert (person.differences[0].value, person.differences[0].low) == (-1.0, None)
    assert person.ratings[0].rank_high is None
    alone = rate_arms(made([(0,)], [(3,)], [0], [0], "x"))
    assert (alone.ratings[0].mean.value, alone.differences) == (3.0, ())


def test_what_means_nothing_is_refused():
    pair = made([(0, 1)], [(1, 0)], [0], [0], "xy")
    with pytest.raises(EmptyVotesError, match="rank_arms"):
        rate_arms(pair)
    with pytest.raises(EmptyVotesError, match="compare nothing"):
        pairs_from_ratings(pair)
    rating = made([(0,), (1,)], [(6,), (3,)], [0, 1], [0, 0], "xy")
    with pytest.raises(EmptyVotesError, match="compare nothing"):
        pairs_from_ratings(rating)
    with pytest.raises(ColumnTypeError, match=r"grade is 6; the scale given has \[1, 2"):
        rate_arms(rating, grades=range(1, 6))
    with pytest.raises(UnknownOptionError, match="arm is 'z'"):
        rate_arms(rating).rating("z")
    with pytest.raises(UnknownOptionError, match="level"):
        rate_arms(rating, level=2.0)


def test_the_result_is_json_and_the_same_each_time(study, found):
    text = json.dumps(found.as_dict(), allow_nan=False)
    assert text == json.dumps(rate_arms(study, grades=range(1, 6)).as_dict())
    assert json.loads(text)["ratings"][0]["shares"]["5"]["low"] is not None


def test_ratings_pair_within_a_person_and_prompt_and_by_seed():
    votes = made(
        [(0,), (1,), (0,), (1,), (2,), (0,), (1,), (1,)],
        [(5,), (3,), (2,), (4,), (4,), (1,), (2,), (9,)],
        [0, 0, 0, 0, 0, 0, 1, 0],  # prompt
        [0, 0, 0, 0, 0, 1, 0, 2],  # the last three have no partner
        "xyz",
    )
    pairs = pairs_from_ratings(votes)
    assert pairs.sizes.tolist() == [3, 2]
    assert pairs.arm.tolist() == [0, 1, 2, 0, 1]
    assert pairs.grade.tolist() == [5, 3, 4, 2, 4]
    assert pairs.item.tolist() == [0, 1], "two seeds are two items"
    assert pairs.prompt.tolist() == [0, 0]


def test_pairs_of_ratings_are_those_found_one_by_one(study):
    pairs = pairs_from_ratings(study)
    rows = zip(study.prompt, study.annotator, study.arm, study.grade, strict=True)
    by_person: dict = {}
    for prompt, annotator, arm, grade in rows:
        by_person.setdefault((prompt, annotator), {})[int(arm)] = int(grade)
    wanted = {
        (*who, a, b, int(np.sign(grades[a] - grades[b])))
        for who, grades in by_person.items()
        for a in grades
        for b in grades
        if a < b
    }
    votes = pairs.pairs()
    found = zip(
        *(votes.prompt.tolist(), votes.annotator.tolist(), votes.first.tolist()),
        *(votes.second.tolist(), (1 - votes.outcome.astype(int)).tolist()),
        strict=True,
    )
    assert sorted(found) == sorted(wanted)


def test_real_ratings_read_as_grades_and_as_pairs_give_one_order():
    """GenAI-Bench: 527 prompts, six models, three raters; strengths as fitted elsewhere once."""
    by_model = ratings()
    models = sorted(by_model)
    grade = np.stack([by_model[model] for model in models])
    arm, prompt, rater = (axis.ravel() for axis in np.indices(grade.shape))
    votes = graded_votes(
        item=prompt * len(models) + arm,
        prompt=prompt,
        annotator=rater,
        arm=arm[:, None],
        grade=grade.reshape(-1, 1),
        arms=models,
    )
    ranking = rank_arms(pairs_from_ratings(votes))
    assert ranking.n_comparisons == 527 * 3 * 15
    strengths = {one.arm: round(one.value, 2) for one in ranking.standings}
    assert strengths == {
        "DALLE_3": 0.99,
        "Midjourney_6": 0.54,
        "DeepFloyd_I_XL_v1": -0.08,
        "SDXL_Base": -0.26,
        "SDXL_Turbo": -0.33,
        "SDXL_2_1": -0.87,
    }
    means = rate_arms(votes, grades=range(1, 6))
    assert [one.arm for one in means.ratings] == list(strengths)
