"""What makes votes differ: prompts, annotators, and the rest of a single vote.

A vote is y = 1 (A), 0 (tie) or -1 (B), and y = net + prompt + annotator + rest. With P prompts, J
annotators and n votes spread evenly, the mean of the votes has variance

    V = sp^2 / P + sa^2 / J + se^2 / n

where sp^2, sa^2, se^2 are the variances of the three effects. `power` plans studies by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from ..votes.columns import Groups, IntColumn, Votes
from ..votes.errors import UnknownOptionError
from .clustering import FloatArray
from .estimates import State


@dataclass(frozen=True, kw_only=True)
class Components:
    """Variances of what makes votes differ, in squared units of net (y = 1, 0, -1).

    Attributes:
        prompt: sp^2, of a prompt's mean over annotators.
        annotator: sa^2, of an annotator's mean over prompts: habits that no number of prompts
            averages out.
        residual: se^2, of a vote around both.
        net: mean of the votes they were estimated from; None where stated.
        set_to_zero: components whose estimate was negative.
        state, reason: why a pilot gives none; the components are then 0.
    """

    prompt: float
    annotator: float
    residual: float
    net: float | None = None
    set_to_zero: tuple[str, ...] = ()
    state: State = State.DEFINED
    reason: str = ""

    def __post_init__(self) -> None:
        for name in ("prompt", "annotator", "residual"):
            if not 0.0 <= getattr(self, name) < inf:
                raise UnknownOptionError(
                    f"the {name} variance is {getattr(self, name)}; give a number from 0 up."
                )

    @property
    def total(self) -> float:
        return self.prompt + self.annotator + self.residual

    def variance(self, prompts: float, annotators: float, votes: float) -> float:
        """V of the module's formula; numbers may be infinite."""
        return self.prompt / prompts + self.annotator / annotators + self.residual / votes


def stated_components(
    *, tie: float, prompt_share: float, annotator_share: float, net: float = 0.0
) -> Components:
    """Components from what one expects: the share of ties and the shares of variance.

    Formula. A vote has variance 1 - tie - net^2; prompts and annotators make up the given shares
    of it, the rest is residual. All in [0, 1], the two shares at most 1 together, |net| at most
    1 - tie.

    >>> stated_components(tie=0.2, prompt_share=0.1, annotator_share=0.05).residual
    0.68
    """
    total = 1.0 - tie - net**2
    if not (0.0 <= tie <= 1.0 and abs(net) <= 1.0 - tie):
        raise UnknownOptionError(
            f"ties {tie} and net {net} cannot be; give shares in [0, 1] with |net| <= 1 - ties."
        )
    if not (prompt_share >= 0.0 and annotator_share >= 0.0 and prompt_share + annotator_share <= 1):
        raise UnknownOptionError(
            f"shares of variance {prompt_share} (prompts) and {annotator_share} (annotators) "
            "cannot be; give shares in [0, 1] that are at most 1 together."
        )
    return Components(
        prompt=prompt_share * total,
        annotator=annotator_share * total,
        residual=round((1.0 - prompt_share - annotator_share) * total, 12),
    )


def variance_components(votes: Votes) -> Components:
    """Estimate the components from a pilot by the method of moments, balanced or not.

    Formula. The sums of squares sum y^2, sum over prompts of (sum y)^2 / n_p, the same over
    annotators and (sum y)^2 / N have expectations linear in sp^2, sa^2, se^2 and the mean; the
    three differences to the last are solved for. Unbiased for any pattern of who judged what;
    where everybody judged everything it is the analysis of variance. A negative solution is set
    to 0 and named in `set_to_zero`.

    How to read. A pilot with few annotators says little of sa^2, the component that matters most:
    with five, its 95 % interval spans a factor of about 20. Plan for more than it says.

    Reference. Henderson (1953), Estimation of variance and covariance components, Biometrics
    9:226-252, method 1.

    >>> votes = Votes([0, 0, 0, 0, 2, 2], [1, 1, 2, 2, 3, 3], [1, 2] * 3, [1, 1, 2, 2, 3, 3])
    >>> found = variance_components(votes)
    >>> round(found.prompt, 3), found.annotator, found.residual
    (1.333, 0.0, 0.0)
    """
    y = (1.0 - votes.outcome).astype(np.float64)
    net, n = float(y.mean()), len(y)
    prompts, people = votes.by_prompt, votes.by_annotator
    if prompts.count < 2:
        return _no_components(State.ONE_PROMPT, "The pilot has one prompt.", net)
    if people.count < 2:
        return _no_components(State.ONE_ANNOTATOR, "The pilot has one annotator.", net)
    sums, expected = _moments(votes, y)
    if np.linalg.matrix_rank(expected) < 3:
        reason = "Prompts, annotators and single votes cannot be told apart in this pilot."
        return _no_components(
            State.UNSTABLE, reason + " Let several people judge each prompt.", net
        )
    solved = np.linalg.solve(expected, sums - n * net**2)
    solved[np.abs(solved) < 1e-12] = 0.0
    names = ("prompt", "annotator", "residual")
    prompt, annotator, residual = np.maximum(solved, 0.0).tolist()
    return Components(
        prompt=prompt,
        annotator=annotator,
        residual=residual,
        net=net,
        set_to_zero=tuple(name for name, each in zip(names, solved, strict=True) if each < 0.0),
    )


def _moments(votes: Votes, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The three sums of squares, and what each holds of every component, beside the mean's."""
    n, prompts, people = len(y), votes.by_prompt, votes.by_annotator
    by_prompt, by_person = (np.bincount(each.codes).astype(float) for each in (prompts, people))
    cells = np.bincount(votes.by_pair.codes).astype(float)
    cell_prompt, cell_person = _of_cells(votes, prompts), _of_cells(votes, people)
    mixed_prompt = float((cells**2 / by_prompt[cell_prompt]).sum())
    mixed_person = float((cells**2 / by_person[cell_person]).sum())
    even_prompt, even_person = float((by_prompt**2).sum() / n), float((by_person**2).sum() / n)
    sums = np.array(
        [
            float(y @ y),
            float((np.bincount(prompts.codes, y) ** 2 / by_prompt).sum()),
            float((np.bincount(people.codes, y) ** 2 / by_person).sum()),
        ]
    )
    expected = np.array(
        [
            [n - even_prompt, n - even_person, n - 1.0],
            [n - even_prompt, mixed_prompt - even_person, prompts.count - 1.0],
            [mixed_person - even_prompt, n - even_person, people.count - 1.0],
        ]
    )
    return sums, expected


def _of_cells(votes: Votes, groups: Groups) -> IntColumn:
    """The group (a prompt, a person) of each (prompt, annotator) cell."""
    found = np.empty(votes.by_pair.count, dtype=np.int64)
    found[votes.by_pair.codes] = groups.codes
    return found


def _no_components(state: State, reason: str, net: float) -> Components:
    return Components(prompt=0.0, annotator=0.0, residual=0.0, net=net, state=state, reason=reason)
