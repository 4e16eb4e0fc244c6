"""Strengths of galleries against published tables, other libraries and sums over all votes."""

import math
from dataclasses import replace

import choix
import evalica
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import statsmodels.api as sm
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from evalplatform.stats import State, UnknownOptionError, rank
from evalplatform.stats.inference.degrees import one_way_df
from evalplatform.stats.ranking.arm_clusters import ArmClusters
from evalplatform.stats.ranking.davidson import (
    PairCounts,
    _climb,
    _Model,
    chances,
    fit,
    newton_step,
    pair_counts,
)
from evalplatform.stats.ranking.existence import existence
from evalplatform.stats.ranking.sandwich import clustered_covariance, difference_variances
from evalplatform.stats.votes.pairs import PairVotes

from .crossed_galleries import (
    ABILITIES,
    ABILITY_ERRORS,
    GALLERY_DESIGNS,
    PUDDING_NU,
    PUDDING_WORTHS,
    PUDDINGS,
    TEAMS,
    GalleryDesign,
    LateArm,
    baseball,
    games_of,
    pair_votes,
    simulate_gallery,
    uneven_gallery,
)

WINNER = [evalica.Winner.X, evalica.Winner.Draw, evalica.Winner.Y]


def strengths_of(ranking):
    return {one.arm: one.value for one in ranking.strengths}


def rows_of(votes):
    """Positions and outcomes as ordinary integers."""
    columns = (votes.first, votes.second, votes.outcome, votes.prompt, votes.annotator)
    return [column.astype(int) for column in columns]


def decided(votes):
    return votes.where(votes.outcome != 1)


def test_davidsons_puddings_have_his_worths_and_ties():
    ranking = rank(games_of(*PUDDINGS))
    worth = np.exp(ranking.values)
    assert worth / worth.sum() == pytest.approx(PUDDING_WORTHS, abs=5e-5)
    assert ranking.nu.value == pytest.approx(PUDDING_NU, abs=5e-5)
    assert ranking.nu.low < PUDDING_NU < ranking.nu.high
    assert [one.arm for one in ranking.strengths] == [6, 2, 4, 3, 5, 1]
    assert [one.rank for one in ranking.strengths] == [1, 2, 3, 4, 5, 6]


def test_baseball_has_agrestis_abilities_and_their_model_errors():
    votes = baseball()
    ranking = rank(votes)
    gaps = [ranking.difference(team, "Baltimore").value for team in TEAMS[:-1]]
    assert gaps == pytest.approx(ABILITIES, abs=5e-5)
    covariance = clustered_covariance(votes, fit(pair_counts(votes)))
    last = votes.arms.index("Baltimore")
    errors = np.sqrt(difference_variances(covariance.model)[last])
    found = [errors[votes.arms.index(team)] for team in TEAMS[:-1]]
    assert found == pytest.approx(ABILITY_ERRORS, abs=5e-5)


@pytest.mark.parametrize("ties", ["davidson", "half"])
def test_without_ties_both_ways_equal_choix_and_evalica(ties):
    votes = decided(uneven_gallery())
    a, b, outcome, *_ = rows_of(votes)
    won = [(i, j) if y == 0 else (j, i) for i, j, y in zip(a, b, outcome, strict=True)]
    theirs = choix.opt_pairwise(votes.n_arms, won, alpha=0.0, tol=1e-12)
    ours = rank(votes, ties=ties)
    assert ours.values == pytest.approx(theirs - theirs.mean(), abs=1e-6)
    found = evalica.bradley_terry(
        a.tolist(), b.tolist(), [WINNER[y] for y in outcome], tolerance=1e-12, limit=10_000
    )
    other = np.log(found.scores.sort_index().to_numpy())
    assert ours.values == pytest.approx(other - other.mean(), abs=1e-5)


def test_half_ties_equal_evalicas_bradley_terry():
    votes = uneven_gallery()
    a, b, outcome, *_ = rows_of(votes)
    found = evalica.bradley_terry(
        a.tolist(), b.tolist(), [WINNER[y] for y in outcome], tolerance=1e-12, limit=10_000
    )
    theirs = np.log(found.scores.sort_index().to_numpy())
    assert rank(votes, ties="half").values == pytest.approx(theirs - theirs.mean(), abs=1e-5)


def davidson_loglik(params, a, b, outcome):
    """Straight from the definition of the model, vote by vote."""
    worth, nu = np.exp(params[:-1]), math.exp(params[-1])
    root = np.sqrt(worth[a] * worth[b])
    weights = np.stack([worth[a], nu * root, worth[b]])
    return np.log(weights[outcome, np.arange(len(a))] / weights.sum(axis=0)).sum()


def test_davidson_equals_a_general_optimiser_on_the_definition():
    votes = uneven_gallery()
    a, b, outcome, *_ = rows_of(votes)
    start = np.zeros(votes.n_arms + 1)
    found = scipy.optimize.minimize(
        lambda x: -davidson_loglik(x, a, b, outcome), start, method="BFGS", options={"gtol": 1e-7}
    )
    ranking = rank(votes)
    assert ranking.values == pytest.approx(found.x[:-1] - found.x[:-1].mean(), abs=1e-5)
    assert ranking.nu.value == pytest.approx(math.exp(found.x[-1]), abs=1e-5)


def test_two_way_covariance_equals_statsmodels_where_all_clusters_are_of_one_size():
    """Its factors are G / (G - 1), which ours are where everybody judges everything."""
    design = GalleryDesign(12, 6, 6, prompt_sd=0.8, annotator_sd=0.6, tie=0.0)
    votes = simulate_gallery(design, np.random.default_rng(3))
    a, b, outcome, prompt, annotator = rows_of(votes)
    design = np.zeros((len(votes), votes.n_arms))
    design[np.arange(len(votes)), a] = 1.0
    design[np.arange(len(votes)), b] = -1.0
    logit = sm.GLM(outcome == 0, design[:, 1:], family=sm.families.Binomial())
    fitted = logit.fit(tol=1e-12)
    n, k = design[:, 1:].shape
    theirs = [v * (n - k) / (n - 1) for v in cov_cluster_2groups(fitted, prompt, annotator)]
    found = clustered_covariance(votes, fit(pair_counts(votes)))
    reduce = np.eye(k + 1)[1:] - np.eye(k + 1)[0]  # strengths less the first one
    for ours, other in zip((found.two_way, found.prompt, found.annotator), theirs, strict=True):
        assert reduce @ ours @ reduce.T == pytest.approx(other, rel=1e-6, abs=1e-9)


def test_two_way_covariance_with_ties_equals_sums_over_all_pairs_of_votes():
    """Slow and from the definition: numerical scores, and every two votes that share a cluster."""
    votes = uneven_gallery()
    a, b, outcome, prompt, annotator = rows_of(votes)
    ranking = rank(votes)
    at = np.r_[ranking.values, math.log(ranking.nu.value)]
    q, step = len(at), 1e-5

    def gradients(x):
        def one(direction):
            up, down = x + step * direction, x - step * direction
            return [
                (davidson_loglik(up, *vote) - davidson_loglik(down, *vote)) / (2 * step)
                for vote in zip(a[:, None], b[:, None], outcome[:, None], strict=True)
            ]

        return np.array([one(direction) for direction in np.eye(q)]).T

    scores = gradients(at)
    hessian = np.array(
        [
            (gradients(at + 1e-4 * e).sum(axis=0) - gradients(at - 1e-4 * e).sum(axis=0)) / 2e-4
            for e in np.eye(q)
        ]
    )
    inverse = np.linalg.pinv(-hessian, rcond=1e-6)
    arms = np.arange(votes.n_arms)
    on_arm = np.column_stack([np.equal.outer(a, arms) | np.equal.outer(b, arms), np.ones(len(a))])
    terms = []
    for same in (
        np.equal.outer(prompt, prompt),
        np.equal.outer(annotator, annotator),
        np.equal.outer(prompt, prompt) & np.equal.outer(annotator, annotator),
    ):
        clusters = np.unique(same, axis=0).astype(float)
        w = clusters @ on_arm / on_arm.sum(axis=0)  # of the votes on each arm, and of all
        divisor = (1 - w) ** 2 + (w**2).sum(axis=0) - w**2
        if len(terms) == 2:
            divisor = np.full_like(w, 1 - 1 / len(w))
        corrected = clusters @ scores / np.sqrt(divisor)
        terms.append(inverse @ (corrected.T @ corrected) @ inverse)
    found = clustered_covariance(votes, fit(pair_counts(votes)))
    assert found.prompt == pytest.approx(terms[0], rel=1e-3, abs=1e-6)
    assert found.annotator == pytest.approx(terms[1], rel=1e-3, abs=1e-6)
    assert found.two_way == pytest.approx(terms[0] + terms[1] - terms[2], rel=1e-3, abs=1e-6)
    sizes = (np.bincount(ids).astype(float) for ids in (prompt, annotator))
    assert found.df == min(one_way_df(size) for size in sizes)


def test_blocks_and_sorting_change_nothing(monkeypatch):
    votes = simulate_gallery(GALLERY_DESIGNS["base"], np.random.default_rng(4))
    fitted = fit(pair_counts(votes))
    whole = clustered_covariance(votes, fitted)
    monkeypatch.setattr("evalplatform.stats.votes.chunking.BLOCK", 50)
    monkeypatch.setattr("evalplatform.stats.ranking.sandwich._products_of_few", None)
    monkeypatch.setattr(PairVotes, "__len__", lambda votes: 1)  # no table fits beside the votes
    parts = clustered_covariance(votes, fitted)
    assert parts.two_way == pytest.approx(whole.two_way)
    assert parts.prompt == pytest.approx(whole.prompt)
    assert parts.annotator == pytest.approx(whole.annotator)


def test_errors_are_floored_at_either_clustering_alone():
    floored = 0
    for seed in range(12):
        votes = uneven_gallery(seed)
        found = clustered_covariance(votes, fit(pair_counts(votes)))
        variances = [difference_variances(v[:4, :4]) for v in (found.prompt, found.annotator)]
        lowest = np.sqrt(np.maximum(*variances))
        ours = rank(votes).difference_se
        assert np.all(ours >= lowest - 1e-12)
        two_way = difference_variances(found.two_way[:4, :4])
        floored += int((ours**2 > two_way + 1e-9).sum())
        assert np.linalg.eigvalsh(rank(votes).covariance).min() > -1e-12
    assert floored > 0, "no study reached the floor"


def test_intervals_are_t_intervals_with_the_fewer_degrees_of_freedom():
    ranking = rank(uneven_gallery(), 0.9)
    assert 7 < ranking.df < 8  # nine annotators, not quite evenly at work
    reach = scipy.stats.t.ppf(0.95, ranking.df)
    gap = ranking.difference(0, 3)
    i, j = ranking.arms.index(0), ranking.arms.index(3)
    assert gap.se == ranking.difference_se[i, j]
    assert (gap.low, gap.high) == pytest.approx(
        (gap.value - reach * gap.se, gap.value + reach * gap.se)
    )
    assert gap.p_value == pytest.approx(2 * scipy.stats.t.sf(abs(gap.value / gap.se), ranking.df))
    one = ranking.strengths[0]
    assert one.high - one.low == pytest.approx(2 * reach * one.se)
    assert "two-way clustered by prompt and annotator" in ranking.method


def test_degrees_of_freedom_are_of_the_people_who_judged_the_arm():
    """From the definition: variances of mean habits, and Satterthwaite's for their sum."""
    votes = LateArm(3).simulate(np.random.default_rng(5))
    ranking = rank(votes)
    a, b, _, prompt, annotator = rows_of(votes)
    of_all = [one_way_df(np.bincount(ids).astype(float)) for ids in (prompt, annotator)]
    assert ranking.df == min(of_all)
    expected = []
    for ids, whole in zip((prompt, annotator), of_all, strict=True):
        held = [np.bincount(ids[(a == arm) | (b == arm)]) for arm in range(votes.n_arms)]
        shares = [one[one > 0] / one.sum() for one in held]
        parts = [(share**2).sum() for share in shares]
        spread = [
            part**2 / one_way_df(one.astype(float)) for part, one in zip(parts, held, strict=True)
        ]
        expected.append(
            [
                [min((parts[i] + parts[j]) ** 2 / (spread[i] + spread[j]), whole) for j in range(4)]
                for i in range(4)
            ]
        )
    assert ranking.difference_df == pytest.approx(np.min(expected, axis=0))
    late = votes.arms.index(3)
    assert (ranking.difference_df[late, np.arange(4) != late] < 4).all()
    df = {one.arm: one.df for one in ranking.strengths}
    assert df[3] < 2.5 < 10 < min(df[arm] for arm in (0, 1, 2))
    assert f"t with {df[3]:.4g} to {max(df.values()):.4g} df" in ranking.method


def test_all_arms_have_the_degrees_of_freedom_of_all_votes_where_all_judge_all():
    ranking = rank(simulate_gallery(GalleryDesign(12, 6, 6, 0.8, 0.6), np.random.default_rng(3)))
    assert {one.df for one in ranking.strengths} == {ranking.df} == {5.0}
    assert (ranking.difference_df == 5.0).all()
    assert "t with 5 df, the fewer of prompts and annotators" in ranking.method


def test_more_clusters_than_fit_beside_the_votes_are_counted_a_few_arms_at_a_time():
    people = 40_000
    second = np.repeat([1, 2, 3], [20_000, 12_000, 8_000])  # all beside arm 0
    votes = pair_votes(
        first=np.zeros(people, np.int64),
        second=second,
        outcome=np.zeros(people, np.uint8),
        prompt=np.zeros(people, np.int64),
        annotator=np.arange(people),
    )
    found, held = ArmClusters.of(votes, votes.annotator), [40_000, 20_000, 12_000, 8_000, people]
    assert found.held.tolist() == held
    assert found.squares == pytest.approx([1 / each for each in held])
    assert found.df == pytest.approx([each - 1 for each in held])


def test_two_arms_have_the_log_odds_of_their_decided_votes():
    ranking = rank(games_of(("x", "y", 60, 20, 10)))
    assert ranking.difference("x", "y").value == pytest.approx(math.log(3))
    assert ranking.nu.value == pytest.approx(10 / math.sqrt(60 * 20))


def test_no_ties_leave_bradley_terry_with_nu_zero():
    ranking = rank(baseball())
    assert (ranking.nu.value, ranking.nu.low, ranking.nu.high) == (0.0, None, None)
    assert "no vote is a tie" in ranking.method
    assert rank(baseball(), ties="half").nu is None


@pytest.mark.parametrize(
    ("rows", "state", "words"),
    [
        ([("x", "y", 3, 2, 1), ("u", "v", 1, 2, 0)], State.DISCONNECTED, "x, y; u, v"),
        ([("x", "y", 3, 2, 1), ("y", "z", 4, 0, 0)], State.SEPARATED, "'x', 'y' never lose"),
        ([("x", "y", 5, 0, 0)], State.SEPARATED, "'x' never loses"),
        ([("x", "y", 0, 0, 5), ("y", "z", 0, 0, 5)], State.NO_DECIDED_VOTES, "tie"),
        ([("x", "y", 5, 0, 3)], State.SEPARATED, "ties='half'"),
        ([("x", "y", 5, 0, 3), ("y", "z", 5, 0, 3)], State.SEPARATED, "ties='half'"),
    ],
)
def test_votes_that_leave_strengths_open_are_a_named_state(rows, state, words):
    ranking = rank(games_of(*rows))
    assert ranking.state is ranking.interval_state is state
    assert words in ranking.reason
    assert (ranking.strengths, ranking.values, ranking.covariance, ranking.nu) == ((), *[None] * 3)
    assert ranking.difference("x", "y") is None


def test_a_cycle_of_wins_bounds_strengths_and_ties():
    rows = [("x", "y", 5, 0, 3), ("y", "z", 5, 0, 3), ("z", "x", 5, 0, 3)]
    ranking = rank(games_of(*rows))
    assert ranking.state is State.DEFINED
    assert ranking.values == pytest.approx([0, 0, 0], abs=1e-9)


def test_ties_alone_link_a_lead_where_they_count_half():
    ranking = rank(games_of(("x", "y", 5, 0, 3)), ties="half")
    assert ranking.difference("x", "y").value == pytest.approx(math.log(6.5 / 1.5))


def test_a_arm_without_votes_left_is_disconnected():
    votes = games_of(("x", "y", 3, 2, 1), ("y", "z", 4, 1, 0))
    ranking = rank(votes.where(votes.second != votes.arms.index("z")))
    assert ranking.state is State.DISCONNECTED


@pytest.mark.parametrize(
    ("column", "state", "words"),
    [("prompt", State.ONE_PROMPT, "one prompt"), ("annotator", State.ONE_ANNOTATOR, "one annot")],
)
def test_one_cluster_gives_strengths_but_no_intervals(column, state, words):
    votes = uneven_gallery()
    one = {column: np.zeros(len(votes), np.uint8), f"{column}s": ("only",)}
    ranking = rank(replace(votes, **one))
    assert ranking.state is State.DEFINED
    assert ranking.interval_state is state
    assert words in ranking.interval_reason
    assert {(one.se, one.low, one.high) for one in ranking.strengths} == {(None, None, None)}
    assert (ranking.df, ranking.covariance, ranking.difference_se) == (None, None, None)
    gap = ranking.difference(0, 1)
    assert math.isfinite(gap.value)
    assert (gap.se, gap.low, gap.high, gap.p_value) == (None, None, None, None)
    assert (ranking.nu.low, ranking.nu.high) == (None, None)


def test_scores_that_cancel_in_every_cluster_do_not_pass_for_certainty():
    """Each person says A once and B once on each prompt: no cluster differs from any other."""
    votes = pair_votes(
        first=["x"] * 8,
        second=["y"] * 8,
        outcome=["A", "B"] * 4,
        prompt=[1, 1, 1, 1, 2, 2, 2, 2],
        annotator=[1, 1, 2, 2, 1, 1, 2, 2],
    )
    ranking = rank(votes)
    assert ranking.state is State.DEFINED
    assert ranking.interval_state is State.NO_VARIATION
    assert "'x' and 'y'" in ranking.interval_reason


def test_options_outside_what_is_offered_are_refused():
    votes = baseball()
    with pytest.raises(UnknownOptionError, match="level"):
        rank(votes, 95)
    with pytest.raises(UnknownOptionError, match="'Oakland'"):
        rank(votes).difference("Oakland", "Boston")


def test_strong_leads_are_reached_by_halved_steps():
    ranking = rank(games_of(("x", "y", 4000, 1, 0), ("y", "z", 4000, 1, 1), ("x", "z", 9000, 1, 0)))
    assert ranking.state is State.DEFINED
    assert ranking.difference("x", "y").value > 7


def test_a_fit_that_does_not_end_is_a_named_state(monkeypatch):
    monkeypatch.setattr("evalplatform.stats.ranking.davidson._MAX_ITERATIONS", 1)
    ranking = rank(baseball())
    assert ranking.state is State.NOT_CONVERGED
    assert ranking.reason
    assert ranking.values is None


def extreme_tables(count):
    """Pairs with 0 to a million votes a cell, many cells empty, whose strengths are defined."""
    rng = np.random.default_rng(0)
    while count:
        m = int(rng.integers(2, 6))
        first, second = np.triu_indices(m, 1)
        counts = np.floor(10 ** rng.uniform(-2, 6, (len(first), 3)))
        counts[rng.random(counts.shape) < 0.4] = 0
        seen = counts.any(axis=1)
        pairs = PairCounts(first[seen], second[seen], counts[seen], m)
        if seen.any() and existence(pairs, range(m), "davidson")[0] is State.DEFINED:
            count -= 1
            yield pairs


def test_tables_of_any_imbalance_are_fitted_to_their_own_expectation():
    """At the maximum the expected net wins and ties are those seen."""
    for pairs in extreme_tables(150):
        fitted = fit(pairs)
        assert fitted.converged
        n = pairs.counts.sum(axis=1)
        gaps = fitted.strengths[pairs.first] - fitted.strengths[pairs.second]
        win, tie, lose = chances(gaps, fitted.log_nu)
        surplus = n * (win - lose) - (pairs.counts[:, 0] - pairs.counts[:, 2])
        net = np.bincount(pairs.first, surplus, pairs.n_arms)
        net -= np.bincount(pairs.second, surplus, pairs.n_arms)
        assert net == pytest.approx(np.zeros(pairs.n_arms), abs=1e-5 * n.sum() ** 0.5)
        ties = pairs.counts[:, 1].sum()
        assert (n * tie).sum() == pytest.approx(ties, abs=1e-5 * n.sum() ** 0.5)


def test_a_step_that_goes_too_far_is_halved_until_the_likelihood_rises():
    model = _Model.of(pair_counts(baseball()))
    start = model.at(np.zeros(7))
    step = 60.0 * newton_step(start.curvature, start.gradient)
    assert model.at(step).loglik < start.loglik
    params, reached = _climb(model, np.zeros(7), start, step)
    assert reached.loglik > start.loglik
    assert np.abs(params).max() < np.abs(step).max()


def test_true_strengths_agree_with_the_simulated_votes():
    design = GALLERY_DESIGNS["base"]
    rng = np.random.default_rng(8)
    truth = design.truth()
    found = np.array([rank(simulate_gallery(design, rng)).values for _ in range(60)])
    error = found.std(axis=0) / math.sqrt(len(found))
    assert np.all(np.abs(found.mean(axis=0) - truth.strengths) < 4 * error)
