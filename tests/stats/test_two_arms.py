"""Each two arms of a gallery alone: groups of prompts, and early looks."""

import numpy as np
import pytest

from evalplatform import stats


def gallery(seed=3, prompts=30, k=2, arms=3, leads=(1.5, 0.0, 0.0)):
    """Rankings of all arms, in the order cast, by 12 people."""
    rng = np.random.default_rng(seed)
    item = np.repeat(np.arange(prompts), k)
    looks = np.array(leads) + rng.logistic(size=(len(item), arms))
    return stats.graded_votes(
        item=item, prompt=item, annotator=rng.permutation(len(item)) % 12,
        arm=np.tile(np.arange(arms), (len(item), 1)), grade=looks.argsort().argsort(),
        arms=list("ABC"[:arms]),
    )  # fmt: skip


def of_two(graded, first, second):
    """The votes on two arms, read by hand."""
    grade = graded.grade.reshape(-1, graded.n_arms)
    said = 1 - np.sign(grade[:, first] - grade[:, second])
    columns = (graded.prompt, graded.annotator, graded.item)
    return stats.Votes(said, *(each.astype(np.int64) for each in columns))


def test_look_at_two_arms_is_the_look_of_their_campaign_at_a_share_of_the_error():
    graded = gallery()
    for found, two in zip(stats.arm_looks(graded, 2, 6), [(0, 1), (0, 2), (1, 2)], strict=True):
        alone = stats.early_look(of_two(graded, *two), 2, 1 - 0.05 / 6)
        assert (found.arm, found.other) == ("ABC"[two[0]], "ABC"[two[1]])
        assert (found.look.is_claim, found.look.net) == (alone.is_claim, alone.net)
        assert found.look.sequence.lows == pytest.approx(alone.sequence.lows)


def test_bounds_widen_with_the_pairs_that_will_be_looked_at():
    graded = gallery()
    width = [
        look.sequence.high - look.sequence.low
        for n_pairs in (3, 28)
        for look in [stats.arm_looks(graded, 2, n_pairs)[0].look]
    ]
    assert width[1] > 1.1 * width[0]


def test_prompts_of_two_arms_may_differ_in_how_many_votes_they_will_have():
    graded = gallery()
    half = np.where(np.arange(30) < 15, 2, 4)  # where four are wanted, two are not all
    for found in stats.arm_looks(graded, lambda first, second: half * (first + second), 3):
        first, second = ("ABC".index(each) for each in (found.arm, found.other))
        done = {(0, 1): 15, (0, 2): 0, (1, 2): 0}[first, second]
        assert found.look.sequence.n_prompts == done


def test_fewer_pairs_than_have_met_are_refused():
    with pytest.raises(stats.UnknownOptionError, match="n_pairs is 2, and 3 pairs of arms"):
        stats.arm_looks(gallery(), 2, 2)


def test_groups_of_all_pairs_are_one_family():
    graded = gallery()
    labels = stats.Labels.of(["cat", "dog", ""] * 10)
    found = stats.arm_group_tests(graded, {"category": labels})
    assert [(each.arm, each.other, each.test.name) for each in found] == [
        (*pair, name) for pair in ("AB", "AC", "BC") for name in ("cat", "dog")
    ]
    cats = np.array(["cat", "dog", ""] * 10)[graded.prompt] == "cat"
    assert found[0].test.rates == stats.win_rates(of_two(graded, 0, 1).where(cats))
    adjusted = stats.holm([each.test.p_value for each in found])
    assert [each.test.p_holm for each in found] == pytest.approx(adjusted.tolist())
    assert {each.test.n_tests for each in found} == {6}


def test_votes_of_single_images_have_no_pair_to_test_or_look_at():
    graded = stats.graded_votes(
        item=[0, 1], prompt=[0, 1], annotator=[0, 0], arm=[[0], [1]], grade=[[1], [2]]
    )
    assert stats.arm_group_tests(graded, {"category": stats.Labels.of(["a", "b"])}) == ()
    assert stats.arm_looks(graded, 1, 1) == ()
