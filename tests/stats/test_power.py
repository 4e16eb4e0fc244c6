"""Planning: components by hand and simulation, power against statsmodels, plans by simulation."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from scipy.stats import chi2, norm, t
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.power import TTestPower

from evalplatform.stats import (
    Components,
    State,
    UnknownOptionError,
    Votes,
    detectable_effect,
    plan_study,
    power_of,
    sign_test,
    stated_components,
    variance_components,
    win_rates,
)

from .crossed_votes import Design, grid_votes, simulate, swapped
from .test_win_rate_properties import any_votes

PILOT = stated_components(tie=0.2, prompt_share=0.1, annotator_share=0.05)
NAMES = ("prompt", "annotator", "residual")


def values_of(components):
    return [getattr(components, name) for name in NAMES]


@pytest.mark.parametrize("seed", range(3))
def test_where_everybody_judges_everything_it_is_the_analysis_of_variance(seed):
    votes = simulate(Design(15, 8, 8, 1.0, 0.8), np.random.default_rng(seed))
    frame = pd.DataFrame(
        {"y": 1.0 - votes.outcome, "prompt": votes.prompt, "person": votes.annotator}
    )
    table = anova_lm(smf.ols("y ~ C(prompt) + C(person)", frame).fit())
    mean = table["sum_sq"] / table["df"]
    residual = mean["Residual"]
    expected = [(mean["C(prompt)"] - residual) / 8, (mean["C(person)"] - residual) / 15, residual]
    assert values_of(variance_components(votes)) == pytest.approx(expected)


def test_components_are_unbiased_where_few_judge_each_prompt():
    rng, found = np.random.default_rng(1), []
    for _ in range(300):
        prompt, person = np.repeat(np.arange(40), 3), rng.integers(0, 12, 120)
        skills, tastes = rng.random(12), rng.random(40)
        chance = 0.25 + 0.25 * (skills[person] + tastes[prompt])
        outcome = np.where(rng.random(120) < chance, 0, 2)
        found.append(variance_components(Votes(outcome, prompt, person, prompt)))
    # y = 2 * (won) - 1: each effect is 0.5 * a uniform, of variance 1/48; y itself has variance 1
    truth = [1 / 48, 1 / 48, 1 - 2 / 48]
    raw = np.array([values_of(each) for each in found])
    assert raw[:, 2].mean() == pytest.approx(truth[2], abs=0.02)
    # Those set to zero push the mean of the small ones up; their medians straddle the truth.
    for column in (0, 1):
        assert np.mean(raw[:, column] < truth[column]) == pytest.approx(0.55, abs=0.12)


def test_variance_from_the_components_is_that_of_the_two_way_interval():
    votes = simulate(Design(400, 60, 5, 0.8, 0.6), np.random.default_rng(5))
    predicted = variance_components(votes).variance(400, 60, 2000)
    assert predicted == pytest.approx(win_rates(votes).net.se ** 2, rel=0.15)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(any_votes)
def test_components_are_the_same_for_swapped_sides_and_never_nan(votes):
    one, other = variance_components(votes), variance_components(swapped(votes))
    assert one.state is other.state
    assert values_of(one) == pytest.approx(values_of(other), abs=1e-9)
    assert all(np.isfinite(values_of(one)))
    assert min(values_of(one)) >= 0.0
    assert bool(one.reason) == (one.state is not State.DEFINED)


@pytest.mark.parametrize(
    ("votes", "state"),
    [
        (grid_votes("AAB"), State.ONE_PROMPT),
        (grid_votes("A", "B"), State.ONE_ANNOTATOR),
        (grid_votes("A-", "-B"), State.UNSTABLE),
    ],
)
def test_pilot_that_tells_nothing_is_a_named_state(votes, state):
    assert variance_components(votes).state is state


def test_votes_all_alike_have_no_variance():
    assert values_of(variance_components(grid_votes("AAA", "AAA", "AAA"))) == [0.0] * 3


@pytest.mark.parametrize("df", [4, 30, 400])
@pytest.mark.parametrize("effect", [0.0, 0.05, 0.2])
def test_power_equals_statsmodels(df, effect):
    n = df + 1
    expected = TTestPower().power(effect / (0.08 * np.sqrt(n)), n, alpha=0.05)
    assert power_of(effect, 0.08, df) == pytest.approx(expected, abs=1e-9)


def test_published_example_of_the_normal_case():
    """Cohen (1988), Statistical Power Analysis: d = 0.5 and 64 in each group, power 0.80."""
    assert power_of(0.5, np.sqrt(2 / 64), 126) == pytest.approx(0.80, abs=0.005)


def test_effect_is_where_the_power_is_as_asked():
    plan = detectable_effect(PILOT, prompts=200, annotators=40, power=0.9)
    assert power_of(plan.effect, plan.se, 39) == pytest.approx(0.9, abs=1e-9)


def test_annotators_beyond_the_votes_take_no_part():
    most = detectable_effect(PILOT, prompts=20, annotators=100, votes_per_prompt=5)
    assert detectable_effect(PILOT, prompts=20, annotators=5000, votes_per_prompt=5) == most
    plan = plan_study(PILOT, 0.1, annotators=1_000_000)
    assert plan == plan_study(PILOT, 0.1, votes_per_annotator=1)
    assert plan.annotators == plan.votes


def test_floor_is_what_more_prompts_approach_and_never_pass():
    floor = detectable_effect(PILOT, prompts=100, annotators=20).floor
    effects = [
        detectable_effect(PILOT, prompts=prompts, annotators=20).effect
        for prompts in (20, 200, 2000, 2_000_000)
    ]
    assert effects == sorted(effects, reverse=True)
    assert effects[-1] > floor
    assert effects[-1] == pytest.approx(floor, rel=1e-3)
    more = detectable_effect(PILOT, prompts=100, annotators=80).floor
    assert more < 0.55 * floor


@pytest.mark.parametrize(
    "bound", [{"annotators": 60}, {"prompts": 400}, {"votes_per_annotator": 40}]
)
def test_plan_is_the_smallest_that_detects_the_effect(bound):
    plan = plan_study(PILOT, 0.12, **bound)
    assert plan.effect <= 0.12
    assert plan.votes == 5 * plan.prompts
    smaller = {"prompts": plan.prompts, "annotators": plan.annotators}
    if "prompts" in bound:
        smaller["annotators"] -= 1
    else:
        smaller["prompts"] -= 1
    if "votes_per_annotator" in bound:
        assert plan.annotators == -(-plan.votes // 40)
        smaller["annotators"] = -(-smaller["prompts"] * 5 // 40)
    assert detectable_effect(PILOT, **smaller).effect > 0.12


def test_planned_study_detects_the_effect_as_often_as_it_says():
    """Components from one large pilot and the true net; then studies of the planned size."""
    rng, lean = np.random.default_rng(7), 0.25
    large = Design(3000, 300, 5, 0.5, 0.4, lean=lean)
    pilot, net = simulate(large, rng), large.true_shares()["net"]
    plan = plan_study(variance_components(pilot), net, votes_per_annotator=25)
    design = Design(plan.prompts, plan.annotators, 5, 0.5, 0.4, lean=lean)
    found = [sign_test(simulate(design, rng)).p_value < 0.05 for _ in range(400)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


def chance_by_integration(shift, df, level=0.95):
    """P(|T| > limit) over the spread s of the standard error, chi-squared with df over df."""
    limit, s = t.ppf(0.5 + level / 2, df), np.linspace(1e-6, 12.0, 200_001)
    density = 2.0 * df * s * chi2.pdf(df * s**2, df)
    rejects = norm.cdf(shift - limit * s) + norm.cdf(-shift - limit * s)
    return float(np.sum(density * rejects) * (s[1] - s[0]))


@pytest.mark.parametrize("power", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("people", [2, 3, 4])
def test_few_people_detect_with_the_power_asked_and_not_less(people, power):
    """Their t reaches so far out that SciPy's other tail is not a number at times."""
    pilot = Components(prompt=1e-4, annotator=2e-4, residual=1e-4)
    plan = detectable_effect(
        pilot, prompts=2000, annotators=people, votes_per_prompt=2, power=power
    )
    assert chance_by_integration(plan.effect / plan.se, people - 1) == pytest.approx(
        power, abs=1e-4
    )


def test_chance_never_falls_with_the_effect():
    for df in (1, 2, 4, 30, 1000):
        chances = [power_of(effect, 1.0, df) for effect in np.linspace(0.0, 200.0, 801)]
        assert (np.diff(chances) >= -1e-9).all()
        assert chances[-1] == 1.0


def test_where_prompts_are_given_it_is_prompts_or_votes_on_them_that_help():
    """There is a vote by somebody else for each already."""
    plan = plan_study(PILOT, 0.02, prompts=200)
    assert "1,000 annotators on 200 prompts. More prompts, or more votes on each," in plan.reason
    assert "annotators lower it" in plan_study(PILOT, 0.02, annotators=20).reason


def test_effect_below_the_floor_is_a_named_state_that_names_the_floor():
    plan = plan_study(PILOT, 0.03, annotators=20)
    assert plan.state is State.UNREACHABLE
    assert (plan.prompts, plan.annotators, plan.votes, plan.effect) == (None, None, None, None)
    assert f"floor is {100 * plan.floor:.1f} %" in plan.reason
    hopeless = detectable_effect(PILOT, prompts=2, annotators=5, votes_per_prompt=1)
    assert hopeless.state is State.UNREACHABLE
    assert hopeless.effect is None


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: plan_study(PILOT, 0.0, annotators=9), "effect"),
        (lambda: plan_study(PILOT, 0.1), "exactly one"),
        (lambda: plan_study(PILOT, 0.1, annotators=9, prompts=9), "exactly one"),
        (lambda: plan_study(PILOT, 0.1, votes_per_annotator=0), "votes_per_annotator"),
        (lambda: plan_study(PILOT, 0.1, annotators=4), "annotators are too few"),
        (lambda: plan_study(PILOT, 0.1, annotators=9, power=0.01), "power"),
        (lambda: plan_study(PILOT, 0.1, annotators=9, level=1.5), "level"),
        (lambda: plan_study(PILOT, 0.1, annotators=9, votes_per_prompt=0), "votes_per_prompt"),
        (lambda: stated_components(tie=0.5, prompt_share=0, annotator_share=0, net=0.9), "net"),
        (lambda: stated_components(tie=0.1, prompt_share=0.9, annotator_share=0.2), "shares"),
        (lambda: Components(prompt=-1.0, annotator=0.0, residual=1.0), "prompt variance"),
        (lambda: Components(prompt=0.0, annotator=float("nan"), residual=1.0), "annotator"),
    ],
)
def test_what_means_nothing_is_refused(call, problem):
    with pytest.raises(UnknownOptionError, match=problem):
        call()


@pytest.mark.parametrize(
    ("prompts", "annotators", "said"),
    [
        (8, 3, "3 annotators are too few; give at least 4 annotators (each prompt is judged by 4"),
        (1, 9, "1 prompt is too few; give at least 2 prompts."),
        (1, 1, "1 prompt and 1 annotator are too few; give at least 2 prompts and 4 annotators ("),
    ],
)
def test_study_that_is_too_small_is_told_what_is_missing_alone(prompts, annotators, said):
    with pytest.raises(UnknownOptionError) as refused:
        detectable_effect(PILOT, prompts=prompts, annotators=annotators, votes_per_prompt=4)
    assert str(refused.value).startswith(said)
