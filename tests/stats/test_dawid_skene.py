"""Dawid and Skene's model: their own table, crowd-kit, and what must hold for any votes."""

import warnings

import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import DawidSkene as CrowdKit
from hypothesis import given, settings

from evalplatform.stats import (
    LengthMismatchError,
    State,
    UnknownOptionError,
    UnknownOutcomeError,
    Votes,
    dawid_skene,
)
from evalplatform.stats.people.climb import Parameters
from evalplatform.stats.people.confusion import fit_confusions
from evalplatform.stats.people.item_answers import ItemAnswers
from evalplatform.stats.votes.columns import group

from .crossed_votes import Design, grid_votes, simulate, swapped
from .test_win_rate_properties import any_votes

# Dawid and Skene (1979), Applied Statistics 28:20-28, table 1: 45 patients; the first three
# digits are the first anaesthetist's answers on three days, the others one each.
ANAESTHETISTS = """
    1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444
    2223343 1111111 2223212 1211111 1112111 1111111 1111111 2222221 2221322 2222222 2222221
    2223222 2212222 1111111 1111111 2322222 1111111 1111111 1121121 1111111 3333233 1111111
    2222222 2223232 4334343 2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111
    2222222
"""
OBSERVER = np.array([0, 0, 0, 1, 2, 3, 4])


def paper_fit(**options):
    patients = ANAESTHETISTS.split()
    return fit_confusions(
        item=group(np.repeat(np.arange(len(patients)), 7)),
        annotator=group(np.tile(OBSERVER, len(patients))),
        label=np.array([int(digit) - 1 for patient in patients for digit in patient]),
        n_classes=4,
        prior=0.0,
        **options,
    )


def study(seed=0, prompts=60, annotators=8):
    votes = simulate(Design(prompts, annotators, 5, 1.2, 0.3), np.random.default_rng(seed))
    return votes


def test_published_example_of_dawid_and_skene():
    """The paper's class shares and the first anaesthetist's error rates, classes 1 to 3."""
    fit = paper_fit(max_rounds=1000, tolerance=1e-12)
    assert fit.state is State.DEFINED
    assert fit.class_shares.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]
    assert fit.confusion[0, :3].round(2).tolist() == [
        [0.89, 0.11, 0.00, 0.00],
        [0.07, 0.88, 0.05, 0.00],
        [0.00, 0.34, 0.66, 0.00],
    ]


@pytest.mark.parametrize("seed", range(3))
def test_without_prior_and_ties_it_is_crowd_kit_round_by_round(seed):
    votes = study(seed)
    frame = pd.DataFrame(
        {"task": votes.item, "worker": votes.annotator, "label": votes.outcome.astype(int)}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its calls of pandas are of older days
        oracle = CrowdKit(n_iter=12, tol=-1.0).fit(frame)
    # crowd-kit ends with a maximisation; the posterior it keeps is that of the round before.
    before, ours = (
        dawid_skene(votes, prior=0.0, symmetric=False, max_rounds=rounds, tolerance=0.0)
        for rounds in (12, 13)
    )
    theirs = oracle.probas_.sort_index()[[0, 1, 2]].to_numpy()
    assert before.posterior == pytest.approx(theirs, abs=1e-5)
    for index, person in enumerate(ours.annotator):
        errors = oracle.errors_.loc[person].reindex([0, 1, 2]).fillna(0.0)[[0, 1, 2]].to_numpy()
        assert ours.confusion[index] == pytest.approx(errors.T, abs=1e-5)


@pytest.mark.parametrize("options", [{}, {"symmetric": False}, {"prior": 0.0}, {"prior": 5.0}])
def test_every_round_climbs_the_log_posterior(options):
    fit = dawid_skene(study(), tolerance=0.0, max_rounds=60, **options)
    steps = np.diff(fit.log_posterior)
    assert (steps >= -1e-9).all()
    assert steps[0] > 1.0


def hard_to_tell(prompts=200):
    """Votes that say little of who errs: plain rounds climb for very long."""
    rng = np.random.default_rng(2)
    item, person = np.repeat(np.arange(prompts), 5), np.arange(5 * prompts) * 7 % 8
    return Votes(rng.choice(3, size=5 * prompts, p=[0.45, 0.2, 0.35]), item, person, item)


def test_longer_steps_reach_the_top_of_plain_rounds_sooner(monkeypatch):
    votes = hard_to_tell()
    quick = dawid_skene(votes, tolerance=0.0, max_rounds=140)
    monkeypatch.setattr("evalplatform.stats.people.climb.PLAIN_ROUNDS", 3000)
    soon = dawid_skene(votes, tolerance=0.0, max_rounds=140)
    plain = dawid_skene(votes, tolerance=0.0, max_rounds=3000)
    assert quick.log_posterior[-1] == pytest.approx(plain.log_posterior[-1], abs=1e-9)
    for name in ("class_shares", "confusion", "accuracy", "posterior"):
        assert getattr(quick, name) == pytest.approx(getattr(plain, name), abs=1e-6)
    assert np.abs(soon.posterior - plain.posterior).max() > 1e-3


@pytest.mark.parametrize("options", [{}, {"symmetric": False}, {"prior": 0.0}, {"prior": 5.0}])
def test_no_longer_step_leads_down(monkeypatch, options):
    monkeypatch.setattr("evalplatform.stats.people.climb.PLAIN_ROUNDS", 1)
    for votes in (study(), hard_to_tell()):
        fit = dawid_skene(votes, tolerance=0.0, max_rounds=121, **options)
        assert (np.diff(fit.log_posterior) >= -1e-9).all()
        for table in (fit.class_shares[None], fit.posterior, fit.confusion):
            assert table.sum(axis=-1) == pytest.approx(1.0)


def test_step_that_leads_down_is_not_taken(monkeypatch):
    """A step to nowhere: every class and every answer alike."""
    monkeypatch.setattr("evalplatform.stats.people.climb.PLAIN_ROUNDS", 1)
    monkeypatch.setattr(
        Parameters,
        "moved_to",
        lambda self, logs: Parameters(self.shares * 0 + 1 / 3, self.confusion * 0 + 1 / 3),
    )
    votes = study()
    refused = dawid_skene(votes, tolerance=0.0, max_rounds=41)
    monkeypatch.undo()
    plain = dawid_skene(votes, tolerance=0.0, max_rounds=41)
    assert refused.log_posterior == plain.log_posterior
    assert (refused.posterior == plain.posterior).all()


def test_log_posterior_is_the_marginal_likelihood_written_out():
    votes = study(prompts=10, annotators=5)
    fit = dawid_skene(votes, prior=0.0, symmetric=False, max_rounds=1, tolerance=0.0)
    # The parameters after one round come from the shares of votes in each item.
    shares = np.zeros((votes.n_items, 3))
    np.add.at(shares, (votes.by_item.codes, votes.outcome), 0.2)
    p = shares.mean(axis=0)
    total = 0.0
    for item in range(votes.n_items):
        rows = np.flatnonzero(votes.by_item.codes == item)
        chance = p.copy()
        for row in rows:
            chance *= fit.confusion[votes.by_annotator.codes[row], :, votes.outcome[row]]
        total += np.log(chance.sum())
    assert fit.log_posterior[-1] == pytest.approx(total)


def test_parts_of_the_votes_give_what_the_whole_gives(monkeypatch):
    """Twelve parts; one item has more votes than a part and is one of its own."""
    votes = study()
    again = np.zeros(40, dtype=np.int64)
    votes = Votes(
        np.append(votes.outcome, np.arange(40) % 3),
        np.append(votes.prompt, again),
        np.append(votes.annotator, np.arange(40) % 8),
        np.append(votes.item, again),
    )
    whole = dawid_skene(votes, max_rounds=9, tolerance=0.0)
    monkeypatch.setattr("evalplatform.stats.people.item_answers.CHUNK", 1)
    parts = dawid_skene(votes, max_rounds=9, tolerance=0.0)
    assert len(_parts_of(votes)) > 10
    assert parts.posterior == pytest.approx(whole.posterior, abs=1e-12)
    assert parts.confusion == pytest.approx(whole.confusion, abs=1e-12)
    assert parts.log_posterior == pytest.approx(whole.log_posterior)


def _parts_of(votes):
    return ItemAnswers.of(votes.by_item, votes.by_annotator, votes.outcome, 3).parts


def test_it_finds_who_guesses_and_what_the_items_are():
    rng = np.random.default_rng(5)
    truth = rng.choice(3, size=600, p=[0.5, 0.2, 0.3])
    item, person = np.repeat(np.arange(600), 5), np.tile(np.arange(10), 300)
    skill = np.where(np.arange(10) < 8, 0.85, 0.0)
    known = rng.random(3000) < skill[person]
    votes = Votes(np.where(known, truth[item], rng.integers(0, 3, 3000)), item, person, item)
    fit = dawid_skene(votes)
    assert fit.accuracy[:8].min() > 0.8
    assert fit.accuracy[8:].max() < 0.45
    assert (fit.posterior.argmax(axis=1) == truth).mean() > 0.93
    assert fit.class_shares == pytest.approx([0.5, 0.2, 0.3], abs=0.06)


def test_prior_draws_a_person_with_few_votes_towards_guessing():
    votes = study()
    weak, strong = dawid_skene(votes, prior=0.1), dawid_skene(votes, prior=500.0)
    assert strong.confusion == pytest.approx(np.full((8, 3, 3), 1 / 3), abs=0.08)
    assert weak.confusion.max() > 0.6


@settings(max_examples=40, deadline=None, derandomize=True)
@given(any_votes)
def test_exchanging_a_and_b_exchanges_classes_and_keeps_confusions(votes):
    one, other = (dawid_skene(each, max_rounds=25) for each in (votes, swapped(votes)))
    assert one.state is other.state
    assert one.class_shares == pytest.approx(other.class_shares[::-1], abs=1e-6)
    assert one.confusion == pytest.approx(other.confusion, abs=1e-6)
    assert one.posterior == pytest.approx(other.posterior[:, ::-1], abs=1e-6)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(any_votes)
def test_probabilities_sum_to_one_and_are_never_nan(votes):
    fit = dawid_skene(votes, prior=0.0, max_rounds=25)
    for table in (fit.class_shares[None], fit.posterior, fit.confusion):
        assert np.isfinite(table).all()
        assert table.sum(axis=-1) == pytest.approx(1.0) or not table.size
    assert bool(fit.reason) == (fit.state is not State.DEFINED)


def test_new_names_and_another_order_change_nothing():
    votes = study()
    order = np.random.default_rng(1).permutation(len(votes))
    other = Votes(
        votes.outcome[order],
        votes.prompt[order] + 7,
        votes.annotator[order] * 10,
        votes.item[order] + 7,
    )
    one, two = dawid_skene(votes), dawid_skene(other)
    assert two.annotator.tolist() == (one.annotator * 10).tolist()
    assert one.accuracy == pytest.approx(two.accuracy)
    assert one.posterior == pytest.approx(two.posterior)


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [(("A", "B"), State.ONE_ANNOTATOR), (("A-", "-B"), State.NO_SHARED_ITEMS)],
)
def test_nothing_to_compare_is_a_named_state(outcomes, state):
    fit = dawid_skene(grid_votes(*outcomes))
    assert fit.state is state
    assert fit.reason
    assert fit.rounds == len(fit.accuracy) == 0


def test_running_out_of_rounds_is_a_named_state():
    fit = dawid_skene(study(), max_rounds=2)
    assert fit.state is State.NOT_CONVERGED
    assert "2 rounds" in fit.reason


def test_bad_input_is_refused():
    votes = study()
    for options in ({"prior": -1.0}, {"max_rounds": 0}, {"tolerance": float("nan")}):
        with pytest.raises(UnknownOptionError, match="prior"):
            dawid_skene(votes, **options)
    groups = {"item": votes.by_item, "annotator": votes.by_annotator}
    with pytest.raises(LengthMismatchError, match="label"):
        fit_confusions(**groups, label=votes.outcome[:-1], n_classes=3)
    with pytest.raises(UnknownOutcomeError, match="Unknown label 2"):
        fit_confusions(**groups, label=votes.outcome, n_classes=2)
