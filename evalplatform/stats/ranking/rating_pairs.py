"""Ratings of single images read as comparisons of arms."""

from __future__ import annotations

import numpy as np

from ..votes.errors import EmptyVotesError
from ..votes.graded import GradedVotes


def pairs_from_ratings(graded: GradedVotes) -> GradedVotes:
    """Ratings as comparisons: all arms that one person rated on one prompt, as one graded vote.

    Where a person rated several images of an arm on a prompt, the first ones of all arms (by
    item) are compared with each other, then the second ones. Ratings without a partner are left
    out, and so are votes of several images, which are comparisons already. The result enters
    `rank_arms`; a set may have more than eight images.

    Raises `EmptyVotesError` where no person rated two arms on one prompt.

    >>> from ..votes.graded import graded_votes
    >>> votes = graded_votes(item=[0, 1, 2, 0], prompt=[7, 7, 8, 7], annotator=[4, 4, 4, 5],
    ...                      arm=[[0], [1], [1], [0]], grade=[[5], [3], [4], [1]])
    >>> made = pairs_from_ratings(votes)
    >>> made.arm.tolist(), made.grade.tolist(), made.prompts, made.annotators
    ([0, 1], [5, 3], (7, 8), (4, 5))
    """
    votes = graded.ratings()
    nothing = "No annotator rated two arms on one prompt, so the ratings compare nothing."
    if votes is None:
        raise EmptyVotesError(nothing)
    order = np.lexsort((votes.item, votes.arm, votes.annotator, votes.prompt))
    prompt, annotator, arm = votes.prompt[order], votes.annotator[order], votes.arm[order]
    same_person = (np.diff(prompt.astype(int)) == 0) & (np.diff(annotator.astype(int)) == 0)
    nth = _places_in_runs(np.r_[False, same_person & (np.diff(arm.astype(int)) == 0)])
    again = np.lexsort((arm, nth, annotator, prompt))
    order, nth = order[again], nth[again]
    prompt, annotator = votes.prompt[order], votes.annotator[order]
    code = (prompt.astype(np.int64) * len(votes.annotators) + annotator) * (nth.max() + 1) + nth
    starts = np.flatnonzero(np.r_[True, np.diff(code) != 0])
    sizes = np.diff(np.r_[starts, len(code)])
    several = sizes > 1
    if not several.any():
        raise EmptyVotesError(nothing)
    rows = order[np.repeat(several, sizes)]
    first = starts[several]
    item = prompt[first].astype(np.int64) * (nth.max() + 1) + nth[first]
    start = np.zeros(len(first) + 1, dtype=np.int64)
    np.cumsum(sizes[several], out=start[1:])
    return GradedVotes(
        item=np.unique(item, return_inverse=True)[1].astype(np.uint32),
        prompt=prompt[first],
        annotator=annotator[first],
        start=start,
        arm=votes.arm[rows],
        grade=votes.grade[rows],
        arms=votes.arms,
        prompts=votes.prompts,
        annotators=votes.annotators,
    )


def _places_in_runs(continues: np.ndarray) -> np.ndarray:
    """0, 1, 2, ... from every entry that does not continue the one before."""
    at = np.arange(len(continues))
    return np.asarray(at - np.maximum.accumulate(np.where(continues, 0, at)), np.int64)
