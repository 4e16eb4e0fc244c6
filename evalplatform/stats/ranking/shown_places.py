"""Does the place at which an image is shown move what people say of it?"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from ..inference.clustering import FloatArray
from ..inference.contrasts import MeanContrast, as_family, contrast_of
from ..inference.estimates import State
from ..inference.intervals import check_level
from ..inference.least_squares import GroupEffects
from ..inference.means import GroupedValues
from ..votes.columns import IntColumn, check_lengths, integers
from ..votes.errors import ColumnTypeError
from ..votes.graded import GradedVotes

METHOD = (
    "net of the image at a place over the others of its set, arms taken out by least squares; "
    "two-way clustered by prompt and annotator, t with Satterthwaite's df"
)


EVENLY = 0.05
"""An arm stands at a place about as often as at others if its share there is off by no more."""
BY_CHANCE = 0.05
"""It is off for more than the few sets so far where chance alone does that more rarely."""


@dataclass(frozen=True, kw_only=True)
class PlaceShare:
    """The share, in [0, 1], of an arm's images in sets of so many that stood at one place.

    Attributes:
        n_sets: how many votes on sets of so many images the arm has, from 1.
        p_value: exact binomial p of this count where places are drawn at random, two-sided, times
            the number of arms and places looked at; at most 1.
    """

    arm: Hashable
    images: int
    place: int
    share: float
    n_sets: int
    p_value: float

    @property
    def off(self) -> float:
        """How far it is from that of an arm which stands at all places equally often."""
        return abs(self.share - 1.0 / self.images)

    @property
    def is_even(self) -> bool:
        return self.off <= EVENLY

    @property
    def is_uneven(self) -> bool:
        """Whether it is off by more than chance; where neither, there are too few sets to tell."""
        return not self.is_even and self.p_value < BY_CHANCE


@dataclass(frozen=True, kw_only=True)
class PlaceNet:
    """One place of showing, see `place_effect`.

    Attributes:
        images: how many images its sets have. place: 1 for the one shown first.
        n_votes: votes on such sets.
        net: how often its image is put before others of the set, less how often behind, beyond
            what its arm would be; in [-1, 1].
    """

    images: int
    place: int
    n_votes: int
    net: MeanContrast


@dataclass(frozen=True, kw_only=True)
class PlaceEffect:
    """All places of showing, see `place_effect`.

    Attributes:
        places: by number of images and place; of two images the first alone, the other being its
            mirror image. All are one family for Holm's p.
        least_even: of all arms and places the share furthest from that of an arm which stands
            everywhere equally often, one beyond chance before any other: what a place moves
            favours no arm only where it is even.
        level, method: of the intervals.
        state, reason: DEFINED, or DISCONNECTED where arms and places cannot be told apart;
            `places` is then empty.
    """

    places: tuple[PlaceNet, ...]
    least_even: PlaceShare | None = None
    level: float
    method: str = METHOD
    state: State = State.DEFINED
    reason: str = ""

    @property
    def largest(self) -> PlaceNet | None:
        """The place whose net is furthest from 0, for the evidence there is of it."""
        tested = [each for each in self.places if each.net.p_value is not None]
        return min(tested, key=lambda each: each.net.p_value or 0.0, default=None)


def place_effect(
    graded: GradedVotes, shown: npt.ArrayLike, level: float = 0.95
) -> PlaceEffect | None:
    """Whether images shown first, second, ... are preferred for it; None without a set of several.

    `shown` gives for each entry of `graded.arm` its position in the order shown, from 0.

    Formula. An image's score in a vote is the mean over the others of its set of 1, 0 or -1: put
    before, level with, behind. Scores are fitted by least squares as an effect of the arm and one
    of the place (of sets of one size, with mean 0); that of a place is its net. Its variance is
    clustered by prompt and annotator, and takes in that the arms' effects are estimated too (see
    `least_squares`): the more arms keep to places, the wider the interval.

    How to read. 0 is a place that neither helps nor harms. Where every arm stands at every place
    about equally often (`least_even`), as orders planned here make it, an effect favours no arm;
    it still makes votes tell less of the images, and says that people look less at some. Not for
    votes whose order of showing is unknown.

    Raises `LengthMismatchError` or `ColumnTypeError` for positions that fit no set.

    >>> from ..votes.graded import graded_votes
    >>> votes = graded_votes(item=[0, 1, 0, 1], prompt=[0, 1, 0, 1], annotator=[0, 0, 1, 1],
    ...                      arm=[[0, 1]] * 4, grade=[[1, 0], [0, 1], [0, 1], [0, 1]])
    >>> (first,) = place_effect(votes, [0, 1, 1, 0, 1, 0, 1, 0]).places
    >>> round(first.net.value, 6), first.n_votes  # whoever stood first was preferred every time
    (1.0, 4)
    """
    check_level(level)
    several = graded.sizes > 1
    entries = np.repeat(several, graded.sizes)
    place = integers("shown", shown)
    check_lengths(arm=graded.arm, shown=place)
    if not several.any():
        return None
    votes = graded if several.all() else graded.where(several)
    sets = _Sets(votes, place[entries])
    return sets.effect(level)


class _Sets:
    """Votes on several images, with the place of each image and a group for each size and place."""

    def __init__(self, votes: GradedVotes, place: IntColumn) -> None:
        self._votes, self._vote = votes, np.repeat(np.arange(len(votes)), votes.sizes)
        _check_places(votes, place, self._vote)
        size = votes.sizes[self._vote]
        self._sizes = [int(n) for n in np.unique(size)]
        starts = np.cumsum([0, *self._sizes])
        self._starts = dict(zip(self._sizes, starts.tolist(), strict=False))
        self._n_groups = int(starts[-1])
        self._group = starts[np.searchsorted(self._sizes, size)] + place

    def effect(self, level: float) -> PlaceEffect:
        votes = self._votes
        values = GroupedValues(
            value=set_nets(votes),
            group=self._group,
            prompt=votes.prompt[self._vote],
            annotator=votes.annotator[self._vote],
            n_groups=self._n_groups,
            n_prompts=len(votes.prompts),
            n_annotators=len(votes.annotators),
        )
        effects = GroupEffects.fitted(values, votes.arm, votes.n_arms)
        if effects is None:
            reason = "Some arms were shown at some places alone, so the two cannot be told apart."
            return PlaceEffect(places=(), level=level, state=State.DISCONNECTED, reason=reason)
        told = [(n, at) for n in self._sizes for at in range(n if n > 2 else 1)]
        what = "votes on sets of images"
        found = [effects.contrast(self._beyond_its_size(*each)) for each in told]
        nets = as_family([contrast_of(each, level, what=what, largest=1.0) for each in found])
        places = tuple(
            PlaceNet(
                images=n, place=at + 1, n_votes=int(np.count_nonzero(votes.sizes == n)), net=net
            )
            for (n, at), net in zip(told, nets, strict=True)
        )
        return PlaceEffect(places=places, least_even=self._least_even(effects.n), level=level)

    def _least_even(self, shown: FloatArray) -> PlaceShare:
        """Of how often each arm was shown at each place (M, G)."""
        found: list[PlaceShare] = []
        n_cells = sum(
            int(np.count_nonzero(self._of_size(shown, n).any(1))) * n for n in self._sizes
        )
        for n in self._sizes:
            of_size = self._of_size(shown, n)
            n_sets = of_size.sum(axis=1)
            p = np.minimum(n_cells * _binomial_p(of_size, n_sets[:, None], 1.0 / n), 1.0)
            found += [
                PlaceShare(
                    arm=self._votes.arms[arm],
                    images=n,
                    place=at + 1,
                    share=float(of_size[arm, at] / n_sets[arm]),
                    n_sets=int(n_sets[arm]),
                    p_value=float(p[arm, at]),
                )
                for arm in np.flatnonzero(n_sets).tolist()
                for at in range(n)
            ]
        return max(found, key=lambda each: (each.is_uneven, each.off))

    def _of_size(self, shown: FloatArray, n: int) -> FloatArray:
        return shown[:, self._starts[n] : self._starts[n] + n]

    def _beyond_its_size(self, n: int, at: int) -> FloatArray:
        """The mean of one place less that of all places of sets of its size."""
        made = np.zeros(self._n_groups)
        start = self._starts[n]
        made[start : start + n] = -1.0 / n
        made[start + at] += 1.0
        return made


def _binomial_p(count: FloatArray, n: FloatArray, share: float) -> FloatArray:
    """Twice the smaller tail, counts included, at most 1."""
    whole = n.astype(np.int64)  # the special functions take no other number of draws
    below, above = special.bdtr(count, whole, share), special.bdtrc(count - 1, whole, share)
    return np.asarray(np.minimum(2.0 * np.minimum(below, above), 1.0), dtype=np.float64)


def _check_places(votes: GradedVotes, place: IntColumn, vote: IntColumn) -> None:
    """Each vote has each position once, from 0."""
    wrong = (place < 0) | (place >= votes.sizes[vote])
    if not wrong.any():
        wrong = np.bincount(votes.start[vote] + place, minlength=len(place)) != 1
    if wrong.any():
        at = int(vote[np.flatnonzero(wrong)[0]])
        raise ColumnTypeError(f"shown of vote {at} is no order of its {votes.sizes[at]} images.")


def set_nets(votes: GradedVotes) -> FloatArray:
    """(E,) how often each image is put before the others of its set, less how often behind.

    >>> from ..votes.graded import graded_votes
    >>> set_nets(graded_votes(item=[0], prompt=[0], annotator=[0], arm=[[0, 1, 2]],
    ...                       grade=[[2, 0, 0]])).tolist()
    [1.0, -0.5, -0.5]
    """
    nets = np.zeros(len(votes.arm))
    for n in np.unique(votes.sizes).tolist():
        entry = votes.start[:-1][votes.sizes == n][:, None] + np.arange(n)
        grade = votes.grade[entry].astype(np.int64)
        for at in range(n) if n > 1 else ():
            against = np.sign(grade[:, at, None] - grade).sum(axis=1)
            nets[entry[:, at]] = against / (n - 1)
    return nets
