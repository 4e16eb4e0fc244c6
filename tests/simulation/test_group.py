"""A group of simulated annotators beside real drawings, and beside people."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from evalplatform.core.errors import BadInputError
from evalplatform.simulation import people
from evalplatform.simulation.group import draw_group, measure_ceiling
from evalplatform.stats.people.chance_correction import ALPHA_NOMINAL
from tests.simulation import drawings
from tests.stats.real_votes import ratings

SWAPPED = {"left": "right", "tie": "tie", "right": "left"}


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    folder = tmp_path_factory.mktemp("group")
    return {
        "curation": drawings.write(folder / "data"),
        "picked": drawings.write_picks(folder / "picks.tsv"),
        "references": drawings.write(folder / "held-out", styles=("flat",), hand=1),
    }


@pytest.fixture(scope="module")
def group(taught):
    return draw_group(12, seed=1, **taught)


# ---- beside people ------------------------------------------------------------------------------


def test_peoples_ranges_are_those_of_their_ratings():
    ties, alphas = [], []
    for first, second in combinations(ratings().values(), 2):
        outcome = 1 - np.sign(first - second)
        ties += (outcome == 1).mean(axis=0).tolist()
        alphas += [alpha_of(outcome[:, list(pair)]) for pair in combinations(range(3), 2)]
    assert (round(min(ties), 2), round(max(ties), 2)) == people.TIES
    assert (round(min(alphas), 2), round(max(alphas), 2)) == people.ALPHA


def alpha_of(outcome) -> float:
    """Nominal alpha of (items, annotators) of 0, 1 and 2."""
    counts = np.stack([(outcome == each).sum(axis=1) for each in range(3)], axis=1)
    return float(ALPHA_NOMINAL.of_many(np.ones((1, len(counts))), counts.astype(float))[0])


@pytest.mark.parametrize("prompted", [False, True], ids=["appeal", "faithfulness"])
def test_on_close_pairs_they_tie_and_agree_as_people_do(group, prompted):
    """Pairs as close as the samples of a model and of its tuned sibling."""
    rng = np.random.default_rng(5)
    outcomes, again = [], []
    for thing, name in enumerate(drawings.NAMES):
        left, right = close_pair(thing, prompted, rng)
        prompt = f"a {name}" if prompted else None
        chosen = [each.choose(left, right, prompt) for each in group.judges]
        outcomes.append([("left", "tie", "right").index(one) for one in chosen])
        # A repeat shows other files of the same images, sides swapped.
        second = [each.choose(right + b"0", left + b"0", prompt) for each in group.judges]
        again += [SWAPPED[one] == before for one, before in zip(second, chosen, strict=True)]
    answers = np.array(outcomes)
    assert people.TIES[0] <= (answers == 1).mean() <= people.TIES[1]
    assert 0.2 <= alpha_of(answers) <= 0.5
    assert np.mean(again) >= 0.75


def close_pair(thing, prompted, rng):
    if prompted:
        return tuple(drawings.png(drawings.draw(thing, "3d", hand=hand)) for hand in (3, 4))
    flat, vivid = (drawings.draw(thing, style, hand=2) for style in ("flat", "3d"))
    shares = 0.5 + rng.normal(0.03, 0.1), 0.5
    return tuple(drawings.png(Image.blend(flat, vivid, share)) for share in shares)


# ---- the ceiling --------------------------------------------------------------------------------


def test_ceiling_is_what_they_can_tell_of_real_drawings(group):
    ceiling = measure_ceiling(group, seed=2)
    assert ceiling.appeal.net.value > 0.8
    assert ceiling.faithfulness.net.value > 0.8
    # Nobody is asked about a thing whose picks taught them.
    assert ceiling.appeal.tally.total == sum(30 - len(each.taste.taught) for each in group.judges)
    assert ceiling.faithfulness.tally.total == 12 * 30


def test_ceiling_does_not_hang_on_sides(group, taught):
    mirrored = [measure_ceiling(group, seed=seed).appeal.net.value for seed in (2, 3)]
    assert mirrored[0] == pytest.approx(mirrored[1], abs=0.1)


def test_without_held_out_drawings_there_is_no_ceiling_of_faithfulness(taught):
    group = draw_group(3, seed=1, curation=taught["curation"], picked=taught["picked"])
    assert measure_ceiling(group, seed=2).faithfulness is None


# ---- drawing a group ----------------------------------------------------------------------------


def test_group_is_seeded_and_a_larger_one_holds_the_smaller(group, taught):
    smaller = draw_group(2, seed=1, **taught)
    assert [each.as_dict() for each in smaller.judges] == [
        each.as_dict() for each in group.judges[:2]
    ]
    other = draw_group(2, seed=2, **taught)
    assert other.judges[0].as_dict() != smaller.judges[0].as_dict()


def test_half_of_a_curation_is_refused(taught):
    with pytest.raises(BadInputError, match="give both"):
        draw_group(2, seed=1, curation=taught["curation"])
    with pytest.raises(BadInputError, match="learned from a curation"):
        draw_group(2, seed=1, references=taught["references"])


def test_group_without_a_curation_has_no_ceiling():
    group = draw_group(2, seed=1)
    assert group.right_on_held_out() is None
    with pytest.raises(BadInputError, match="no ceiling"):
        measure_ceiling(group, seed=2)
