"""How each annotator's answers relate to what the item is: the model of Dawid and Skene.

Each item has one true class that nobody sees; annotator j answers o on an item of class t with
probability confusion[j, t, o], whatever the item. Classes and confusions are found together by
expectation-maximisation over all votes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.estimates import State
from ..votes.chunking import chunks
from ..votes.columns import Groups, IntColumn, Votes
from ..votes.errors import LengthMismatchError, UnknownOptionError, UnknownOutcomeError
from .climb import Climb
from .item_answers import ItemAnswers


@dataclass(frozen=True, kw_only=True, eq=False)
class DawidSkene:
    """The fitted model, see `dawid_skene`. J annotators, I items, C classes (votes: A, tie, B).

    Attributes:
        annotator: ids, ascending; the rows of `confusion` and `accuracy` follow this order.
        item: ids, ascending; the rows of `posterior` follow this order.
        class_shares: share of items of each class; C numbers that sum to 1.
        confusion: J x C x C; [j, t, o] is the chance that j answers o on an item of class t.
        accuracy: J; chance that j's answer is the class, over the classes as frequent as they are.
        posterior: I x C; chance of each class, given all votes on the item.
        log_posterior: log posterior of the parameters after each round; it never falls. With
            prior=0 it is the marginal log-likelihood.
        state, reason: DEFINED; NOT_CONVERGED when rounds ran out (the values are the last ones);
            ONE_ANNOTATOR or NO_SHARED_ITEMS where there is nothing to fit: the arrays are empty.
    """

    annotator: IntColumn
    item: IntColumn
    class_shares: FloatArray
    confusion: FloatArray
    accuracy: FloatArray
    posterior: FloatArray
    log_posterior: tuple[float, ...]
    state: State
    reason: str

    @property
    def rounds(self) -> int:
        return len(self.log_posterior)


def dawid_skene(
    votes: Votes,
    *,
    symmetric: bool = True,
    prior: float = 1.0,
    max_rounds: int = 200,
    tolerance: float = 1e-7,
) -> DawidSkene:
    """Fit true outcomes (A, tie, B) of items and each annotator's 3 x 3 confusion.

    Formula. With class shares p and confusions q, the log posterior that EM climbs is

        sum_i log sum_t p_t prod_(votes of i) q_(annotator, t, outcome)
            + prior / 3 * (sum_t log p_t + sum_(j, t, o) log q_(j, t, o))

    so `prior` is a number of votes, spread evenly over the answers, that each annotator is given
    for each class (a Dirichlet with parameters 1 + prior / 3). It starts from the shares of votes
    in each item and stops when a step gains less than `tolerance` per vote. What is not there
    after `climb.PLAIN_ROUNDS` rounds goes on in longer steps to the same top (Varadhan and
    Roland's SQUAREM): where votes say little of who errs, plain rounds would be thousands.

    `symmetric` ties q_(j, A, o) to q_(j, B, swapped o) and q_(j, tie, A) to q_(j, tie, B): which
    checkpoint is called A is arbitrary and sides are balanced, so an annotator who errs towards
    "A" errs by chance. It halves the parameters, and exchanging A and B exchanges the answer.

    Units. Probabilities. `prior` and `tolerance` per vote.

    How to read. `accuracy` is agreement with the class that all votes together point to, each
    voter weighted by how well they fit: not with any truth beyond the votes. In preference voting
    taste differs honestly, so read it beside gold answers, and as a ranking more than as a level.

    References. Dawid and Skene (1979), Applied Statistics 28:20-28; Varadhan and Roland (2008),
    Scandinavian Journal of Statistics 35:335-353.

    >>> votes = Votes(outcome=[0, 0, 2, 2, 2, 0, 0, 0, 2, 2, 2, 0],
    ...               prompt=[1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4],
    ...               annotator=[1, 2, 3] * 4, item=[1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
    >>> fit = dawid_skene(votes)
    >>> fit.posterior.argmax(axis=1).tolist(), fit.accuracy.argmin()
    ([0, 2, 0, 2], np.int64(2))
    """
    item, annotator = Groups.small(votes.item), votes.annotator_codes
    fit = fit_confusions(
        item=item,
        annotator=annotator,
        label=votes.outcome,
        n_classes=3,
        symmetric=symmetric,
        prior=prior,
        max_rounds=max_rounds,
        tolerance=tolerance,
    )
    if fit.state not in (State.DEFINED, State.NOT_CONVERGED):
        return fit
    return replace(
        fit,
        annotator=_ids(annotator, votes.annotator),
        item=_ids(item, votes.item),
    )


def fit_confusions(
    *,
    item: Groups,
    annotator: Groups,
    label: IntColumn,
    n_classes: int,
    symmetric: bool = False,
    prior: float = 1.0,
    max_rounds: int = 200,
    tolerance: float = 1e-7,
) -> DawidSkene:
    """`dawid_skene` for any number of classes; ids in the result are the codes of the groups.

    `label` runs from 0 to `n_classes` - 1. An annotator may answer an item more than once.

    >>> from evalplatform.stats.votes.columns import group
    >>> item, person = group(np.array([0, 0, 1, 1])), group(np.array([0, 1, 0, 1]))
    >>> fit = fit_confusions(item=item, annotator=person, label=np.array([0, 0, 1, 1]), n_classes=2)
    >>> fit.class_shares.tolist()
    [0.5, 0.5]
    """
    _check(item, annotator, label, n_classes, prior, max_rounds, tolerance)
    state, reason = _why_undefined(item, annotator)
    if state is not State.DEFINED:
        return _nothing(n_classes, state, reason)
    seen = ItemAnswers.of(item, annotator, label, n_classes)
    climb = Climb(seen, prior / n_classes, symmetric)
    gains = climb.to_the_top(max_rounds, tolerance * len(label))
    state, reason = State.DEFINED, ""
    if not climb.arrived:
        state, reason = State.NOT_CONVERGED, f"Still improving after {max_rounds} rounds."
    shares, confusion = climb.at.shares, climb.at.confusion
    return DawidSkene(
        annotator=np.arange(annotator.count),
        item=np.arange(item.count),
        class_shares=shares,
        confusion=confusion,
        accuracy=np.einsum("t,jtt->j", shares, confusion),
        posterior=climb.posterior,
        log_posterior=tuple(gains),
        state=state,
        reason=reason,
    )


def _why_undefined(item: Groups, annotator: Groups) -> tuple[State, str]:
    if annotator.count < 2:
        return State.ONE_ANNOTATOR, "All votes are by one annotator: there is nobody to compare."
    first = np.empty(item.count, dtype=annotator.codes.dtype)
    for rows in chunks(len(item.codes)):
        first[item.codes[rows]] = annotator.codes[rows]
    if any((first[item.codes[r]] != annotator.codes[r]).any() for r in chunks(len(item.codes))):
        return State.DEFINED, ""
    return State.NO_SHARED_ITEMS, "No item was judged by two people."


def _nothing(n_classes: int, state: State, reason: str) -> DawidSkene:
    none = np.zeros(0, dtype=np.int64)
    return DawidSkene(
        annotator=none,
        item=none,
        class_shares=np.zeros(0),
        confusion=np.zeros((0, n_classes, n_classes)),
        accuracy=np.zeros(0),
        posterior=np.zeros((0, n_classes)),
        log_posterior=(),
        state=state,
        reason=reason,
    )


def _check(
    item: Groups,
    annotator: Groups,
    label: IntColumn,
    n_classes: int,
    prior: float,
    max_rounds: int,
    tolerance: float,
) -> None:
    lengths = {"item": len(item.codes), "annotator": len(annotator.codes), "label": len(label)}
    if len(set(lengths.values())) > 1:
        raise LengthMismatchError(lengths)
    if int(label.min()) < 0 or int(label.max()) >= n_classes:
        wrong = np.flatnonzero((label < 0) | (label >= n_classes))
        accepted = f"Accepted are 0 to {n_classes - 1}."
        raise UnknownOutcomeError(f"Unknown label {label[wrong[0]]}", wrong, accepted)
    if not (prior >= 0.0 and max_rounds >= 1 and tolerance >= 0.0):
        raise UnknownOptionError(
            f"prior is {prior}, max_rounds {max_rounds} and tolerance {tolerance}; give a prior "
            "and a tolerance from 0 up and at least one round."
        )


def _ids(groups: Groups, column: IntColumn) -> IntColumn:
    ids = np.empty(groups.count, dtype=np.int64)
    ids[groups.codes] = column
    return ids
