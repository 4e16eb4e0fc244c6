"""Planted rings are found in votes of every form; honest people, also of two camps, are not."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalplatform import stats
from evalplatform.stats.people import rings
from evalplatform.stats.people.rings import FEWEST_ANNOTATORS
from evalplatform.stats.people.saddlepoint import upper_tails

from .real_votes import ratings
from .ring_studies import KINDS, RingStudy, found_and_false

SMALL = {"accounts": 100, "votes_each": 200, "share": 0.06}
CAMPS = (0.5, 0.8)


@pytest.mark.parametrize("kind", KINDS)
def test_ring_among_honest_people_is_found(kind):
    found, false, _ = found_and_false(RingStudy(kind=kind, **SMALL), seed=1, studies=3)
    assert found.mean() >= 0.95
    assert false.mean() <= 0.01


@pytest.mark.parametrize("form", ["ranking", "rating"])
def test_ring_is_found_in_other_forms(form):
    study = RingStudy(kind=KINDS[1], form=form, arms=4, **SMALL)
    found, false, _ = found_and_false(study, seed=1, studies=2)
    assert found.mean() >= 0.9
    assert false.mean() <= 0.01


@pytest.mark.parametrize("form", ["pair", "ranking", "rating"])
def test_account_that_favours_an_arm_is_found_in_every_form(form):
    study = RingStudy(kind=KINDS[0], form=form, arms=3 if form != "ranking" else 4, **SMALL)
    found, false, _ = found_and_false(study, seed=1, studies=2)
    assert found.mean() >= 0.8
    assert false.mean() <= 0.01


@pytest.mark.parametrize(
    "honest",
    [
        {},
        {"camps": CAMPS},
        {"camps": CAMPS, "first_camp": 0.25},
        {"careless": 0.1},
        {"camps": CAMPS, "form": "ranking", "arms": 4},
        {"camps": CAMPS, "form": "rating", "arms": 3},
        {"camps": CAMPS, "in_turn": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("votes", [20, 150])
def test_honest_people_are_no_ring(honest, votes):
    study = RingStudy(accounts=100, votes_each=votes, share=0.0, **honest)
    _, false, _ = found_and_false(study, seed=3, studies=2)
    assert false.mean() <= 0.01


def test_accounts_alike_as_a_whole_are_not_named_while_it_can_be_said_of_none(monkeypatch):
    votes, _ = RingStudy(accounts=60, votes_each=20, share=0.0).simulate(np.random.default_rng(1))
    monkeypatch.setattr(rings, "chance_of", lambda *_: 0.0)  # whatever is likeliest would pass
    assert not stats.find_rings([votes]).rings


def test_ring_is_found_beside_two_camps():
    study = RingStudy(kind=KINDS[0], camps=CAMPS, **SMALL)
    found, false, _ = found_and_false(study, seed=1, studies=2)
    assert found.mean() >= 0.9
    assert false.mean() <= 0.01


def test_ring_names_what_its_members_share():
    votes, ring = RingStudy(kind=KINDS[2], **SMALL).simulate(np.random.default_rng(4))
    result = stats.find_rings([votes])
    (found,) = result.rings
    assert found.arm is None
    assert set(found.annotators) == set(np.flatnonzero(ring).tolist())
    assert found.p_value < 0.01
    for member in found.members:
        assert member.alike > member.expected
        assert member.alike <= member.judged
        assert member.p_value <= 0.05
    at = np.asarray(votes.item) == found.example.item
    voters = {votes.annotators[code] for code in np.asarray(votes.annotator)[at]}
    assert set(found.example.annotators) <= voters
    assert len(found.example.annotators) >= 2
    assert found.example.others == at.sum() - ring[list(voters)].sum()


def test_ring_for_an_arm_is_named_by_it():
    votes, ring = RingStudy(kind=KINDS[0], **SMALL).simulate(np.random.default_rng(5))
    (found,) = stats.find_rings([votes]).rings
    assert found.arm == "arm 0"
    assert set(found.annotators) == set(np.flatnonzero(ring).tolist())


def test_evidence_of_all_questions_is_pooled():
    votes, ring = RingStudy(kind=KINDS[2], **SMALL).simulate(np.random.default_rng(6))
    even = np.asarray(votes.item) % 2 == 0
    halves = [votes.where(even), votes.where(~even)]
    (whole,) = stats.find_rings(halves).rings
    assert set(whole.annotators) == set(np.flatnonzero(ring).tolist())
    for half in halves:
        part = stats.find_rings([half]).rings
        assert not part or part[0].p_value > whole.p_value


def test_same_votes_and_seed_give_the_same_rings():
    votes, _ = RingStudy(kind=KINDS[1], **SMALL).simulate(np.random.default_rng(7))
    assert stats.find_rings([votes]) == stats.find_rings([votes])


def test_few_annotators_are_not_looked_at():
    votes, _ = RingStudy(accounts=8, votes_each=50, share=0.0).simulate(np.random.default_rng(8))
    result = stats.find_rings([votes])
    assert result.rings == ()
    assert result.state is stats.State.FEW_ANNOTATORS
    assert str(FEWEST_ANNOTATORS) in result.reason


def test_without_a_question_nothing_is_found():
    with pytest.raises(stats.EmptyVotesError):
        stats.find_rings([])


def test_no_rater_of_real_images_is_in_a_ring():
    """9,486 real ratings; who gave one is not told, so each image's three go to people at random.

    The three columns as three people are too few to tell a ring from what is usual.
    """
    rated = ratings()
    models = list(rated)
    grade = np.concatenate([rated[each] for each in models])  # images x 3
    arm = np.repeat(np.arange(len(models)), len(rated[models[0]]))
    item = np.repeat(np.arange(len(grade)), 3)

    def votes(annotator):
        return stats.graded_votes(
            item=item, prompt=item, annotator=annotator, arm=arm[item][:, None],
            grade=grade.reshape(-1, 1),
        )  # fmt: skip

    assert stats.find_rings([votes(np.tile(np.arange(3), len(grade)))]).rings == ()
    flagged = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        people = np.argsort(rng.random((len(grade), 90)), axis=1)[:, :3]
        result = stats.find_rings([votes(people.ravel())])
        flagged.append(sum(len(each.members) for each in result.rings) / 90)
    assert np.mean(flagged) <= 0.01


def test_tail_of_many_answers_is_the_binomials():
    n, p = 60, 0.4
    for least in (27, 33, 40, 50, 60):
        found = upper_tails(
            np.zeros(n, dtype=np.int64), np.tile([1 - p, p], (n, 1)), np.tile([0.0, 1.0], (n, 1)),
            np.array([float(least)]), step=1.0,
        )[0]  # fmt: skip
        assert found == pytest.approx(scipy_stats.binom.sf(least - 1, n, p), rel=0.03)


def test_share_of_false_claims_is_adjusted_as_scipy_does():
    p = np.random.default_rng(9).random(50) ** 3
    expected = scipy_stats.false_discovery_control(p)
    assert stats.benjamini_hochberg(p) == pytest.approx(expected)
    assert stats.benjamini_hochberg([]).tolist() == []
